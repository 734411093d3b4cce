"""Methods of types that are made in C, replaced where the type keeps them.

Such a type lets nobody set its attributes.  Its methods are replaced in the dictionary behind the view that
it gives, so whoever has taken the type, or an object of it, from anywhere is served as well.

Owns that.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Mapping
from typing import Any

_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes, _modified.restype = (ctypes.py_object,), None


def replace(cls: type, methods: Mapping[str, Any]) -> Callable[[], None]:
    """Put other methods in the place of those that `cls` has; returns what puts them back."""
    (namespace,) = gc.get_referents(vars(cls))
    assert isinstance(namespace, dict)
    before = {name: namespace[name] for name in methods if name in namespace}

    def write(values: Mapping[str, Any]) -> None:
        namespace.update(values)
        _modified(cls)

    write({name: methods[name] for name in before})
    return lambda: write(before)
