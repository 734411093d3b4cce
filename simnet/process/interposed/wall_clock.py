"""``datetime.now()`` and its like in a process: the wall clock of the host, in UTC.

The type is made in C and reads the clock there; its methods are replaced in the dictionary of the type
itself, so whoever has taken the type from its module is served as well.

Not replaced is what converts a given time by the time zone of this computer: ``fromtimestamp`` and
``astimezone``.

Owns these methods.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
from collections.abc import Callable
from typing import Any

from ..process import running

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes, _modified.restype = (ctypes.py_object,), None


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
    before = []
    for cls, name, replacement in _REPLACED:
        namespace = _namespace(cls)
        real = namespace[name]
        before.append((cls, name, real))
        bound = real.__get__
        namespace[name] = classmethod(replacement(lambda cls, *args, bound=bound: bound(None, cls)(*args)))
        _modified(cls)

    def undo() -> None:
        for cls, name, real in before:
            _namespace(cls)[name] = real
            _modified(cls)

    return undo


def _namespace(cls: type) -> dict[str, Any]:
    """The dictionary behind the read-only view that a type gives of its own."""
    (namespace,) = gc.get_referents(vars(cls))
    assert isinstance(namespace, dict)
    return namespace
