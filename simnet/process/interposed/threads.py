"""`threading` in a process: the module stays, and the threads that it starts are those of the process.

The module is written in Python upon a few functions of `_thread`, which are in the table of `functions`.
What it keeps for itself in globals it keeps for each process: who is alive, the numbers in names, the main
thread.

An exception that a thread lets out ends the run, as one of a process does, unless the program has a
`threading.excepthook` of its own, which is called.  On a real machine it is printed, and the thread is
missing from then on; nobody would find the race that it tells of.

Owns these globals, and handles (the joinable threads of Python 3.13).
"""

from __future__ import annotations

import _thread
import concurrent.futures.thread
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial, wraps
from itertools import count
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from ...fence.allowed import is_of_program
from ..ending import beneath_programs
from ..kept import kill_all
from ..process import Process, running
from ..thread import Thread, give_way_at

if TYPE_CHECKING:
    from ...virtual.host import Host

_std: Any = threading
_futures: Any = concurrent.futures.thread


class _State:
    """What `threading` keeps of one process."""

    def __init__(self, leader: Process) -> None:
        self._active: dict[int, Any] = {}
        self._limbo: dict[Any, Any] = {}
        self._shutdown_locks: set[Any] = set()
        self.next_number = count(1).__next__
        self.pools = count().__next__
        self.is_over = False
        leader.threading = self
        leader.at_exit.append(partial(_end_pools, leader))
        self.main: Any = _std._MainThread()
        self.main._ident = self.main._native_id = leader.ident
        self._active.clear()
        self._active[leader.ident] = self.main


def _state() -> _State | None:
    thread = running()
    if thread is None:
        return None
    leader = thread.leader
    if leader.threading is None:
        _State(leader)
    state: _State = leader.threading
    return state


