"""Idioms: the usual sequences of calls that lead to a common state, written out call by call.

A word of a profile that is none of the operations is an idiom; and what makes a descriptor is written by one
too, because the profile says of what kind it is.
"""

from __future__ import annotations

from .calls.naming import NAMES, PORTS
from .operations import EPOLL, OPERATIONS, PIPE
from .program import SLOTS
from .writer import Idiom, Writer


def _socket(writer: Writer) -> None:
    writer.new_socket(writer.new_slot())


def _socketpair(writer: Writer) -> None:
    slot, other = writer.new_slot(), writer.new_slot()
    if slot == other:
        other = (slot + 1) % SLOTS
    type_ = writer.draws.pick([kind.split()[1] for kind in writer.profile.kinds if kind.startswith("unix")])
    writer.call("socketpair", slot, other, type_)
    writer.scene.put(slot, f"unix {type_}")
    writer.scene.put(other, f"unix {type_}")


def _pipe(writer: Writer) -> None:
    slot, other = writer.new_slot(), writer.new_slot()
    if slot == other:
        other = (slot + 1) % SLOTS
    writer.call("pipe", slot, other)
    writer.scene.put(slot, PIPE)
    writer.scene.put(other, PIPE)


def _epoll(writer: Writer) -> None:
    slot = writer.new_slot()
    writer.call("epoll", slot)
    writer.scene.put(slot, EPOLL)


def _serve(writer: Writer) -> None:
    """A listener."""
    slot = writer.new_slot()
    kind = writer.new_socket(slot, "stream", "seqpacket")
    writer.fresh_name(slot, kind)
    writer.call("listen", slot, writer.draws.pick((0, 0, 1, 2, 5)))
    writer.scene.put(slot, f"{kind} listener")


def _dial(writer: Writer) -> None:
    """A socket that connects to a listener."""
    slot = writer.new_slot()
    target = writer.scene.holding(writer.draws, "listener")
    if slot == target:
        slot = (slot + 1) % SLOTS
    writer.new_socket(slot, "stream", "seqpacket")
    writer.call("connect", slot, ("of", target))


def _pair(writer: Writer) -> None:
    """Two connected sockets, by a listener that is gone at once."""
    _connected(writer, small=False)


def _small_pair(writer: Writer) -> None:
    """The same with buffers that are soon full, and whose size the kernel leaves alone."""
    _connected(writer, small=True)


def _connected(writer: Writer, small: bool) -> None:
    slot = writer.new_slot()
    other, listener = (slot + 1) % SLOTS, (slot + 2) % SLOTS
    kind = writer.new_socket(listener, "stream", "seqpacket")
    writer.fresh_name(listener, kind)
    writer.call("listen", listener, 1)
    writer.call("socket", slot, *kind.split())
    if small:
        for place in (listener, slot):
            for name in ("SO_SNDBUF", "SO_RCVBUF"):
                writer.call("buffer", place, name, 8192)
    writer.call("connect", slot, ("of", listener))
    writer.call("accept", listener, other)
    writer.call("close", listener)
    writer.scene.put(slot, kind)
    writer.scene.put(other, kind)


def _veteran(writer: Writer) -> None:
    """A port with a past: a connection to it is over, and one of its sides is in TIME_WAIT."""
    server = writer.new_slot()
    client, child = (server + 1) % SLOTS, (server + 2) % SLOTS
    port = writer.draws.pick(PORTS)
    kind = writer.new_socket(server, "stream", "seqpacket")
    writer.maybe_reuse(server)
    writer.call("bind", server, (writer.draws.pick(("lo", "lo", "any")), port))
    writer.call("listen", server, 1)
    writer.call("socket", client, *kind.split())
    writer.call("connect", client, ("of", server))
    writer.call("accept", server, child)
    for slot in writer.draws.pick(
        ((child, client, server), (client, child, server), (child, server, client))
    ):
        writer.call("close", slot)
    _claim(writer, port)


