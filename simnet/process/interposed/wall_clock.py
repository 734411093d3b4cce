"""``datetime`` in a process: the wall clock of the host, and its time zone, which is UTC.

The types are made in C and ask the clock and the zone there; their methods are replaced (`methods`).  So is
what `time` tells of the zone; it keeps that in attributes, which become properties of the module.

`logging` tells in records how long ago it was imported (``relativeCreated``); of a process that is how long
ago its network began.

Not replaced is ``strftime("%s")``, which asks C for seconds since 1970 in the zone of this computer.

Owns these methods and attributes.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...units import SECOND_NS
from ..process import running
from .methods import replace

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_ZONE = datetime.timezone(datetime.timedelta(0), "UTC")


def _now_of_host(host: Any) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=host.clock.time_ns() // 1000)


def _of_class(cls: Any, moment: datetime.datetime, tz: Any = None) -> Any:
    parts = (*moment.timetuple()[:6], moment.microsecond)
    return cls(*parts) if tz is None else tz.fromutc(cls(*parts, tzinfo=tz))


def _now(real: Any) -> Any:
    def now(cls: Any, tz: Any = None) -> Any:
        process = running()
        return real(cls, tz) if process is None else _of_class(cls, _now_of_host(process.host), tz)

    return now


def _without_zone(real: Any) -> Any:
    def utcnow(cls: Any) -> Any:
        process = running()
        return real(cls) if process is None else _of_class(cls, _now_of_host(process.host))

    return utcnow


def _today(real: Any) -> Any:
    def today(cls: Any) -> Any:
        process = running()
        if process is None:
            return real(cls)
        moment = _now_of_host(process.host)
        return _of_class(cls, moment) if issubclass(cls, datetime.datetime) else cls(*moment.timetuple()[:3])

    return today


def _fromtimestamp(real: Any) -> Any:
    def fromtimestamp(cls: Any, timestamp: Any, tz: Any = None) -> Any:
        is_moment = issubclass(cls, datetime.datetime)
        if tz is not None or running() is None:
            return real(cls, timestamp, tz) if is_moment else real(cls, timestamp)
        if is_moment:
            return real(cls, timestamp, datetime.UTC).replace(tzinfo=None)
        return cls(*datetime.datetime.fromtimestamp(timestamp, datetime.UTC).timetuple()[:3])

    return fromtimestamp


def _timestamp(real: Any) -> Any:
    def timestamp(self: Any) -> Any:
        if self.tzinfo is None and running() is not None:
            self = self.replace(tzinfo=datetime.UTC)
        return real(self)

    return timestamp


def _astimezone(real: Any) -> Any:
    def astimezone(self: Any, tz: Any = None) -> Any:
        if running() is not None:
            if self.tzinfo is None:
                self = self.replace(tzinfo=_ZONE)
            tz = _ZONE if tz is None else tz
        return real(self, tz)

    return astimezone


_OF_CLASSES: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (datetime.datetime, "now", _now),
    (datetime.datetime, "utcnow", _without_zone),
    (datetime.datetime, "fromtimestamp", _fromtimestamp),
    (datetime.date, "today", _today),
    (datetime.date, "fromtimestamp", _fromtimestamp),
)
_OF_OBJECTS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("timestamp", _timestamp),
    ("astimezone", _astimezone),
)


def change() -> Callable[[], None]:
    """Let the types tell a process the host's time; returns what undoes it."""
    undo = []
    for cls, name, replacement in _OF_CLASSES:
        bound = vars(cls)[name].__get__
        method = replacement(lambda cls, *args, bound=bound: bound(None, cls)(*args))
        undo.append(replace(cls, {name: classmethod(method)}))
    moments = datetime.datetime
    undo.append(replace(moments, {name: make(vars(moments)[name]) for name, make in _OF_OBJECTS}))

    def undo_all() -> None:
        for each in undo:
            each()

    return undo_all


# --- what time tells of the zone ---------------------------------------------------------------------

_OF_THE_ZONE: dict[str, Any] = {"timezone": 0, "altzone": 0, "daylight": 0, "tzname": ("UTC", "UTC")}


def _told(name: str) -> property:
    def read(module: Any) -> Any:
        return vars(module)[name] if running() is None else _OF_THE_ZONE[name]

    def write(module: Any, value: Any) -> None:
        vars(module)[name] = value

    return property(read, write)


class _Time(ModuleType):
    """The type of the module `time` for the meantime."""


for _name in _OF_THE_ZONE:
    setattr(_Time, _name, _told(_name))


def change_time() -> Callable[[], None]:
    """Let `time` tell a process the host's zone; returns what undoes it."""
    time.__class__ = _Time

    def undo() -> None:
        time.__class__ = ModuleType

    return undo


# --- what logging counts from ------------------------------------------------------------------------

_logging: Any = logging


def _start(outside: Any) -> Any:
    """When `logging` was imported; for a record of a process that is when its network began."""
    kind: Any = type(outside)  # seconds, or from Python 3.13 on nanoseconds

    class Start(kind):  # type: ignore[misc]
        def __rsub__(self, now: Any) -> Any:
            process = running()
            if process is None:
                return now - outside
            passed_ns = process.host.network.now_ns
            return passed_ns if kind is int else passed_ns / SECOND_NS

    return Start(outside)


def change_logging() -> Callable[[], None]:
    """Let records of a process tell how long its network has been there; returns what undoes it."""
    outside = _logging._startTime
    _logging._startTime = _start(outside)

    def undo() -> None:
        _logging._startTime = outside

    return undo
