"""CPython's own tests of `ssl`, as they are installed, in a process of a virtual host, with its threads."""

from __future__ import annotations

import io
import unittest

import pytest

from simnet import Network

support = pytest.importorskip("test.support", reason="this Python has no test package")
test_ssl = pytest.importorskip("test.test_ssl", reason="this Python has no test package, or no ssl")

CLASSES = (
    "BasicSocketTests",
    "ContextTests",
    "SSLErrorTests",
    "SimpleBackgroundTests",
    "TestPostHandshakeAuth",
    "TestPreHandshakeClose",
    "ThreadedTests",
)
NOT_PASSED = {
    "test_dealloc_warn": "a socket of a host that is dropped is closed, and says nothing",
    "test_refcycle": "as above",
    "test_makefile_close": "the number of a socket that was closed may be a file's of this computer",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLASSES)
def test_what_the_interpreter_asks_of_ssl_holds_on_a_host(monkeypatch, name):
    monkeypatch.setattr(support, "verbose", False)
    suite = unittest.defaultTestLoader.loadTestsFromName(name, test_ssl)
    process = (
        Network()
        .host("host")
        .spawn(lambda: unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite))
    )
    assert process.join()
    result = process.result
    wrong = {test.id().rpartition(".")[2]: text for test, text in result.failures + result.errors}
    assert set(wrong) <= set(NOT_PASSED), wrong
    assert result.testsRun > len(result.skipped)
