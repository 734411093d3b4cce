"""A private network namespace, made without root: nobody else's sockets, and sysctls of one's own.

Inside are `lo` and an address that is no loopback address; nothing leaves it.  The sysctls take out of the
kernel what depends on time and on what ran before; each says why.

Owns what is done to the process that asks: it must have one thread only, as unshare(2) wants for a user
namespace, and there is no way back; so it is a process for nothing else.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

SIOCSIFFLAGS = 0x8914
SIOCSIFADDR = 0x8916
SIOCSIFNETMASK = 0x891C
IFF_UP = 1

SYSCTLS = {
    "net/ipv4/tcp_autocorking": "0",  # small writes are sent at once, not when the last one has left
    "net/ipv4/tcp_moderate_rcvbuf": "0",  # a receive buffer does not grow with traffic
    "net/ipv4/icmp_ratelimit": "0",  # a refusal of UDP is never suppressed
    "net/ipv4/icmp_ratemask": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv4/icmp_msgs_burst": "1000000",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv6/icmp/ratemask": "0",
    "net/ipv4/tcp_invalid_ratelimit": "0",  # every segment that is out of order is acknowledged
    "net/ipv4/tcp_challenge_ack_limit": "1000000000",
    "net/ipv4/tcp_max_tw_buckets": "1000000",  # TIME_WAIT does not end early
    "net/ipv4/ip_local_port_range": "4096 65535",  # a port is seldom chosen twice; explicit ones are below
}


class NoNamespace(Exception):
    """No private network namespace can be made here; the words say why."""


class Namespace:
    """The namespace that this process is in."""

    def __init__(self, own_address: str) -> None:
        self.own_address = own_address
        required_system()
        if os.geteuid() != 0:
            _become_root_of_a_user_namespace()
        self.renew()

    def renew(self) -> None:
        """Leave for a new namespace, in which no port was ever used."""
        _unshare(CLONE_NEWNET)
        # Read when a namespace is made: with a small table of its own, one is made and dropped quickly.
        _set("net/ipv4/tcp_child_ehash_entries", "256")
        _unshare(CLONE_NEWNET)
        for name, value in SYSCTLS.items():
            _set(name, value)
        _bring_up(self.own_address)


def required_system() -> None:
    """Raise NoNamespace if this is no Linux."""
    if platform.system() != "Linux":
        raise NoNamespace(f"network namespaces are Linux's, and this is {platform.system()}")


def _become_root_of_a_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise NoNamespace(f"a user namespace is of no use here: {error}") from None


def _unshare(flags: int) -> None:
    """unshare(2); `os.unshare` exists from Python 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise NoNamespace(f"unshare(2) says {os.strerror(number)}")


def _set(name: str, value: str) -> None:
    """Set a sysctl, if this kernel has it and lets a namespace have its own."""
    try:
        Path("/proc/sys", name).write_text(value)
    except OSError:
        return


def _bring_up(own_address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            _configure(sock, SIOCSIFFLAGS, "lo", struct.pack("h", IFF_UP))
            _configure(sock, SIOCSIFADDR, "lo:1", _address(own_address))
            _configure(sock, SIOCSIFNETMASK, "lo:1", _address("255.255.255.255"))
        except OSError as error:
            raise NoNamespace(f"the loopback device cannot be brought up: {error.strerror}") from None


def _configure(sock: socket.socket, request: int, device: str, value: bytes) -> None:
    """An ioctl of netdevice(7): struct ifreq is the device's name and a union."""
    fcntl.ioctl(sock.fileno(), request, struct.pack("16s24s", device.encode(), value))


def _address(text: str) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))