def _claim(writer: Writer, port: str = "") -> None:
    """A wish for a port that may be taken."""
    slot = writer.new_slot()
    writer.new_socket(slot)
    writer.maybe_reuse(slot)
    where = writer.draws.pick(("lo", "lo", "any", "own", "mapped"))
    if writer.scene.family_of(slot) == "unix":
        writer.fresh_name(slot, "unix")
    else:
        writer.call("bind", slot, (where, port or writer.draws.pick(PORTS)))
    if writer.draws.one_in(2):
        writer.call("listen", slot, writer.draws.below(3))
        writer.scene.put(slot, f"{writer.scene.kinds[slot]} listener")


def _bound(writer: Writer) -> None:
    """A datagram socket with a name."""
    slot = writer.new_slot()
    kind = writer.new_socket(slot, "dgram")
    writer.fresh_name(slot, kind)


def _mates(writer: Writer) -> None:
    """Two datagram sockets that are connected to each other."""
    slot = writer.new_slot()
    other = (slot + 1) % SLOTS
    kind = writer.new_socket(slot, "dgram")
    writer.fresh_name(slot, kind)
    writer.call("socket", other, *kind.split())
    writer.scene.put(other, kind)
    writer.fresh_name(other, kind)
    writer.call("connect", slot, ("of", other))
    writer.call("connect", other, ("of", slot))


def _finish(writer: Writer) -> None:
    """The end of what a socket sends."""
    writer.call("shutdown", writer.scene.occupied(writer.draws), "WR")


def _v6only(writer: Writer) -> None:
    slot = writer.scene.occupied(writer.draws)
    writer.call("setsockopt", slot, ("IPV6_V6ONLY", writer.draws.below(2)))


def _rivals(writer: Writer) -> None:
    """Two sockets that have the same port, because both have SO_REUSEADDR."""
    port, slots = writer.draws.pick(PORTS), (writer.new_slot(), writer.new_slot())
    for slot in slots:
        kind = writer.new_socket(slot)
        if kind.startswith("unix"):
            writer.fresh_name(slot, kind)
        else:
            writer.call("reuse", slot, 1)
            writer.call("bind", slot, (writer.draws.pick(("lo", "lo", "any", "own")), port))


def _glance(writer: Writer) -> None:
    """Whether an epoll set is itself ready."""
    writer.call("poll", writer.scene.holding(writer.draws, EPOLL), "IN")


def _burst(writer: Writer) -> None:
    """More messages than a queue of ten has room for (net.unix.max_dgram_qlen)."""
    slot = writer.scene.occupied(writer.draws)
    for _ in range(12):
        writer.call("send", slot, 1)


def _unlink(writer: Writer) -> None:
    writer.call("unlink", 0, writer.draws.pick(NAMES))


def _exists(writer: Writer) -> None:
    writer.call("exists", 0, writer.draws.pick(NAMES))


def _odd_socket(writer: Writer) -> None:
    operation = OPERATIONS["odd_socket"]
    arguments = (draw(writer.draws, writer.scene) for draw in operation.draw)
    writer.call("odd_socket", writer.new_slot(), *arguments)


def _share(writer: Writer) -> None:
    """A wish for a port that others with SO_REUSEPORT may have too."""
    slot = writer.new_slot()
    writer.new_socket(slot)
    writer.maybe_reuse(slot)
    if not writer.draws.one_in(4):
        writer.call("setsockopt", slot, ("SO_REUSEPORT", 1))
    where = writer.draws.pick(("lo", "lo", "any", "own", "mapped"))
    writer.call("bind", slot, (where, writer.draws.pick(PORTS[:2])))


IDIOMS: dict[str, Idiom] = {
    "socket": _socket,
    "socketpair": _socketpair,
    "pipe": _pipe,
    "epoll": _epoll,
    "unlink": _unlink,
    "exists": _exists,
    "odd_socket": _odd_socket,
    "serve": _serve,
    "dial": _dial,
    "pair": _pair,
    "small_pair": _small_pair,
    "veteran": _veteran,
    "claim": _claim,
    "share": _share,
    "burst": _burst,
    "rivals": _rivals,
    "glance": _glance,
    "bound": _bound,
    "mates": _mates,
    "finish": _finish,
    "v6only": _v6only,
}
