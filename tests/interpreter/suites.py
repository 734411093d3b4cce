"""Runs suites of the interpreter's own test package on virtual hosts.

The modules are imported from where they are installed, never copied.  For each test their globals, and what
their classes took from these, are replaced by a new host's: a suite that says `socket.socket()` makes a
virtual socket, and a test begins on a machine of its own.

Owns substitution and running.  Why some tests do not apply is told in `reasons`.
"""

from __future__ import annotations

import _thread
import fcntl
import importlib
import importlib.util
import os
import select
import selectors
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, nullcontext, suppress
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import attrs

from simnet import Network
from tests.interpreter.reasons import NOT_APPLICABLE, SUITES, reason
from tests.interpreter.threads import Threads

STANDARD = {module.__name__: module for module in (fcntl, os, select, selectors, socket, time)}
IMPORTED_BY_TESTS = ("fcntl", "select", "selectors", "socket")
"""What some tests import, or patch, by name while they run."""


@attrs.frozen
class Outcome:
    """What became of one test; `trouble` is empty if it passed."""

    test: str
    trouble: str


def available() -> list[str]:
    """The suites that this Python has."""
    return [suite for suite in SUITES if importlib.util.find_spec(f"test.{suite}") is not None]


def installed(suite: str) -> list[unittest.TestCase]:
    """All tests of an installed suite, in order."""
    module = importlib.import_module(f"test.{suite}")
    return list(_flat(unittest.defaultTestLoader.loadTestsFromModule(module)))


def _flat(tests: Any) -> Iterator[unittest.TestCase]:
    for test in tests:
        if isinstance(test, unittest.TestCase):
            yield test
        else:
            yield from _flat(test)


def name_of(test: unittest.TestCase) -> str:
    """``Class.method``."""
    return ".".join(test.id().rsplit(".", 2)[-2:])


def run(suite: str, applies: Callable[[unittest.TestCase], bool]) -> list[Outcome]:
    """Run the tests of a suite that apply, each on a host of its own; skipped ones have no outcome."""
    outcomes = []
    for test in installed(suite):
        if applies(test):
            result = _run_on_a_host(suite, test)
            troubles = [text for _, text in (*result.failures, *result.errors)]
            if not result.skipped or troubles:
                outcomes.append(Outcome(name_of(test), "\n".join(troubles)))
    return outcomes


def run_what_applies(suite: str) -> list[Outcome]:
    """Run the tests of a suite that apply to a virtual host."""
    return run(suite, lambda test: not reason(NOT_APPLICABLE, f"{suite}.{name_of(test)}"))


def _run_on_a_host(suite: str, test: unittest.TestCase) -> unittest.TestResult:
    network = Network()
    modules = network.host("machine").modules
    threads = Threads(network)
    twins = {**_twins(modules), **_helpers(modules.os)}
    twins[id(threading)], twins[id(_thread)] = threads.modules()
    imported = {name: getattr(modules, name) for name in IMPORTED_BY_TESTS}
    substituted = [importlib.import_module(name) for name in (f"test.{suite}", *SUITES[suite])]
    result = unittest.TestResult()
    with (
        tempfile.TemporaryDirectory() as directory,
        chdir(directory),  # some write files beside their sockets, and do not always remove them
        mock.patch.dict(sys.modules, imported),
        _substituted(substituted, twins),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            _run_with_its_class(type(test)(test._testMethodName), result)  # anew, with events of the host's
        finally:
            threads.close()
    return result


def _helpers(os: Any) -> dict[int, Any]:
    """What stands for modules that suites use to prepare and to tidy up; paths are those of the host."""
    os_helper = importlib.import_module("test.support.os_helper")
    threading_helper = importlib.import_module("test.support.threading_helper")
    numbers = count(1)

    def mkdtemp() -> str:
        path = f"/tmp/{next(numbers)}"
        os.makedirs(path)
        return path

    def unlink(path: str) -> None:
        os_helper.unlink(path)  # some tests have files on the disk beside their sockets
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)

    def rmtree(path: str) -> None:
        for name in os.listdir(path):
            os.unlink(f"{path}/{name}")
        os.rmdir(path)

    changes: tuple[tuple[ModuleType, dict[str, Any]], ...] = (
        (tempfile, {"mkdtemp": mkdtemp}),
        (shutil, {"rmtree": rmtree}),
        (os_helper, {"unlink": unlink}),
        (threading_helper, {"wait_threads_exit": nullcontext}),  # there are none to wait for
    )
    return {id(module): SimpleNamespace(**{**vars(module), **changed}) for module, changed in changes}


def _run_with_its_class(test: unittest.TestCase, result: unittest.TestResult) -> None:
    """A test and what its class prepares, without what its module does: that looks after real threads."""
    cls = type(test)
    skipped = getattr(cls, "__unittest_skip__", False)
    if not skipped:
        cls.setUpClass()
    try:
        test.run(result)
    finally:
        if not skipped:
            cls.tearDownClass()
        cls.doClassCleanups()


def _twins(modules: Any) -> dict[int, Any]:
    """What stands on a host for the modules of this computer, their functions and their classes, by id."""
    twins = {}
    for name, standard in STANDARD.items():
        bound = getattr(modules, name)
        twins[id(standard)] = bound
        for member, value in vars(standard).items():
            twin = vars(bound).get(member)
            if callable(value) and twin is not None and twin is not value:
                twins[id(value)] = twin
    return twins


@contextmanager
def _substituted(modules: list[ModuleType], twins: dict[int, Any]) -> Iterator[None]:
    """Within, every name of the modules and of their classes that is one of the originals is its twin."""
    changed = []
    for module in modules:
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        for holder in (module, *(cls for cls in classes if cls.__module__ == module.__name__)):
            for name, value in list(vars(holder).items()):
                if id(value) in twins:
                    changed.append((holder, name, value))
                    setattr(holder, name, twins[id(value)])
    try:
        yield
    finally:
        for holder, name, value in changed:
            setattr(holder, name, value)
