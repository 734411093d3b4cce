"""``datetime.now()`` and its like in a process: the wall clock of the host, in UTC.

The type is made in C and reads the clock there; its methods are replaced (`methods`).

Not replaced is what converts a given time by the time zone of this computer: ``fromtimestamp`` and
``astimezone``.

Owns these methods.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from ..process import running
from .methods import replace

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


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


_REPLACED: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (datetime.datetime, "now", _now),
    (datetime.datetime, "utcnow", _without_zone),
    (datetime.date, "today", _today),
)


def change() -> Callable[[], None]:
    """Let the type tell a process the host's time; returns what undoes it."""
    undo = []
    for cls, name, replacement in _REPLACED:
        bound = vars(cls)[name].__get__
        method = replacement(lambda cls, *args, bound=bound: bound(None, cls)(*args))
        undo.append(replace(cls, {name: classmethod(method)}))

    def undo_all() -> None:
        for each in undo:
            each()

    return undo_all
