"""The time module of a virtual host: its clocks, and sleep() that lets time pass on the network.

The wall clock shows virtual time; the local time of every host is UTC, whatever this computer's is.  A
program on a virtual host needs no processor time, and there is no clock for it.

Owns clocks and what takes its default from them.  Formats are the standard library's.
"""

from __future__ import annotations

import calendar
import errno
import os
import time as std
from collections.abc import Callable
from time import asctime as _asctime
from time import gmtime as _gmtime
from time import strftime as _strftime
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...units import SECOND_NS
from ..socket.arguments import duration_ns
from .binding import module_like, names_of

if TYPE_CHECKING:
    from ..host import Host

_ASK_NO_MACHINE = ("struct_time", "strptime")
_CARRIED = names_of(std, [*_ASK_NO_MACHINE, *(name for name in dir(std) if name.startswith("CLOCK_"))])
_UTC = ("", "UTC", "UTC0", "Etc/UTC", "GMT", "GMT0")


def module_for(host: Host) -> ModuleType:
    """The time module of `host`."""
    clock = host.clock
    return module_like(
        std,
        _CARRIED,
        {
            **_clocks(clock.time_ns, clock.monotonic_ns),
            **_calendar(clock.time_ns),
            "sleep": _sleep(host),
            **{"timezone": 0, "altzone": 0, "daylight": 0, "tzname": ("UTC", "UTC")},
        },
    )


def _clocks(time_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> dict[str, Any]:
    """The clocks by their names, and by the numbers of clock_gettime(2)."""

    def time() -> float:
        return time_ns() / SECOND_NS

    def monotonic() -> float:
        return monotonic_ns() / SECOND_NS

    def perf_counter() -> float:
        return monotonic_ns() / SECOND_NS

    by_number = {
        **dict.fromkeys(_numbers("REALTIME", "REALTIME_COARSE"), time_ns),
        **dict.fromkeys(_numbers("MONOTONIC", "MONOTONIC_RAW", "MONOTONIC_COARSE", "BOOTTIME"), monotonic_ns),
        **dict.fromkeys(_numbers("TAI"), time_ns),  # no leap second has ever been told to this kernel
    }
    without_meaning = _numbers("PROCESS_CPUTIME_ID", "THREAD_CPUTIME_ID")

    def clock_gettime_ns(clk_id: int, /) -> int:
        if clk_id in without_meaning:
            raise NotImplementedError("clocks of processor time are not simulated")
        if clk_id not in by_number:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return by_number[clk_id]()

    def clock_gettime(clk_id: int, /) -> float:
        return clock_gettime_ns(clk_id) / SECOND_NS

    def get_clock_info(name: str, /) -> SimpleNamespace:
        if name in ("process_time", "thread_time"):
            raise NotImplementedError("clocks of processor time are not simulated")
        if name not in ("time", "monotonic", "perf_counter"):
            raise ValueError("unknown clock")
        is_wall = name == "time"
        return SimpleNamespace(
            implementation=f"clock_gettime(CLOCK_{'REALTIME' if is_wall else 'MONOTONIC'})",
            monotonic=not is_wall,
            adjustable=is_wall,
            resolution=1e-9,
        )

    functions = (time, monotonic, perf_counter, clock_gettime, clock_gettime_ns, get_clock_info)
    return {
        **{function.__name__: function for function in functions},
        **{"time_ns": time_ns, "monotonic_ns": monotonic_ns, "perf_counter_ns": monotonic_ns},
    }


def _numbers(*names: str) -> list[int]:
    """The clocks of these names that this system has."""
    return [number for name in names if (number := getattr(std, f"CLOCK_{name}", None)) is not None]


def _calendar(time_ns: Callable[[], int]) -> dict[str, Any]:
    """What takes the present moment where it is given none."""

    def gmtime(seconds: float | None = None, /) -> std.struct_time:
        return _gmtime(time_ns() // SECOND_NS if seconds is None else seconds)

    def localtime(seconds: float | None = None, /) -> std.struct_time:
        return std.struct_time((*gmtime(seconds), "UTC", 0))

    def ctime(seconds: float | None = None, /) -> str:
        return _asctime(gmtime(seconds))

    def asctime(tuple: Any = None, /) -> str:
        return _asctime(gmtime() if tuple is None else tuple)

    def strftime(format: str, tuple: Any = None, /) -> str:
        return _strftime(format, localtime() if tuple is None else tuple)

    def mktime(tuple: Any, /) -> float:
        return float(calendar.timegm(tuple))

    def tzset() -> None:
        zone = os.environ.get("TZ", "UTC")
        if zone not in _UTC:
            raise NotImplementedError(f"tzset() to {zone!r} is not simulated: local time is UTC")

    functions = (gmtime, localtime, ctime, asctime, strftime, mktime, tzset)
    return {function.__name__: function for function in functions}


def _sleep(host: Host) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        wait_ns = duration_ns(seconds)
        if wait_ns < 0:
            raise ValueError("sleep length must be non-negative")
        if wait_ns:
            host.wait("sleep", lambda: False, host.network.now_ns + wait_ns)
        elif host.network.process is not None:
            host.network.process.give_way()
            host.network.patience.looked_in_vain("sleep")

    return sleep
