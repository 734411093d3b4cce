"""Addresses of sockets: CPython's checks of what is given, what is kept, what is shown, what overlaps."""

from __future__ import annotations

import itertools
import socket as std
from typing import Any

import pytest

from simnet.virtual.kernel import addresses
from simnet.virtual.kernel.addresses import overlap, shown
from simnet.virtual.names.numeric import strict

GIVEN: list[Any] = [
    *(None, "x", b"x", ["::1", 1], (), ("::1",), ("::1", 1, 2, 3, 4)),
    *(("::1", "x"), ("::1", 1.5), ("::1", -1), ("::1", 65536), ("::1", 1 << 40)),
    *(("::1", 0, 1 << 20), ("::1", 0, -1), ("::1", 0, 1 << 33), ("::1", 0, 0, 1 << 33), ("::1", 0, "x")),
    *(("::1", 1 << 40, "x"), ("::1", 70000, "x"), ("::1", -1, 1 << 20)),
    *((5, 0), (5, "x"), (None, 0), ("a\0b", 0), ("127.0.0.1", "x"), ("127.0.0.1", -1), ("127.0.0.1", 65536)),
]


def resolve(name: str, family: int) -> str:
    address = strict(name)
    assert address is not None
    return address


def complaint(call: Any, *arguments: Any) -> str:
    try:
        call(*arguments)
    except (TypeError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


@pytest.mark.parametrize("address", GIVEN, ids=repr)
@pytest.mark.parametrize("family", [std.AF_INET, std.AF_INET6])
def test_what_is_given_is_refused_with_the_words_of_cpython(family: int, address: Any) -> None:
    if family == std.AF_INET and isinstance(address, tuple) and address and address[0] == "::1":
        address = ("127.0.0.1", *address[1:])
    if family == std.AF_INET6 and isinstance(address, tuple) and address and address[0] == "127.0.0.1":
        address = ("::1", *address[1:])
    with std.socket(family) as sock:
        expected = complaint(sock.bind, address)
    assert complaint(addresses.given, "bind", family, address, resolve) == expected


def kept(*address: Any) -> Any:
    return addresses.given("bind", std.AF_INET6, address, resolve)


def test_one_address_has_one_text_inside_and_its_own_form_outside() -> None:
    assert kept("::ffff:10.0.0.1", 7) == ("10.0.0.1", 7)
    assert shown(std.AF_INET6, ("10.0.0.1", 7)) == ("::ffff:10.0.0.1", 7, 0, 0)
    assert shown(std.AF_INET, ("10.0.0.1", 7)) == ("10.0.0.1", 7)
    assert kept("FD00:0::1", 7) == ("fd00::1", 7)


def test_an_interface_stays_with_a_link_local_address_only() -> None:
    assert kept("fe80::1", 7, 0, 2) == ("fe80::1%2", 7)
    assert shown(std.AF_INET6, ("fe80::1%2", 7)) == ("fe80::1", 7, 0, 2)
    assert kept("fd00::1", 7, 9, 2) == ("fd00::1", 7)
    assert [addresses.lacks_scope(text) for text in ("fe80::1", "fe80::1%2", "fd00::1", "10.0.0.1")] == [
        True, False, False, False]  # fmt: skip


def test_bindings_overlap_as_those_of_the_kernel_do() -> None:
    texts = [("0.0.0.0", 0), ("127.0.0.1", 0), ("::", 0), ("::", 1), ("::1", 0), ("::ffff:127.0.0.1", 0)]
    for (one, only), (other, other_only) in itertools.product(texts, texts):
        mine = overlap(strict_kept(one), bool(only), strict_kept(other), bool(other_only))
        assert mine is bars((one, only), (other, other_only)), (one, only, other, other_only)


def strict_kept(text: str) -> str:
    return str(kept(text, 0)[0]) if ":" in text else text


def bars(first: tuple[str, int], second: tuple[str, int]) -> bool:
    """Whether the real kernel refuses the second binding because of the first.

    Once it may be because of somebody else, who has the same port of another address.
    """
    return all(is_refused(first, second) for _ in range(3))


def is_refused(first: tuple[str, int], second: tuple[str, int]) -> bool:
    with bound(*first, 0) as one:
        try:
            bound(*second, one.getsockname()[1]).close()
        except OSError:
            return True
        return False


def bound(address: str, v6only: int, port: int) -> std.socket:
    sock = std.socket(std.AF_INET6 if ":" in address else std.AF_INET)
    try:
        if sock.family == std.AF_INET6:
            sock.setsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY, v6only)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
