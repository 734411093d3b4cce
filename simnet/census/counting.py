"""How calls are counted: methods of the classes that stand between a program and its host.

They are exchanged while any network has a census, and are the original ones otherwise, so that nobody pays
for what he does not use.  Whose census it is says the process that runs.

Owns the exchange, and what kind a function is of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from ..errors import UsageError
from ..process.interposed.names import StandIn
from ..process.interposed.paths import is_of_host
from ..process.interposed.sockets import CALLS, HostedSocket
from ..process.interposed.tls import HostedTLS
from ..process.process import Process, running
from ..process.standing import place_of
from ..process.thread import Thread
from ..process.waiting import Waits
from ..virtual.modules.epoll import Epoll
from ..virtual.modules.select import Poll

if TYPE_CHECKING:
    from ..virtual import Network
    from .census import Census

_KINDS = {
    "select": "select",
    "time": "time",
    "random": "random",
    "tempfile": "random",
    "ssl": "random",
    "_ssl": "random",
    "threading": "threads",
    "_thread": "threads",
    "atexit": "signals",
    "signal": "signals",
    "_signal": "signals",
    "posix": "descriptors",
    "os": "descriptors",
    "fcntl": "descriptors",
    "uuid": "machine",
    "platform": "machine",
}
"""Kinds by the module that a function is of; of `socket` there are two."""

_OF_SOCKETS = {"close", "dup", "socketpair", "getdefaulttimeout", "setdefaulttimeout"}
_RANDOM = {"urandom", "getrandom"}
_OF_MACHINE = {
    *("getpid", "getppid", "uname"),
    *("cpu_count", "process_cpu_count", "sched_getaffinity", "getloadavg"),
}
_SEEN_OTHERWISE = {"open"}
"""What opens a file is no call to the host: the interpreter's audit tells of it."""

_METHODS: tuple[tuple[type, str, str], ...] = (
    (HostedSocket, "__init__", "sockets"),
    *((HostedSocket, name.removeprefix("_"), "sockets") for name in CALLS if name != "fileno"),
    *((HostedTLS, name, "tls") for name in ("do_handshake", "read", "write", "shutdown")),
    *((Poll, name, "select") for name in ("register", "modify", "unregister", "poll")),
    *((Epoll, name, "select") for name in ("register", "modify", "unregister", "poll")),
)

_NOTED = "_simnet_noted"
"""An attribute of exceptions."""

of_networks: WeakKeyDictionary[Network, ref[Census]] = WeakKeyDictionary()
"""The networks that have one just now, for as long as somebody has it."""

_undo: list[Callable[[], None]] = []


def begin(network: Network, census: Census) -> None:
    """Count what the processes of a network call."""
    if network in of_networks:
        raise UsageError(f"{network!r} has a census already")
    of_networks[network] = ref(census, _forget)
    if not _undo:
        _put_up()


def end(network: Network, census: Census) -> None:
    """Count no more; the last one puts the original methods back."""
    found = of_networks.get(network)
    if found is not None and found() is census:
        _forget(found)


def _forget(census: ref[Census]) -> None:
    for network in [network for network, found in of_networks.items() if found is census]:
        del of_networks[network]
    if not of_networks:
        while _undo:
            _undo.pop()()


def current() -> tuple[Census | None, Process | None]:
    """The census of the network whose process runs just now, and that process."""
    process = running()
    if process is None:
        return None, None
    found = of_networks.get(process.host.network)
    return None if found is None else found(), process


def _exchange(cls: type, name: str, method: Callable[..., Any]) -> None:
    before = vars(cls)[name]
    setattr(cls, name, method)
    _undo.append(lambda: setattr(cls, name, before))


def _put_up() -> None:
    for cls, name, kind in _METHODS:
        own = name if name in vars(cls) else f"_{name}"
        _exchange(cls, own, _counted(vars(cls)[own], kind, cls.__name__ if name == "__init__" else name))
    _exchange(StandIn, "__call__", _counted_call(StandIn.__call__))
    _exchange(Waits, "_stand_still", _counted_wait(Waits._stand_still))
    _exchange(Thread, "__init__", _counted(Thread.__init__, "threads", "start"))


def _counted(method: Callable[..., Any], kind: str, call: str) -> Callable[..., Any]:
    def count_and_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        census, process = current()
        if census is None or process is None:
            return method(self, *args, **kwargs)
        census.count(kind, call)
        try:
            return method(self, *args, **kwargs)
        except NotImplementedError as error:
            _refuse(census, process, error)
            raise

    return count_and_call


def _counted_call(call: Callable[..., Any]) -> Callable[..., Any]:
    def count_and_call(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        census, process = current()
        if census is None or process is None:
            return call(self, *args, **kwargs)
        _count(census, process, self, args)
        try:
            return call(self, *args, **kwargs)
        except NotImplementedError as error:
            _refuse(census, process, error)
            raise

    return count_and_call


def _counted_wait(stand_still: Callable[[Waits], None]) -> Callable[[Waits], None]:
    def count_and_stand_still(self: Waits) -> None:
        census, _ = current()
        if census is not None:
            census.waits[self.call] += 1
        stand_still(self)

    return count_and_stand_still


def _count(census: Census, process: Process, stand_in: StandIn, args: tuple[Any, ...]) -> None:
    """A function is called that stands for one of the standard library."""
    name, kind = stand_in.__name__, kind_of(stand_in.original)
    if name in _SEEN_OTHERWISE:
        return
    if kind == "descriptors" and args and not is_of_host(process.host, args[0]):
        what = f"{name} {args[0]!r}" if isinstance(args[0], (str, bytes)) else name
        census.note(False, "files", what, place_of(sys._getframe(2)), process.host.name)
        return
    census.count(kind, name)


@cache
def kind_of(function: Any) -> str:
    """What kind of call a function of the standard library is."""
    name = getattr(function, "__name__", "")
    module = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__
    if name in _RANDOM:
        return "random"
    if name == "kill":
        return "signals"
    if name in _OF_MACHINE:
        return "machine"
    if module in ("socket", "_socket"):
        return "sockets" if name in _OF_SOCKETS else "names"
    return _KINDS.get(module, module)


def _refuse(census: Census, process: Process, error: NotImplementedError) -> None:
    if _NOTED in vars(error):  # on its way out it passes by here again
        return
    setattr(error, _NOTED, True)
    census.note(True, "not simulated", str(error), place_of(sys._getframe(2)), process.host.name)
