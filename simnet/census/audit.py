"""What the interpreter tells of this computer, by its audit events.

The hook is installed with the first census and stays, as Python has it; it looks no further where there is
no census, or no process runs.

Source: docs.python.org/3/library/audit_events.html.

Owns which events are of which kind.  Where a process went is the line of its own program.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FrameType
from typing import Any

from ..fence.allowed import is_of_program
from ..process.standing import place_of
from . import counting

_KINDS = {
    "open": "files",
    "os": "files",
    "shutil": "files",
    "tempfile": "files",
    "glob": "files",
    "mmap": "files",
    "sqlite3": "files",
    "socket": "sockets",
    "subprocess": "processes",
    "pty": "processes",
    "ctypes": "C functions",
}
"""Kinds by the first word of an event."""

_PROCESSES = (
    *("os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn"),
    "os.system",
)
_NOT_ASKED = ("os.putenv", "os.unsetenv", "ctypes.PyObj_FromPtr", "ctypes.addressof", "ctypes.cdata")

_installed: list[object] = []


def listen() -> None:
    """Install the hook, once."""
    if not _installed:
        _installed.append(_hear)
        # It is called until the interpreter ends, when this module has lost its names.
        sys.addaudithook(partial(_hear, counting.of_networks, _KINDS, counting.current))


def _hear(networks: Any, kinds: dict[str, str], current: Any, event: str, arguments: tuple[Any, ...]) -> None:
    if not networks:
        return
    kind = kinds.get(event.partition(".")[0])
    if kind is None or event.startswith(_NOT_ASKED):
        return
    census, process = current()
    if census is None:
        return
    frame = sys._getframe(1)
    if _is_import(frame):
        return
    kind = "processes" if event in _PROCESSES else kind
    what = " ".join([event, *(repr(each) for each in arguments[:1] if isinstance(each, (str, bytes)))])
    census.note(False, kind, what, place_of(frame), process.host.name)


def _is_import(frame: FrameType | None) -> bool:
    """Whether a module is being imported, which happens once, and in no second run."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "importlib":
            return True
        if is_of_program(module):
            return False
        frame = frame.f_back
    return False
