"""Runs suites of the interpreter's own test package on virtual hosts.

The modules are imported from where they are installed, never copied, and nothing in them is changed.  Each
test is a process of its own, on a host of its own, and finds there what any other program finds.  So a suite
that says `socket.socket()` makes a virtual socket, a thread that it starts is one of its process, and time is
the network's.

Owns running.  Why some tests do not apply, or are not run, is told in `reasons`.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import tempfile
import traceback
import unittest
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from doctest import DocTestCase
from functools import cache
from typing import Any
from unittest import mock

import attrs

from simnet import Network
from tests.interpreter.reasons import NOT_APPLICABLE, NOT_RUN, SUITES, reason

VIRTUAL_TIME_MAX = "1h"
"""For one test; what is not over then never ends."""

ODD_TIME = "123456us"
"""What its clock shows at first, besides whole seconds: some tests expect that no clock shows these."""


@attrs.frozen
class Outcome:
    """What became of one test; `trouble` is empty if it passed."""

    test: str
    trouble: str


def available() -> list[str]:
    """The suites that this Python has."""
    return [suite for suite in SUITES if _is_installed(suite)]


def _is_installed(suite: str) -> bool:
    with suppress(ModuleNotFoundError):  # a package on the way
        return importlib.util.find_spec(f"test.{suite}") is not None
    return False


@cache
def installed(suite: str) -> tuple[unittest.TestCase, ...]:
    """All tests of an installed suite, in order."""
    with _quiet():
        module = importlib.import_module(f"test.{suite}")
    return tuple(_flat(unittest.defaultTestLoader.loadTestsFromModule(module)))


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
    with _little_to_collect():
        for test in installed(suite):
            if not applies(test):
                continue
            not_run = reason(NOT_RUN, f"{suite}.{name_of(test)}")
            trouble = f"not run: {not_run}" if not_run else _trouble_of(test)
            if trouble is not None:
                outcomes.append(Outcome(name_of(test), trouble))
    return outcomes


def run_what_applies(suite: str) -> list[Outcome]:
    """Run the tests of a suite that apply to a virtual host."""
    return run(suite, lambda test: not reason(NOT_APPLICABLE, f"{suite}.{name_of(test)}"))


@contextmanager
def _little_to_collect() -> Iterator[None]:
    """Some tests call the garbage collector again and again; what is there already is not theirs."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the interpreter's own runner tells of in passing; and the environment stays as it is."""
    with warnings.catch_warnings(), mock.patch("test.support.verbose", 0), mock.patch.dict(os.environ):
        warnings.simplefilter("ignore")
        yield


def _trouble_of(test: unittest.TestCase) -> str | None:
    """What went wrong, empty if nothing did; None if the test was skipped."""
    network = Network(trace=False, check="-all")
    machine = network.host("machine")
    network.set_forward("machine", ODD_TIME)
    result = unittest.TestResult()
    process = machine.spawn(_run, test, result, name="test")
    troubles = []
    with tempfile.TemporaryDirectory() as directory, chdir(directory), _quiet():
        try:
            if not process.join(VIRTUAL_TIME_MAX):
                troubles.append(f"not over after {VIRTUAL_TIME_MAX}\n{network.standstill()}")
        except Exception as exception:
            troubles.append("".join(traceback.format_exception(exception)))
        process.kill()
    troubles += [text for _, text in (*result.failures, *result.errors)]
    if not result.testsRun and not result.skipped:
        troubles.append("it did not begin")
    return None if result.skipped and not troubles else "\n".join(troubles)


def _run(test: unittest.TestCase, result: unittest.TestResult) -> None:
    """A test with what its class and its module prepare; made anew, for it may keep events of its host."""
    method = getattr(test, "_testMethodName", "")
    anew = test if isinstance(test, DocTestCase) else type(test)(method)
    unittest.TestSuite([anew]).run(result)
