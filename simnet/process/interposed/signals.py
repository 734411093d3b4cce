"""`signal` in a process: handlers are its own, and what it sends itself comes to it.

Owns the functions that stand for those of `signal`, and for `os.kill`.  What a signal does is the business of
`process.signals`.
"""

from __future__ import annotations

import _thread
import errno
import math
import operator
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...units import SECOND_NS
from ..ending import Killed
from ..interval_timer import IntervalTimer
from ..process import Process, running
from ..signals import Signals, number_of

if TYPE_CHECKING:
    from ...virtual.host import Host


def _here() -> tuple[Process, Signals]:
    """Who asks, and what is known of signals in its process."""
    thread = running()
    assert thread is not None
    return thread, thread.leader.signals


def _number(signalnum: Any) -> int:
    try:
        return number_of(signalnum)
    except UsageError:
        raise ValueError("signal number out of range") from None


def _signal(host: Host, original: Any, signalnum: Any, handler: Any, /) -> Any:
    thread, signals = _here()
    number = _number(signalnum)
    if thread.leader is not thread:
        raise ValueError("signal only works in main thread of the main interpreter")
    if not callable(handler) and handler not in (signal.SIG_IGN, signal.SIG_DFL):
        raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
    return signals.install(number, handler)


def _getsignal(host: Host, original: Any, signalnum: Any, /) -> Any:
    return _here()[1].handler(_number(signalnum))


def _set_wakeup_fd(host: Host, original: Any, fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    thread, signals = _here()
    if thread.leader is not thread:
        raise ValueError("set_wakeup_fd only works in main thread of the main interpreter")
    if fd >= 0 and host.modules.os.get_blocking(fd):
        raise ValueError(f"the fd {fd} must be in non-blocking mode")
    before, signals.wakeup_fd = signals.wakeup_fd, fd
    return before


def _siginterrupt(host: Host, original: Any, signalnum: Any, flag: Any, /) -> None:
    """Python tries again whatever a signal has interrupted."""
    _number(signalnum)


def _raise_signal(host: Host, original: Any, signalnum: Any, /) -> None:
    _send(_number(signalnum))


def _kill(host: Host, original: Any, pid: int, signalnum: Any, /) -> None:
    """A process knows of no other than itself."""
    if pid not in (0, host.modules.os.getpid()):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    if signalnum:
        _send(_number(signalnum))


def _interrupt_main(host: Host, original: Any, signalnum: Any = signal.SIGINT, /) -> None:
    _send(_number(signalnum))


def _pthread_kill(host: Host, original: Any, thread_id: int, signalnum: Any, /) -> None:
    """To one thread or another: it is the main thread that calls handlers."""
    if signalnum:
        _send(_number(signalnum))


def _send(number: int) -> None:
    """The process sends itself one; its main thread gets it before the call returns."""
    thread, signals = _here()
    thread.leader.send_signal(number)
    if thread.leader is thread:
        signals.tell()
    if thread.was_killed:
        raise Killed


def _pause(host: Host, original: Any, /) -> None:
    """Wait until a handler was called."""
    thread, signals = _here()
    told = signals.told
    thread.wait("pause", lambda: thread.leader is thread and signals.told > told, None)


def _timer() -> IntervalTimer:
    thread, signals = _here()
    if signals.timer is None:
        signals.timer = IntervalTimer(thread.leader)
    return signals.timer


def _alarm(host: Host, original: Any, seconds: int, /) -> int:
    """Whole seconds; so is what was left, rounded up."""
    timer = _timer()
    left_ns, _ = timer.left()
    timer.set(max(operator.index(seconds), 0) * SECOND_NS)
    return -(-left_ns // SECOND_NS)


def _setitimer(
    host: Host, original: Any, which: int, seconds: float, interval: float = 0.0, /
) -> tuple[float, float]:
    before = _getitimer(host, original, which)
    delay_ns, interval_ns = (math.ceil(each * 1_000_000) * 1_000 for each in (seconds, interval))
    if delay_ns < 0 or interval_ns < 0:
        raise signal.ItimerError(errno.EINVAL, os.strerror(errno.EINVAL))
    _timer().set(delay_ns, interval_ns)
    return before


def _getitimer(host: Host, original: Any, which: int, /) -> tuple[float, float]:
    if which != signal.ITIMER_REAL:
        raise NotImplementedError("an interval timer of processor time is not simulated: only ITIMER_REAL is")
    left_ns, interval_ns = _timer().left()
    return left_ns / SECOND_NS, interval_ns / SECOND_NS


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {
        signal.signal: _signal,
        signal.getsignal: _getsignal,
        signal.set_wakeup_fd: _set_wakeup_fd,
        signal.siginterrupt: _siginterrupt,
        signal.raise_signal: _raise_signal,
        signal.pthread_kill: _pthread_kill,
        signal.pause: _pause,
        signal.alarm: _alarm,
        signal.setitimer: _setitimer,
        signal.getitimer: _getitimer,
        os.kill: _kill,
        _thread.interrupt_main: _interrupt_main,
    }
