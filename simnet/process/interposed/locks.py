"""Locks in a process: the types stay, and whoever has to wait for one stands still.

`threading.Lock`, `RLock`, and whatever is built of them (`Condition`, `Event`, `Semaphore`, `Barrier`,
`queue.Queue`, the locks of `logging` and of imports) come to two types made in C.  Their methods are
replaced (`methods`), so that a lock is one wherever it was made: in a process, or before there was any.

All threads of processes are one to the lock itself: what is asked of it is only whether it is free.  Which
of them has it is kept here.  A process that has ended has no locks any more, not those of modules either,
which it shares with other hosts only because they share an interpreter.

Owns who has which lock, and who waits for it.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import TIMEOUT_MAX
from typing import Any
from weakref import WeakKeyDictionary

from ..process import Process, at_end, running
from ..thread import give_way_at
from .methods import replace

LOCK: type = type(_thread.allocate_lock())
RLOCK: type = _thread.RLock

_take, _free, _is_locked = LOCK.acquire, LOCK.release, LOCK.locked  # type: ignore[attr-defined]
_take_again, _free_once = RLOCK.acquire, RLOCK.release  # type: ignore[attr-defined]
_is_owned, _free_all, _take_all = RLOCK._is_owned, RLOCK._release_save, RLOCK._acquire_restore  # type: ignore[attr-defined]

_holders: WeakKeyDictionary[Any, Process] = WeakKeyDictionary()
_counts: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""Of reentrant locks, how often their holder has them."""

_waiting: dict[Any, list[Process]] = {}


def _is_wrong(blocking: Any, timeout: Any) -> bool:
    """Whether these arguments are refused."""
    return bool(timeout != -1 and (not blocking or timeout < 0 or timeout > TIMEOUT_MAX))


def _wait(thread: Process, lock: Any, is_taken: Callable[[], bool], timeout: float = -1) -> bool:
    """Stand still until the lock is taken, or the time is over; whether it is taken."""
    waiting = _waiting.setdefault(lock, [])
    waiting.append(thread)
    thread.holder = partial(_holders.get, lock)
    try:
        deadline_ns = None if timeout == -1 else thread.host.deadline_ns(timeout)
        return thread.wait("lock", is_taken, deadline_ns)
    finally:
        thread.holder = None
        waiting.remove(thread)
        if not waiting:
            _waiting.pop(lock, None)


def _wake(lock: Any) -> None:
    for thread in _waiting.get(lock, ()):
        thread.wake()


def _free_those_of(process: Process) -> None:
    """A process has ended."""
    if process.leader is not process or not _holders:
        return
    for lock, holder in list(_holders.items()):
        if holder.leader is process:
            with suppress(RuntimeError):  # it is free: C code has seen to that (see `ending`)
                for _ in range(_counts.pop(lock, 1)):
                    (_free_once if isinstance(lock, RLOCK) else _free)(lock)
            _holders.pop(lock, None)
            _wake(lock)


at_end.append(_free_those_of)


# --- Lock --------------------------------------------------------------------------------------------


def _acquire(self: Any, blocking: Any = True, timeout: Any = -1) -> bool:
    thread = running()
    if thread is None or _is_wrong(blocking, timeout):
        return bool(_take(self, blocking, timeout))
    give_way_at(thread, "lock")
    if not _take(self, False):
        if not blocking:
            thread.host.network.patience.looked_in_vain("lock")
            return False
        if not _wait(thread, self, partial(_take, self, False), timeout):
            return False
    _holders[self] = thread
    return True


def _release(self: Any) -> None:
    _free(self)
    thread = running()
    if _holders:
        _holders.pop(self, None)
    if _waiting:
        _wake(self)
    if thread is not None:
        give_way_at(thread, "release")


def _exit(self: Any, *_: object) -> None:
    _release(self)


# --- RLock -------------------------------------------------------------------------------------------


def _acquire_again(self: Any, blocking: Any = True, timeout: Any = -1) -> bool:
    thread = running()
    if thread is None or _is_wrong(blocking, timeout):
        return bool(_take_again(self, blocking, timeout))
    if _holders.get(self) is thread:
        _take_again(self)
        _counts[self] += 1
        return True
    give_way_at(thread, "lock")
    if not _takes_first(self):
        if not blocking:
            thread.host.network.patience.looked_in_vain("lock")
            return False
        if not _wait(thread, self, partial(_takes_first, self), timeout):
            return False
    _holders[self], _counts[self] = thread, 1
    return True


def _takes_first(lock: Any) -> bool:
    """Take a reentrant lock that no thread of a process has."""
    return lock not in _holders and bool(_take_again(lock, False))


def _release_once(self: Any) -> None:
    thread = running()
    if thread is None:
        _free_once(self)
        return
    if _holders.get(self) is not thread:
        raise RuntimeError("cannot release un-acquired lock")
    _free_once(self)
    _counts[self] -= 1
    if not _counts[self]:
        del _holders[self], _counts[self]
        _wake(self)
        give_way_at(thread, "release")


def _exit_once(self: Any, *_: object) -> None:
    _release_once(self)


def _is_mine(self: Any) -> bool:
    thread = running()
    return bool(_is_owned(self)) if thread is None else _holders.get(self) is thread


def _recursion_count(self: Any) -> int:
    return _counts.get(self, 0) if _is_mine(self) else 0


def _release_save(self: Any) -> Any:
    thread = running()
    if thread is None:
        return _free_all(self)
    if _holders.get(self) is not thread:
        raise RuntimeError("cannot release un-acquired lock")
    count = _counts.pop(self)
    del _holders[self]
    state = _free_all(self)
    _wake(self)
    return state, count


def _acquire_restore(self: Any, state: Any) -> None:
    thread = running()
    if thread is None:
        _take_all(self, state)
        return
    state, count = state
    if not _takes_first(self):
        _wait(thread, self, partial(_takes_first, self))
    _free_once(self)
    _take_all(self, state)
    _holders[self], _counts[self] = thread, count


_OF_LOCKS = {
    **{"acquire": _acquire, "acquire_lock": _acquire, "__enter__": _acquire},
    **{"release": _release, "release_lock": _release, "__exit__": _exit},
}
_OF_RLOCKS = {
    **{"acquire": _acquire_again, "__enter__": _acquire_again, "release": _release_once},
    **{"__exit__": _exit_once, "_is_owned": _is_mine, "_recursion_count": _recursion_count},
    **{"_release_save": _release_save, "_acquire_restore": _acquire_restore},
}


def change() -> Callable[[], None]:
    """Let threads of processes wait for locks by standing still; returns what undoes it."""
    undo = [replace(LOCK, _OF_LOCKS), replace(RLOCK, _OF_RLOCKS)]

    def undo_both() -> None:
        for each in undo:
            each()

    return undo_both
