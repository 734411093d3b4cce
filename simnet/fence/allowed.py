"""Who may go past the fence without a report, and what is not watched: each with its reason.

Owns exceptions.  What is watched is in `ways`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection

from .ways import FAMILIES

_ALL = tuple(FAMILIES)

OWN = __name__.partition(".")[0]
STANDARD = sys.stdlib_module_names - {"asyncore", "asynchat"}  # which may be simnet's
TOOLS = {
    *("_pytest", "execnet", "hypothesis", "pluggy", "pytest", "xdist"),
    *("_pydev_bundle", "_pydevd_bundle", "debugpy", "ipdb", "IPython", "pudb", "pydevd"),
    *("coverage", "pyinstrument", "scalene", "yappi"),
}
"""Packages that run, measure or debug programs, besides those called ``pytest_*``.  What they do is no part
of the program; and a program that they call begins there."""

CALLERS: dict[str, Collection[str]] = {
    # The time in a log record is for people.
    "logging": ("clocks",),
    "loguru": ("clocks",),
    "structlog": ("clocks",),
    # Whoever debugs or measures means this computer.
    "bdb": _ALL,
    "cProfile": _ALL,
    "code": _ALL,
    "pdb": _ALL,
    "profile": _ALL,
    "timeit": _ALL,
    # What a module does when it is first imported happens once in a process, and in no second run.
    "importlib": _ALL,
    # A test runner that is called inside a run.
    "unittest": ("clocks",),
}
"""Modules that may go ways of these families, and whatever they call too; packages with all in them."""

LET_THROUGH: dict[str, str] = {}


def is_tool(top: str) -> bool:
    """Whether a package of that name runs programs and is no part of them."""
    return top in TOOLS or top == OWN or top.startswith("pytest_")


def is_of_program(module: str) -> bool:
    """Whether the code of a module is the program's: no tool's, and not the standard library's."""
    top = module.partition(".")[0]
    return top not in STANDARD and not is_tool(top)
