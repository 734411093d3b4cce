"""A name server that says what a zone says (RFC 1035), and a private namespace in which it is asked.

What the C library asks in this namespace, only this server hears; so the C library and a virtual host can be
given the same zone.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from simnet.virtual.names.zone import NODATA, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, Answer, Zone

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x20000, 0x4000000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_A, _CNAME, _PTR, _AAAA = 1, 5, 12, 28
_RCODES = {NOERROR: 0, NODATA: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5}

_FILES = {
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\n",
    "/etc/nsswitch.conf": "hosts: files dns\nservices: files\nprotocols: files\n",
}


class NoNamespace(Exception):
    """This computer does not permit a private namespace, or has no `ip`."""


def enter_namespace(hostname: str, addresses: list[str]) -> None:
    """Go into a namespace with this host name, these addresses on lo and routes to everywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWUTS) != 0:
        raise NoNamespace(os.strerror(ctypes.get_errno()))
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        socket.sethostname(hostname)
        lines = ["link set lo up", *(f"addr add {address} dev lo" for address in addresses)]
        lines += ["route add default dev lo", "-6 route add default dev lo"]
        for line in lines:
            nodad = ["nodad"] if ":" in line else []
            subprocess.run(["ip", *line.split(), *nodad], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoNamespace(str(error)) from error
    _mount(libc, None, "/", _MS_REC | _MS_PRIVATE)
    for path, text in _FILES.items():
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        _mount(libc, file.name, path, _MS_BIND)
        os.unlink(file.name)


def _mount(libc: ctypes.CDLL, source: str | None, target: str, flags: int) -> None:
    if libc.mount(source and source.encode(), target.encode(), None, flags, None) != 0:
        raise NoNamespace(f"mount {target}: {os.strerror(ctypes.get_errno())}")


class NameServer:
    """Answers in a thread, from the zone that it has at the time."""

    def __init__(self) -> None:
        self.zone = Zone()
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, client = self._sock.recvfrom(4096)
            self._sock.sendto(_response(self.zone, query), client)


def _response(zone: Zone, query: bytes) -> bytes:
    """The response to a query of one question, without compression."""
    name, end = _read_name(query)
    kind, _ = struct.unpack_from(">HH", query, end)
    answer = zone.find_back(_address(name)) if name.endswith(".arpa") else zone.find(name)
    records = list(_records(answer, name, kind))
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | _RCODES[answer.outcome], 1, len(records), 0, 0)
    return head + query[12 : end + 4] + b"".join(records)


def _records(answer: Answer, name: str, kind: int) -> Iterator[bytes]:
    if kind == _PTR and answer.outcome == NOERROR:
        yield _record(name, _PTR, _wire(answer.name))
        return
    chain = [*answer.aliases, answer.name]
    for alias, target in pairwise(chain):
        yield _record(alias, _CNAME, _wire(target))
    for family, wanted in ((socket.AF_INET, _A), (socket.AF_INET6, _AAAA)):
        for address in answer.of(family) if kind == wanted else ():
            yield _record(answer.name, kind, socket.inet_pton(family, address))


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _wire(name) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def _wire(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read_name(query: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("latin-1"))
        place += length + 1
    return ".".join(labels), place + 1


def _address(name: str) -> str:
    """The address that a name under in-addr.arpa or ip6.arpa is of."""
    parts = name.lower().split(".")[:-2]
    if len(parts) == 4:
        return ".".join(reversed(parts))
    return str(ipaddress.IPv6Address(int("".join(reversed(parts)), 16)))
