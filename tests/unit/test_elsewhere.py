"""simnet simulates Linux, and does not need it: its virtual half also runs where Python knows fewer names.

What other systems lack is taken away from the standard modules in a process of its own, so that this holds on
Linux too.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]

ONLY_ON_LINUX = {
    "socket": """
        AF_ALG AF_CAN AF_NETLINK AF_PACKET AF_TIPC AF_VSOCK EAI_ADDRFAMILY EAI_NODATA
        IPV6_HOPLIMIT IPV6_RECVHOPLIMIT IPV6_RECVTCLASS IPV6_TCLASS IPV6_RECVPKTINFO
        IP_BIND_ADDRESS_NO_PORT IP_RECVTOS IP_TRANSPARENT IPV6_PKTINFO MSG_CMSG_CLOEXEC
        MSG_CONFIRM MSG_ERRQUEUE MSG_FASTOPEN MSG_MORE MSG_NOSIGNAL SCM_CREDENTIALS SOCK_CLOEXEC
        SOCK_NONBLOCK SO_BINDTODEVICE SO_DOMAIN SO_INCOMING_CPU SO_MARK SO_PASSCRED SO_PASSSEC
        SO_PEERCRED SO_PEERSEC SO_PRIORITY SO_PROTOCOL TCP_CONGESTION TCP_CORK TCP_DEFER_ACCEPT
        TCP_INFO TCP_KEEPIDLE TCP_LINGER2 TCP_QUICKACK TCP_SYNCNT TCP_USER_TIMEOUT
        TCP_WINDOW_CLAMP
    """,
    "select": """
        epoll EPOLLERR EPOLLET EPOLLEXCLUSIVE EPOLLHUP EPOLLIN EPOLLMSG EPOLLONESHOT EPOLLOUT
        EPOLLPRI EPOLLRDBAND EPOLLRDHUP EPOLLRDNORM EPOLLWRBAND EPOLLWRNORM EPOLL_CLOEXEC
        POLLRDHUP POLLMSG
    """,
    "selectors": "EpollSelector",
    "fcntl": "F_SETPIPE_SZ F_GETPIPE_SZ F_OFD_SETLK F_NOTIFY F_SETSIG F_GETSIG F_SETLEASE F_GETLEASE",
    "os": "pipe2 O_DIRECT O_NOATIME O_PATH O_TMPFILE posix_fallocate eventfd memfd_create",
    "errno": "EBADFD ENONET EREMOTEIO ECHRNG EUNATCH EL2NSYNC ENOTUNIQ ECOMM",
}


def elsewhere(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python without what only Linux has."""
    missing = "\n".join(
        f"import {module}\nfor name in {names.split()!r}:\n    vars({module}).pop(name, None)"
        for module, names in ONLY_ON_LINUX.items()
    )
    source = f"import sys\nsys.platform = 'darwin'\n{missing}\n{textwrap.dedent(program)}"
    return subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True)


def test_every_module_of_the_virtual_half_can_be_imported() -> None:
    done = elsewhere(
        """
        import importlib, pkgutil, simnet, simnet.virtual
        for module in pkgutil.walk_packages(simnet.virtual.__path__, "simnet.virtual."):
            importlib.import_module(module.name)
        """
    )
    assert done.returncode == 0, done.stderr


def test_a_host_has_sockets_of_every_kind_and_its_modules() -> None:
    done = elsewhere(
        """
        import simnet
        host = simnet.Network().host("machine")
        socket, select = host.modules.socket, host.modules.select
        for family in (socket.AF_INET, socket.AF_INET6):
            server = socket.create_server(("", 0), family=family)
            client = socket.create_connection(("localhost", server.getsockname()[1]))
            client.sendall(b"hello")
            accepted, _ = server.accept()
            assert accepted.recv(10) == b"hello"
            socket.socket(family, socket.SOCK_DGRAM).bind(("", 0))
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            one, other = socket.socketpair(socket.AF_UNIX, kind)
            one.send(b"hello")
            assert select.select([other], [], [], 0) == ([other], [], [])
        poller = host.modules.selectors.DefaultSelector()
        poller.register(other, host.modules.selectors.EVENT_READ)
        assert len(poller.select(0)) == 1
        reader, writer = host.modules.os.pipe()
        host.modules.os.write(writer, b"x")
        assert host.modules.os.read(reader, 1) == b"x"
        assert host.modules.fcntl.fcntl(reader, host.modules.fcntl.F_GETFL) is not None
        """
    )
    assert done.returncode == 0, done.stderr


def test_what_was_taken_away_would_be_missed() -> None:
    """The canary."""
    done = elsewhere("import socket\nsocket.SO_PRIORITY")
    assert "SO_PRIORITY" in done.stderr
