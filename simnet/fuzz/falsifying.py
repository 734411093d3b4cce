"""The falsifying example that Hypothesis printed, as values again.

Hypothesis keeps its smallest failing example to itself; what it tells is a note on the exception, in
Python's own syntax, under "Falsifying example" or, of late, "Failing test case".  Read back, it lets the
same run be made once more without Hypothesis: to shrink its script further, to measure that every
deviation is needed, to keep it as a scenario.

Owns that reading.  Arguments that are no literals cannot be read, and then there is no example.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import attrs

from ..fence import Fence
from ..rules import Rule
from ..script import Deviation, Happening, Script
from ..workload import Draw

_HEAD = re.compile(r"(?:Falsifying|Failing)(?: explicit)? (?:example|test case): (?=\w+\()")
_BUILDERS = {each.__name__: each for each in (Script, Deviation, Happening, Rule, Draw, Fence)}


@attrs.frozen
class Example:
    """The arguments of a test function, but for its network: that one by name, script and options."""

    arguments: dict[str, Any]
    network: str
    script: Script
    options: dict[str, Any]


def falsifying_example(error: BaseException) -> Example | None:
    """The example of a test that Hypothesis made fail, or None where it cannot be read."""
    for note in getattr(error, "__notes__", ()):
        if head := _HEAD.match(note):
            return _read(note[head.end() :])
    return None


def _read(text: str) -> Example | None:
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith(")")), 0)
    source = "\n".join(line for line in lines[: end + 1] if not line.lstrip().startswith("self="))
    # A test of one line has its closing parenthesis there; anything behind it is Hypothesis's comment.
    try:
        call = ast.parse(source.removesuffix(","), mode="eval").body
        assert isinstance(call, ast.Call)
        values = {keyword.arg: keyword.value for keyword in call.keywords}
        networks = [name for name, node in values.items() if _is_call_of(node, "Network")]
        if len(networks) != 1 or None in values:
            return None
        (network,) = networks
        given = values.pop(network)
        assert isinstance(given, ast.Call)
        options = {keyword.arg: _value(keyword.value) for keyword in given.keywords}
        return Example(
            arguments={str(name): _value(node) for name, node in values.items()},
            network=str(network),
            script=options.pop("script", Script()),
            options={str(name): value for name, value in options.items()},
        )
    except (SyntaxError, ValueError, AssertionError):
        return None


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _value(node: ast.expr) -> Any:
    """A literal, or a value that one is built of."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BUILDERS:
        positional = [_value(argument) for argument in node.args]
        named = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
        return _BUILDERS[node.func.id](*positional, **named)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    return ast.literal_eval(node)
