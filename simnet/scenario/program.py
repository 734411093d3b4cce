"""Find the program that a scenario names.

``module:callable`` is imported; ``path/to/file.py::callable`` is loaded from the file, relative to the
current directory, with the file's own directory on the path, as ``python path/to/file.py`` does it.

Owns names of programs.  Running them is `run`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import UsageError


def find_program(target: str) -> Callable[..., object]:
    """The callable of that name.

    Raises UsageError that says in one line what is missing: the file, the module, something that it
    imports, the name in it, or that it can be called.
    """
    file, marks, name = target.rpartition("::")
    if marks:
        module = _load(target, Path(file))
    else:
        place, _, name = target.partition(":")
        if not place or not name:
            raise UsageError(f"a program is 'module:callable' or 'file.py::callable', not {target!r}")
        module = _guarded(target, lambda: importlib.import_module(place))
    try:
        found = reduce(getattr, name.split("."), module)
    except AttributeError:
        raise UsageError(f"{target}: there is no {name!r} in {file or module.__name__}") from None
    if not callable(found):
        raise UsageError(f"{target}: {name!r} is a {type(found).__name__}, which cannot be called")
    return found


def check_arguments(target: str, program: Callable[..., object], arguments: Mapping[str, Any]) -> None:
    """Raise UsageError if the program cannot be called with a network and these arguments."""
    try:
        signature = inspect.signature(program)
    except (TypeError, ValueError):  # of a callable that does not tell
        return
    try:
        signature.bind(None, **arguments)
    except TypeError as error:
        call = f"{target}({', '.join(signature.parameters)})"
        raise UsageError(f"{call} cannot be called with a network and {_list(arguments)}: {error}") from None


def _list(arguments: Mapping[str, Any]) -> str:
    return f"the arguments {', '.join(arguments)}" if arguments else "no arguments"


def _load(target: str, path: Path) -> ModuleType:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise UsageError(f"{target}: the file {path} {what}")
    resolved = path.resolve()
    name = re.sub(r"\W", "_", str(resolved.with_suffix("")))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, resolved)
        if spec is None or spec.loader is None:
            raise UsageError(f"{target}: {path} is no Python file")
        if str(resolved.parent) not in sys.path:
            sys.path.append(str(resolved.parent))
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            _guarded(target, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
        except UsageError:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _guarded(target: str, load: Callable[[], Any]) -> Any:
    """Whatever goes wrong in an import is one line that says where."""
    try:
        return load()
    except ModuleNotFoundError as error:
        raise UsageError(f"{target}: cannot be imported: {error}") from error
    except Exception as error:
        raise UsageError(f"{target}: importing it failed: {type(error).__name__}: {_place(error)}") from error


def _place(error: BaseException) -> str:
    """The first line of the message, and the line of the program that it is about."""
    message = next(iter(str(error).splitlines()), "")
    if isinstance(error, SyntaxError):
        return message
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return message
    return f"{message} ({Path(step.tb_frame.f_code.co_filename).name}, line {step.tb_lineno})"