class _Kept:
    """A container of `threading` that is another one in each process."""

    def __init__(self, name: str, outside: Any) -> None:
        self._name, self.outside = name, outside

    def _here(self) -> Any:
        state = _state()
        return self.outside if state is None else getattr(state, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._here()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._here()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._here()[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._here()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())


class _IsOver:
    """Whether no pool takes work any more: what `concurrent.futures` is told when its interpreter ends."""

    def __init__(self, outside: Any) -> None:
        self.outside = outside

    def __bool__(self) -> bool:
        state = _state()
        return bool(self.outside) if state is None else state.is_over


def _numbered(outside: Callable[[], int], name: str) -> Callable[[], int]:
    def number() -> int:
        state = _state()
        return outside() if state is None else int(getattr(state, name)())

    return number


def _end_pools(leader: Process) -> None:
    """The main thread has ended: pools do what they have been given, and their threads end."""
    leader.threading.is_over = True
    for thread, work in list(_futures._threads_queues.items()):
        if thread in leader.threading._active.values():
            work.put(None)


def _excepthook_for(outside: Callable[[], Any]) -> Callable[[], Any]:
    def make_invoke_excepthook() -> Any:
        invoke = outside()

        def invoke_excepthook(thread: Any) -> None:
            here, hook = running(), threading.excepthook
            if not isinstance(here, Thread) or is_of_program(str(getattr(hook, "__module__", ""))):
                invoke(thread)
            elif not isinstance(exception := sys.exception(), (SystemExit, type(None))):
                here.fail(exception)

        return invoke_excepthook

    return make_invoke_excepthook


# --- functions of _thread ----------------------------------------------------------------------------


def _start(host: Host, original: Any, function: Any, args: Any = (), kwargs: Any = None, /) -> int:
    return _started(function, args, kwargs or {}).ident


def _started(function: Any, args: Any, kwargs: Any) -> Thread:
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    starter = running()
    assert starter is not None
    _state()  # whose main thread is the first
    thread: Any = getattr(function, "__self__", None)
    is_python = isinstance(thread, threading.Thread)
    name = thread.name if is_python else getattr(function, "__name__", "thread")
    is_awaited = is_python and not thread.daemon
    return Thread(starter.leader, name, partial(function, *args, **kwargs), is_awaited)


class Handle:
    """What Python 3.13 joins a thread by."""

    def __init__(self, ident: int | None = None) -> None:
        self.ident = ident
        self._thread: Thread | None = None
        self._is_done = False
        self._end = _thread.allocate_lock()
        if ident is None:
            self._end.acquire()

    def begin(self, thread: Thread) -> None:
        self.ident, self._thread, thread.sentinel = thread.ident, thread, self._end

    def is_done(self) -> bool:
        return self._is_done or (self._thread is not None and not self._thread.is_alive)

    def _set_done(self) -> None:
        if self.ident is None:
            raise RuntimeError("thread not started")
        self._is_done = True

    def join(self, timeout: float | None = None) -> None:
        if self.ident is None:
            raise RuntimeError("thread not started")
        if self.is_done():
            return
        if self._thread is running():
            raise RuntimeError("Cannot join current thread")
        if self._end.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
            self._end.release()


def _start_joinable(host: Host, original: Any, function: Any, handle: Any = None, daemon: bool = True) -> Any:
    if handle is not None and handle.ident is not None:
        raise RuntimeError("thread already started")
    thread = _started(function, (), {})
    handle = Handle() if handle is None else handle
    handle.begin(thread)
    return handle


def _set_sentinel(host: Host, original: Any) -> Any:
    thread = running()
    lock = _thread.allocate_lock()
    if isinstance(thread, Thread):
        thread.sentinel = lock
    return lock


def _count(host: Host, original: Any) -> int:
    """How many there are besides the main thread."""
    thread = running()
    assert thread is not None
    return len(thread.leader.threads)


def _ident(host: Host, original: Any) -> int:
    thread = running()
    assert thread is not None
    return thread.ident


def _main_ident(host: Host, original: Any) -> int:
    thread = running()
    assert thread is not None
    return thread.leader.ident


def _main_thread(host: Host, original: Any) -> Any:
    state = _state()
    assert state is not None
    return state.main


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function of `_thread` and `threading`, what a process calls in its place."""
    insides: dict[str, Callable[..., Any]] = {
        **dict.fromkeys(("start_new_thread", "start_new"), _start),
        **dict.fromkeys(("allocate_lock", "allocate"), lambda host, original: original()),
        **dict.fromkeys(("get_ident", "get_native_id"), _ident),
        "_count": _count,
        "_set_sentinel": _set_sentinel,
        "start_joinable_thread": _start_joinable,
        "_ThreadHandle": lambda host, original: Handle(),
        "_make_thread_handle": lambda host, original, ident: Handle(ident),
        "_get_main_thread_ident": _main_ident,
    }
    found = {getattr(_thread, name): inside for name, inside in insides.items() if hasattr(_thread, name)}
    found[threading.main_thread] = _main_thread
    return found


# --- methods of threading and queue ------------------------------------------------------------------

_SWITCHES_BEFORE: tuple[tuple[type, str, str], ...] = (
    (threading.Semaphore, "acquire", "acquire"),
    (threading.Semaphore, "__enter__", "acquire"),
    (queue.Queue, "get", "get"),
    (queue.Queue, "put", "put"),
)
_SWITCHES_AFTER: tuple[tuple[type, str, str], ...] = (
    (threading.Thread, "start", "start"),
    (threading.Event, "set", "set"),
    (threading.Condition, "notify", "notify"),
    (threading.Condition, "notify_all", "notify"),
    (threading.Semaphore, "release", "release"),
    (threading.BoundedSemaphore, "release", "release"),
)
"""What threads share their data by, besides locks, and what such a call is called."""

_ASKED_AGAIN: tuple[tuple[type, str, bool], ...] = (
    (threading.Event, "is_set", False),
    (threading.Thread, "is_alive", True),
)
"""What is asked until the answer is another one."""


def _giving_way(method: Callable[..., Any], call: str, is_before: bool) -> Callable[..., Any]:
    @beneath_programs
    @wraps(method)
    def give_way_and_call(*args: Any, **kwargs: Any) -> Any:
        thread = running()
        if thread is None:
            return method(*args, **kwargs)
        if is_before:
            give_way_at(thread, call)
            return _patiently(thread, call, method, args, kwargs)
        result = method(*args, **kwargs)
        give_way_at(thread, call)
        return result

    return give_way_and_call


@beneath_programs
def _patiently(thread: Process, call: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Make a call; whoever looks into a queue again and again, and does not wait, lets the others go on."""
    network = thread.host.network
    began_ns = network.now_ns
    try:
        return method(*args, **kwargs)
    except (queue.Empty, queue.Full):
        if network.now_ns == began_ns:
            thread.ask_again(call)
        raise


def _asking(method: Callable[[Any], bool], call: str, in_vain: bool) -> Callable[[Any], bool]:
    @beneath_programs
    @wraps(method)
    def ask(self: Any) -> bool:
        answer = method(self)
        if answer is in_vain and (thread := running()) is not None:
            thread.ask_again(call)
        return answer

    return ask


_OF_A_LOCK = ("acquire", "release", "_release_save", "_acquire_restore", "_is_owned")


def _binding_anew(method: Callable[..., Any]) -> Callable[..., Any]:
    """A condition keeps methods of its lock; one that was made before has kept those that know no threads of
    processes."""

    @beneath_programs
    @wraps(method)
    def bind_and_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if running() is not None and isinstance(self.acquire, BuiltinMethodType):
            for name in _OF_A_LOCK:
                if name in vars(self):
                    setattr(self, name, getattr(self._lock, name))
        return method(self, *args, **kwargs)

    return bind_and_call


def change_methods() -> Callable[[], None]:
    """Let threads give way at these calls; returns what undoes it."""
    before: list[tuple[type, str, Any]] = []
    for name in ("wait", "notify"):
        method = vars(threading.Condition)[name]
        before.append((threading.Condition, name, method))
        setattr(threading.Condition, name, _binding_anew(method))
    for cls, name, in_vain in _ASKED_AGAIN:
        method = vars(cls)[name]
        before.append((cls, name, method))
        setattr(cls, name, _asking(method, name, in_vain))
    for places, is_before in ((_SWITCHES_BEFORE, True), (_SWITCHES_AFTER, False)):
        for cls, name, call in places:
            method = vars(cls)[name]
            before.append((cls, name, method))
            setattr(cls, name, _giving_way(method, call, is_before))

    def undo() -> None:
        for cls, name, method in reversed(before):
            setattr(cls, name, method)

    return undo


# --- globals of threading ----------------------------------------------------------------------------


def change() -> Callable[[], None]:
    """Let `threading` keep for each process what it keeps; returns what undoes it."""
    names = [name for name in ("_active", "_limbo", "_shutdown_locks") if hasattr(threading, name)]
    before = {name: getattr(threading, name) for name in (*names, "_counter", "_make_invoke_excepthook")}
    for name in names:
        setattr(threading, name, _Kept(name, before[name]))
    _std._counter = _numbered(before["_counter"], "next_number")
    _std._make_invoke_excepthook = _excepthook_for(before["_make_invoke_excepthook"])

    def undo() -> None:
        for name, value in before.items():
            setattr(threading, name, value)

    return undo


def change_pools() -> Callable[[], None]:
    """The same for `concurrent.futures`."""
    executor: Any = _futures.ThreadPoolExecutor
    is_over, counter = _futures._shutdown, executor._counter
    _futures._shutdown = _IsOver(is_over)
    executor._counter = staticmethod(_numbered(counter, "pools"))

    def undo() -> None:
        if isinstance(_futures._shutdown, _IsOver):
            _futures._shutdown = is_over
        executor._counter = counter

    return undo


# When the interpreter ends it joins the threads of pools, before `atexit`.  Those of processes are ended by
# nobody else, so they are killed first: what was registered last is called first.
_std._register_atexit(kill_all)
