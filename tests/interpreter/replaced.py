"""Runs one suite of the interpreter's own test package with `asyncore` and `asynchat` replaced by simnet's.

    python -m tests.interpreter.replaced test_asyncore

Prints a line of JSON: ``{"run": 97, "skipped": {test: reason}, "troubles": {test: traceback}}``.  What else
imports the two modules, as smtpd does, gets simnet's too, for they are replaced before anybody imports them.

Owns one process's worth of replacement.  What must pass is `test_old_suites`.
"""

from __future__ import annotations

import json
import sys
import unittest
import warnings
from typing import Any

from simnet import asynchat, asyncore
from tests.interpreter.suites import installed, name_of


def run(suite: str) -> dict[str, Any]:
    """The outcomes of all tests of an installed suite."""
    sys.modules["asyncore"], sys.modules["asynchat"] = asyncore, asynchat
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # smtpd's
        tests = installed(suite)
    assert vars(sys.modules[f"test.{suite}"])["asyncore"] is asyncore
    result = unittest.TestResult()
    unittest.TestSuite(tests).run(result)
    return {
        "run": result.testsRun,
        "skipped": {_name(test): reason for test, reason in result.skipped},
        "troubles": {_name(test): text for test, text in (*result.failures, *result.errors)},
    }


def _name(test: Any) -> str:
    return (
        name_of(test) if isinstance(test, unittest.TestCase) else str(test)
    )  # a class that cannot be set up


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
