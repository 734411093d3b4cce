"""Could a fault ever find its moment?  What the words of its anchor tell before anything runs.

Places are named as in `choices.Point`: an end is ``client:1 -> server:80``, a listener ``server:80``, a
host ``client``, and ``network`` the network; ``#2 client`` is a place by its order in the run.

Owns the grammar of places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import attrs

from ..outcomes import PLACES
from ..rules import ANYWHERE, Rule
from ..script import Deviation, Happening, Item
from ..workload import Draw

_NAME = r"([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)"
_END = re.compile(rf"{_NAME}:\d+ -> {_NAME}:\d+")
_LISTENER = re.compile(rf"{_NAME}:\d+")
_HOST = re.compile(_NAME)
_SOCKET = re.compile(rf"{_NAME}:\d+/udp")
_THREAD = re.compile(rf"{_NAME}(?:/[\w.:-]+)+")
_BY_ORDER = re.compile(r"#\d+ (client|server|listener|udp|host|network|thread)")

_FORMS = (
    *(("end", _END), ("listener", _LISTENER), ("socket", _SOCKET), ("host", _HOST)),
    ("thread", _THREAD),
)

_KINDS = {
    "thread": "thread",
    "client": "end",
    "server": "end",
    "listener": "listener",
    "udp": "socket",
    "host": "host",
    "network": "host",
}
_EXAMPLES = {
    "end": "an end such as 'client:1 -> server:7'",
    "listener": "a listener such as 'server:7'",
    "socket": "a socket of UDP such as 'client:53/udp'",
    "host": "a host, or 'network'",
    "thread": "a process or a thread such as 'server/serve/worker-1'",
}


def wrong_place(item: Deviation | Rule) -> str | None:
    """Why no operation of this kind is ever made at the place that is named; None if it may be."""
    wanted = PLACES[item.op]
    found = _kind(item.where)
    if found == wanted or (item.op, found) == ("jitter", "socket"):
        return None
    if isinstance(item, Rule) and found in ("host", "everywhere"):
        return None
    return f"the place of {_an(item.op)} is {_EXAMPLES[wanted]}, not {item.where!r}"


def unknown_names(item: Item, known: Sequence[str]) -> Iterator[str]:
    """The host names of a fault that are not `known`; nothing is known of a file that names no hosts."""
    if known:
        yield from (name for name in host_names(item) if name not in known)


def host_names(item: Item) -> tuple[str, ...]:
    """The hosts that a fault names."""
    if isinstance(item, Draw):
        return ()
    if isinstance(item, Happening):
        return tuple(name for group in item.groups for name in group)
    for form in (_END, _LISTENER, _SOCKET, _HOST, _THREAD):
        if match := form.fullmatch(item.where):
            return () if item.where == "network" else match.groups()
    return ()


def split(where: str) -> tuple[str, ...]:
    """A place as hosts and numbers, in the order of its words: an end is four, a listener two."""
    return tuple(re.split(r" -> |:|/", where)) if _kind(where) in ("end", "listener", "socket") else (where,)


def with_names(item: Item, names: Mapping[str, str]) -> Item:
    """The same fault where hosts have other names: `names` tells the new one of an old one."""
    if isinstance(item, Happening):
        groups = tuple(tuple(names.get(name, name) for name in group) for group in item.groups)
        return attrs.evolve(item, groups=groups)
    if isinstance(item, Draw) or item.where.startswith("#") or item.where in ("network", ANYWHERE):
        return item
    parts = re.split(r"( -> |:|/)", item.where)
    return attrs.evolve(item, where="".join(names.get(part, part) for part in parts))


def _kind(where: str) -> str:
    if where == ANYWHERE:
        return "everywhere"
    if match := _BY_ORDER.fullmatch(where):
        return _KINDS[match[1]]
    for kind, form in _FORMS:
        if form.fullmatch(where):
            return kind
    return ""


def _an(op: str) -> str:
    return f"{'an' if op[0] in 'aeiou' else 'a'} {op}"
