"""A virtual kernel that breaks one rule: a function of it with one piece of its text replaced.

Owns how a rule is broken.  Which are, is the table of `test_sensitivity`.
"""

from __future__ import annotations

import inspect
import textwrap
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

import attrs


@attrs.frozen
class Infidelity:
    """One rule that is broken."""

    name: str
    function: str
    """The function in which the rule is written down: its module in the kernel, its class, its name."""

    old: str
    new: str
    """A piece of its text that is there once, and what takes its place."""

    profile: str
    """The programs that notice."""

    def resolved(self) -> Any:
        """The function itself; of a property, its getter."""
        module, *names = self.function.split(".")
        found: Any = import_module(f"simnet.virtual.kernel.{module}")
        for name in names:
            found = getattr(found, name)
        return getattr(found, "fget", found)


def changed(function: FunctionType, old: str, new: str) -> CodeType:
    """The code of `function` with a piece of its text replaced.

    The text is compiled inside another function that has the variables of the first one's closure, such
    as the `__class__` that super() asks for.
    """
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{function.__qualname__} has {old!r} {source.count(old)} times"
    around = f"def around({', '.join(function.__code__.co_freevars)}):\n"
    scope: dict[str, Any] = {}
    exec(
        around + textwrap.indent(source.replace(old, new), "    ") + f"    return {function.__name__}", scope
    )
    inner = scope["around"](*function.__code__.co_freevars)
    code = getattr(inner, "fget", getattr(inner, "__func__", inner)).__code__
    assert code.co_freevars == function.__code__.co_freevars
    return code
