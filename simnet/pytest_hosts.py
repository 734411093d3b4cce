"""Tests that run on a host: ``@pytest.mark.simnet(host="client")``.

One process of the host, the test's own, calls the test and its fixtures.  So they find what any process
finds, be they written with blocking sockets, for pytest-asyncio or for anyio's plugin: an event loop that a
fixture makes is one of the host.  pytest itself, its own fixtures, and those that serve more than one
function stay outside.

If the run ends while the test waits (a Deadlock, an exception of another process), the test fails by that,
its process is killed, and of its fixtures not a line is run any more.

A test that needs nothing but `net` can be called again on another network, to shrink its failure or to replay
it: then by `asyncio.run`, if it is a coroutine.

Owns that process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import pytest

from .errors import UsageError

if TYPE_CHECKING:
    from .process import Process
    from .virtual import Network

_OUTSIDE = ("_pytest", "simnet", "xdist")
"""Packages whose fixtures are no part of a test's program."""

_RUNNERS = ("pytest_asyncio", "anyio")
"""Packages whose fixtures run it."""


class TestProcess:
    """The process that calls what belongs to a test, one thing after the other."""

    __test__ = False

    def __init__(self, network: Network, host: str, name: str) -> None:
        self._network, self._name = network, name
        self._left: list[object] = []  # what is to be torn down, and nobody can
        self._call: Callable[[], Any] | None = None
        self._answer: tuple[Any, BaseException | None] | None = None
        self._process: Process = network.host(host).spawn(self._run, name=name)
        self._take_back = self._process.lend_context()  # plugins copy the context before they call a test

    def _run(self) -> None:
        while True:
            self._process.wait("pytest.call", lambda: self._call, None)
            call, self._call = self._call, None
            assert call is not None
            self._answer = self._attempt(call)

    def _attempt(self, call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        try:
            return call(), None
        except GeneratorExit:  # it is killed
            raise
        except BaseException as error:
            return None, error

    def call(self, function: Callable[[], Any]) -> Any:
        """Let the process call it, and the network run meanwhile; returns what it returns.

        Raises:
            Whatever it lets out, or another process does.
            Deadlock: it waits, and nothing can happen any more.
        """
        __tracebackhide__ = True
        if self._network.process is self._process:
            return function()
        if not self._process.is_alive:
            self._left.append(function)
            return None
        self._call, self._answer = function, None
        self._process.wake()
        try:
            self._network.wait(self._name, lambda: self._answer is not None, None)
        except BaseException:
            self._process.kill()
            raise
        answer: Any = self._answer
        result, error = answer
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        """The test is over."""
        self._take_back()
        if self._process.is_alive:
            self._process.kill()
        if self._left:
            self._bury()

    def _bury(self) -> None:
        """Let go of fixtures that are half done: not a line of them is run."""
        from .garbage import collector
        from .process.ending import accept_lines, beneath_programs, refuse_lines

        @beneath_programs
        def let_go() -> None:
            self._left.clear()
            collector.collect()

        refuse_lines()
        accept_lines(let_go)


_PROCESS = pytest.StashKey[TestProcess]()


def host_of(item: pytest.Item) -> str | None:
    """The host that a test is marked for."""
    return _named(item.iter_markers("simnet"))


def host_of_function(function: Any) -> str | None:
    """The same of a function that pytest has not collected."""
    marks = getattr(inspect.unwrap(function), "pytestmark", ())
    return _named(mark for mark in marks if mark.name == "simnet")


def _named(marks: Iterable[pytest.Mark]) -> str | None:
    return next((mark.kwargs["host"] for mark in marks if "host" in mark.kwargs), None)


def on_host(function: Callable[..., Any], host: str) -> Callable[[Network], None]:
    """A test that needs nothing but a network, as a program of that."""

    @wraps(function)
    def run_there(net: Network) -> None:
        def call() -> None:
            result = function(net=net)
            if inspect.iscoroutine(result):
                import asyncio

                asyncio.run(result)

        process = net.host(host).spawn(call, name=function.__name__)
        process.join()

    return run_there


def needs_only_a_network(item: pytest.Function) -> bool:
    """Whether a marked test uses no fixture but `net`, and those by which plugins run it."""
    definitions = item._fixtureinfo.name2fixturedefs
    used = [name for name in item.fixturenames if name in definitions]
    own = {name for name in used if _package(definitions[name][-1]) not in (*_OUTSIDE, *_RUNNERS)}
    return not own and "net" in used and item._fixtureinfo.argnames == ("net",)


def is_of_a_runner(item: pytest.Function, name: str) -> bool:
    """Whether a fixture is one by which a plugin runs tests: some are there whatever a test asks for."""
    definitions = item._fixtureinfo.name2fixturedefs
    return name in definitions and _package(definitions[name][-1]) in _RUNNERS


def _package(fixturedef: Any) -> str:
    return str(fixturedef.func.__module__).partition(".")[0]


class Hosts:
    """The plugin: who calls fixtures and tests.

    Args:
        calls_itself: whether tests that can be called again are called in another way: a record is replayed,
            or each is run twice.
    """

    def __init__(self, calls_itself: bool) -> None:
        self._calls_itself = calls_itself

    def _host_of(self, item: pytest.Function) -> str | None:
        """Where a test is called, if it is not called in another way."""
        return None if self._calls_itself and needs_only_a_network(item) else host_of(item)

    def _process_of(self, request: Any, item: pytest.Function, host: str) -> TestProcess:
        process = item.stash.get(_PROCESS, None)
        if process is None:
            network = request.getfixturevalue("net")
            process = item.stash[_PROCESS] = TestProcess(network, host, item.name)
            request.node.addfinalizer(process.end)
        return process

    def _rest_of(self, item: pytest.Item, hook: str) -> Any:
        return item.config.pluginmanager.subset_hook_caller(hook, [self])

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """A fixture of one function is set up, and torn down, on the host."""
        item = request.node
        if not isinstance(item, pytest.Function) or (host := self._host_of(item)) is None:
            return None
        if fixturedef.scope != "function" or _package(fixturedef) in _OUTSIDE:
            return None
        process = self._process_of(request, item, host)
        set_up = partial(self._rest_of(item, "pytest_fixture_setup"), fixturedef=fixturedef, request=request)
        try:
            return process.call(set_up)
        finally:
            fixturedef._finalizers = [partial(process.call, each) for each in fixturedef._finalizers]

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Any:
        """The test itself is called there."""
        __tracebackhide__ = True
        host = self._host_of(pyfuncitem)
        if host is None:
            return None
        _check_loop(pyfuncitem)
        process = self._process_of(pyfuncitem._request, pyfuncitem, host)
        return process.call(partial(self._rest_of(pyfuncitem, "pytest_pyfunc_call"), pyfuncitem=pyfuncitem))


def _check_loop(item: pytest.Function) -> None:
    """A loop that pytest-asyncio makes for several tests is none of the host."""
    for name in item.fixturenames:
        if name.endswith("_scoped_runner") and name != "_function_scoped_runner":
            scope = name.removeprefix("_").partition("_")[0]
            raise UsageError(f"{item.nodeid}: a test on a host has a loop of its own, not one of its {scope}")
