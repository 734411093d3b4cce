"""The calls of a program, a module per family; importing this package registers them all."""

from . import (
    bulk,
    connecting,
    ending,
    files,
    making,
    naming,
    options,
    passing,
    readiness,
    receiving,
    sending,
    waiting,
)

FAMILIES = (
    making,
    naming,
    connecting,
    sending,
    receiving,
    ending,
    files,
    options,
    readiness,
    bulk,
    passing,
    waiting,
)
