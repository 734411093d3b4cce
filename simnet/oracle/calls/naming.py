"""Names: bind(2), getsockname(2), getpeername(2), and the addresses that programs use.

A place is an address in words: ``("of", slot)`` is what getsockname() says of that slot and
``("peer", slot)`` what getpeername() says; ``("lo", port)``, ``("own", port)``, ``("any", port)`` and so on
are addresses of the machine in the family of the socket; ``("path", n)``, ``("abstract", n)`` and
``("unnamed",)`` are names of AF_UNIX sockets.
"""

from __future__ import annotations

import socket as std
from typing import Any

from ..draws import Draws
from ..operations import Scene, operation

PORTS = ("P1", "P2", "P3")
NAMES = (1, 2, 3)

IPV4 = {
    "lo": "127.0.0.1",
    "any": "0.0.0.0",
    "other": "127.99.99.99",
    "foreign": "203.0.113.7",
    "mapped": "127.0.0.1",
    "empty": "",
    "localhost": "localhost",
}
IPV6 = {
    "lo": "::1",
    "own": "::1",
    "any": "::",
    "other": "::ffff:127.99.99.99",
    "foreign": "2001:db8::7",
    "mapped": "::ffff:127.0.0.1",
    "empty": "",
    "localhost": "::1",
}


def a_place_to_bind(draws: Draws, scene: Scene) -> tuple[Any, ...]:
    if draws.one_in(12):
        return draws.pick((("foreign", "P1"), *_odd_places(scene)))
    if scene.family() == "unix":
        kind = draws.pick(("path", "path", "abstract", "abstract", "unnamed"))
        return (kind,) if kind == "unnamed" else (kind, draws.pick(NAMES))
    port = draws.pick((0, 0, *PORTS, *PORTS, ("of", scene.occupied(draws))))
    where = draws.pick(("lo", "lo", "lo", "lo", "any", "any", "own", "other", "mapped"))
    return where, port


def a_destination(draws: Draws, scene: Scene) -> tuple[Any, ...]:
    if draws.one_in(16):
        return draws.pick(_odd_places(scene))
    roll = draws.below(10)
    if roll < 6:
        return "of", scene.holding(draws, draws.pick(("listener", "stream", "dgram")))
    if roll < 7:
        return "peer", scene.occupied(draws)
    if scene.family() == "unix":
        return draws.pick(("path", "abstract")), draws.pick(NAMES)
    return draws.pick(("lo", "lo", "any", "own", "other", "mapped")), draws.pick(PORTS)


def _odd_places(scene: Scene) -> tuple[tuple[Any, ...], ...]:
    """Addresses that are wrong for most sockets."""
    return (
        ("lo", 65536),
        ("lo", -1),
        ("lo", "port"),
        ("any", 0),
        ("empty", "P1"),
        ("localhost", "P2"),
        ("path", 1),
        ("abstract", 2),
        ("unnamed",),
        ("of", scene.slot),
        ("long",),
        ("none",),
    )


def address_of(session: Any, sock: Any, place: tuple[Any, ...]) -> Any:
    """The address that a place means to `sock`."""
    how = place[0]
    if how in ("of", "peer"):
        return _name_of(session, sock, how, place[1])
    if how == "path":
        return path_of(place[1])
    if how == "abstract":
        return b"\0name%d" % place[1]
    if how in ("unnamed", "none", "long"):
        return {"unnamed": "", "none": None, "long": "x" * 200}[how]
    port = _port(session, place[1])
    if sock.family == std.AF_INET6:
        return IPV6[how], port
    return (session.machine.own_address if how == "own" else IPV4[how]), port


def path_of(number: int) -> str:
    """A name in the directory of the program."""
    return f"name{number}"


def _port(session: Any, port: Any) -> Any:
    if isinstance(port, tuple):
        name = _ask(session, "getsockname", port[1])
        return name[1] if isinstance(name, tuple) else 0
    return session.machine.ports.get(port, port) if isinstance(port, str) else port


def _name_of(session: Any, sock: Any, how: str, slot: int) -> Any:
    """The name of what is in another slot, in the family of `sock` if it can be said there."""
    name = _ask(session, "getsockname" if how == "of" else "getpeername", slot)
    if not isinstance(name, tuple):
        return name if name is not None else ("127.0.0.1", session.machine.ports["P1"])
    host, port, *rest = name
    if sock.family == std.AF_INET6 and not rest:
        return f"::ffff:{host}", port
    if sock.family == std.AF_INET and rest:
        return {"::": "0.0.0.0", "::1": "127.0.0.1"}.get(host, host.removeprefix("::ffff:")), port
    return name


def _ask(session: Any, method: str, slot: int) -> Any:
    held = session.held[slot]
    if session.is_foreign(held):
        return None
    try:
        return getattr(held, method)()
    except (AttributeError, OSError):
        return None


@operation(a_place_to_bind)
def bind(session: Any, sock: Any, place: tuple[Any, ...]) -> Any:
    return sock.bind(address_of(session, sock, place))


@operation()
def getsockname(session: Any, sock: Any) -> Any:
    return session.names.address(sock.getsockname())


@operation()
def getpeername(session: Any, sock: Any) -> Any:
    return session.names.address(sock.getpeername())
