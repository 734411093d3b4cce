"""CPython's own tests of asyncore, asynchat and smtpd in processes: of these modules, unmodified.

Those of simnet's modules are `test_old_suites`.
"""

from __future__ import annotations

import importlib
import sys
import unittest
import warnings
from collections.abc import Iterator

import pytest

from simnet import Network

SUITES = {"test_asyncore": 90, "test_asynchat": 20, "test_smtpd": 140}
"""Each with how many tests have to pass at least."""

NOT_PASSED = {
    "FileWrapperTest.test_dispatcher": "select and poll of a host know no files of this computer",
}


def flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


@pytest.fixture
def modules_of_its_own() -> Iterator[None]:
    """Another test may have imported smtpd with simnet's asyncore."""
    names = ("asyncore", "asynchat", "smtpd", *(f"test.{suite}" for suite in SUITES))
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    yield
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="these modules and their tests left Python with 3.12")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("modules_of_its_own")
@pytest.mark.parametrize("name", SUITES)
def test_the_interpreters_own_suite_passes_in_a_process(name: str) -> None:
    pytest.importorskip("test.support", reason="this Python has no test package")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = importlib.import_module(f"test.{name}")
    passed, wrong = 0, {}
    for test in flat(unittest.defaultTestLoader.loadTestsFromModule(module)):
        result = unittest.TestResult()
        process = Network().host("host").spawn(test.run, result)
        assert process.join("60s"), test.id()
        passed += result.wasSuccessful() and not result.skipped
        troubles = [text for _, text in result.errors + result.failures]
        if troubles:
            wrong[test.id().removeprefix(f"test.{name}.")] = troubles[0]
    assert set(wrong) <= set(NOT_PASSED), "\n".join(wrong.values())
    assert passed >= SUITES[name]
