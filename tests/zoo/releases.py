"""Released packages at two versions, which cannot be installed side by side: each lies in its own folder.

``python -m tests.zoo --fetch`` (``make zoo``) lets pip fill the folders; where they are missing, what needs
them is skipped.  A release is imported once, under its own name; between its uses that name is free again.

Owns folders, imports, and which machine the modules of a release live on.
"""

from __future__ import annotations

import importlib
import os
import select
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parents[2] / ".zoo"

PINNED = (
    ("multipart", "1.1.0"),
    ("multipart", "1.2.0"),
    ("redis", "4.5.2"),
    ("redis", "4.5.3"),
    ("redis", "4.5.4"),
    ("redis", "4.5.5"),
    ("supervisor", "4.2.0"),
    ("supervisor", "4.2.1"),
    ("urllib3", "1.26.15"),
    ("urllib3", "1.26.16"),
    ("waitress", "2.1.1"),
    ("waitress", "2.1.2"),
    ("waitress", "3.0.0"),
    ("waitress", "3.0.1"),
)

_MACHINE = {"os": os, "select": select, "socket": socket, "time": time}


class Release:
    """One version of a package."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version
        self.folder = FOLDER / f"{name}-{version}"
        self._modules: dict[str, ModuleType] = {}
        self._borrowed: list[tuple[ModuleType, str]] = []

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def is_here(self) -> bool:
        return (self.folder / "complete").exists()

    def fetch(self) -> None:
        """Let pip bring it here.  Raises CalledProcessError if it cannot."""
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        where = [
            "--retries",
            "1",
            "--no-compile",
            "--only-binary",
            ":all:",
            "--upgrade",
            "--target",
            str(self.folder),
        ]
        subprocess.run([*pip, *where, f"{self.name}=={self.version}"], check=True)
        (self.folder / "complete").touch()

    @contextmanager
    def on(self, machine: Any = None) -> Iterator[None]:
        """Its name can be imported within the block; with a machine (`host.modules`), its modules live there.

        There is one of each module: what is imported within one block is the same within the next.
        """
        others = self._take_from_imported()
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self.folder))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the compiler, and deprecated imports
                yield self._lend(machine)
        finally:
            sys.path.remove(str(self.folder))
            self._modules = self._take_from_imported()
            sys.modules.update(others)
            self._give_back()

    def load(self, module: str) -> ModuleType:
        """Import a module of it; within `on`."""
        return importlib.import_module(module)

    def _take_from_imported(self) -> dict[str, ModuleType]:
        mine = [name for name in sys.modules if name.partition(".")[0] == self.name]
        return {name: sys.modules.pop(name) for name in mine}

    def _lend(self, machine: Any) -> None:
        for module in self._modules.values() if machine is not None else ():
            for name, standard in _MACHINE.items():
                if getattr(module, name, None) is standard:
                    setattr(module, name, getattr(machine, name))
                    self._borrowed.append((module, name))

    def _give_back(self) -> None:
        for module, name in self._borrowed:
            setattr(module, name, _MACHINE[name])
        self._borrowed.clear()


RELEASES = {pin: Release(*pin) for pin in PINNED}


def release(name: str, version: str, *modules: str) -> Release:
    """A release of `PINNED`, with these of its modules imported: `Release.on` lends them a machine."""
    found = RELEASES[name, version]
    if not found.is_here:
        raise ModuleNotFoundError(f"{found} is not here; `make zoo` brings it")
    with found.on():
        for module in modules:
            found.load(module)
    return found
