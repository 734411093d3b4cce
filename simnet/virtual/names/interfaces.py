"""The network interfaces of a host: every host has the same two.

Owns if_nameindex(3) and its kin.  Interfaces have no addresses here: a host has.
"""

from __future__ import annotations

import errno
import operator
import os
from typing import Any

INTERFACES = {"lo": 1, "eth0": 2}
"""Names and indexes; link-local addresses say after a % which one is meant."""


def name_of(index: int) -> str | None:
    """The interface that has an index."""
    return next((name for name, each in INTERFACES.items() if each == index), None)


def if_nameindex() -> list[tuple[int, str]]:
    """Every interface, as (index, name)."""
    return [(index, name) for name, index in INTERFACES.items()]


def if_nametoindex(oname: Any, /) -> int:
    """The index of an interface; OSError if there is none of that name."""
    name = os.fsdecode(oname)
    if "\0" in name:
        raise ValueError("embedded null byte")
    if name not in INTERFACES:
        raise OSError("no interface with this name")
    return INTERFACES[name]


def if_indextoname(if_index: Any, /) -> str:
    """The name of an interface; OSError(ENXIO) if there is none of that index."""
    index = operator.index(if_index)
    if index < 0:
        raise OverflowError("can't convert negative value to unsigned int")
    if index > 0xFFFFFFFF:
        raise OverflowError("index is too large")
    name = name_of(index)
    if name is None:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    return name
