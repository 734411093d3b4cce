"""What the virtual kernel does not do it says by name: it never quietly lies."""

from __future__ import annotations

import socket as std
from collections.abc import Callable
from typing import Any

import pytest

from simnet import Network


@pytest.fixture
def host() -> Any:
    return Network().host("machine")


@pytest.fixture
def sock(host: Any) -> Any:
    sock = host.socket(std.AF_INET, std.SOCK_STREAM)
    sock.setblocking(False)
    return sock


@pytest.mark.parametrize(
    ("family", "kind", "name"),
    [
        (std.AF_PACKET, std.SOCK_RAW, "AF_PACKET"),
        (std.AF_INET, std.SOCK_RAW, "SOCK_RAW"),
    ],
)
def test_another_family_or_type_of_socket_is_named(host: Any, family: int, kind: int, name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        host.socket(family, kind)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda sock: sock.send(b"!", std.MSG_MORE), "send.*MSG_MORE"),
        (lambda sock: sock.send(b"!", std.MSG_FASTOPEN), "send.*MSG_FASTOPEN"),
        (lambda sock: sock.getsockopt(std.IPPROTO_TCP, std.TCP_QUICKACK), "TCP_QUICKACK"),
        (lambda sock: sock.setsockopt(std.IPPROTO_TCP, std.TCP_CORK, 1), "TCP_CORK"),
        (lambda sock: sock.setsockopt(std.IPPROTO_IP, std.IP_OPTIONS, b""), "IP_OPTIONS"),
        (lambda sock: sock.setsockopt(std.SOL_SOCKET, std.SO_RCVTIMEO, bytes(16)), "SO_RCVTIMEO"),
        (lambda sock: sock.getsockopt(std.SOL_SOCKET, std.SO_SNDTIMEO, 16), "SO_SNDTIMEO"),
    ],
    ids=lambda value: value.replace(".*", " ") if isinstance(value, str) else "",
)
def test_another_call_flag_or_option_is_named(sock: Any, call: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        call(sock)


def test_a_call_that_has_to_wait_inside_a_handler_is_named(host: Any, sock: Any) -> None:
    """Time passes only when no handler runs."""
    sock.bind(("", 0))
    sock.listen()
    sock.setblocking(True)
    host.network.at("1s").call(sock.accept)
    with pytest.raises(NotImplementedError, match=r"accept\(\) that has to wait inside a handler"):
        host.network.run()


def test_a_name_that_no_socket_has_is_an_attribute_error(sock: Any) -> None:
    with pytest.raises(AttributeError, match="no_such_method"):
        sock.no_such_method()
