"""Threads for suites whose tests have a server and a client: greenlets that take turns on one network.

A thread runs until it has to wait; then another runs that need not.  Where all have to wait, virtual time
passes until one need not.  So calls of two threads never overlap, and a test is the same on every run.

Owns threads and events.  Does not own time: that is the network's, whose `wait` this takes over.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from greenlet import getcurrent, greenlet

from simnet import Network
from simnet.units import SECOND_NS


class _Wait:
    """Somebody who waits.  A condition may act when it comes true, so it is not asked again after that."""

    def __init__(self, network: Network, condition: Callable[[], object], deadline_ns: int | None) -> None:
        self.thread = getcurrent()
        self.deadline_ns = deadline_ns
        self.is_true = False
        self._network, self._condition = network, condition

    def is_over(self) -> bool:
        self.is_true = self.is_true or bool(self._condition())
        return self.is_true or (self.deadline_ns is not None and self._network.now_ns >= self.deadline_ns)


class Threads:
    """The threads of one test."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._let_time_pass = network.wait
        self._waits: list[_Wait] = []
        network.wait = self.wait  # type: ignore[method-assign]

    def wait(self, call: str, condition: Callable[[], object], deadline_ns: int | None) -> bool:
        """As Engine.wait, but for other threads that run meanwhile."""
        mine = _Wait(self._network, condition, deadline_ns)
        self._waits.append(mine)
        try:
            while not mine.is_over():
                other = next((wait for wait in self._waits if wait is not mine and wait.is_over()), None)
                if other is not None:
                    other.thread.switch()
                else:
                    self._pass(call)
        finally:
            self._waits.remove(mine)
        return mine.is_true

    def _pass(self, call: str) -> None:
        waits = list(self._waits)
        deadlines = [wait.deadline_ns for wait in waits if wait.deadline_ns is not None]
        self._let_time_pass(call, lambda: any(wait.is_over() for wait in waits), min(deadlines, default=None))

    def deadline_ns(self, timeout: float | None) -> int | None:
        """When a wait of `timeout` seconds that begins now is over."""
        return None if timeout is None else self._network.now_ns + round(timeout * SECOND_NS)

    def start(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> greenlet:
        """A thread that runs when the one that started it waits."""

        def run() -> None:
            self._waits.remove(beginning)
            with suppress(SystemExit):  # _thread.exit()
                function(*args, **kwargs)

        thread = greenlet(run, parent=self._main)
        beginning = _Wait(self._network, lambda: True, None)
        beginning.thread = thread
        self._waits.append(beginning)
        return thread

    @property
    def _main(self) -> greenlet:
        """The thread that runs the test."""
        main = getcurrent()
        while main.parent is not None:
            main = main.parent
        return main

    def modules(self) -> tuple[Any, Any]:
        """What stands for `threading` and for `_thread`."""
        threads = self

        class Event(_Event):
            _threads = threads

        class Thread(_Thread):
            _threads = threads

        return (
            SimpleNamespace(**{**vars(threading), "Event": Event, "Thread": Thread}),
            SimpleNamespace(**{**vars(_thread), "start_new_thread": self._start_new_thread}),
        )

    def _start_new_thread(self, function: Callable[..., object], args: Any, kwargs: Any = None) -> int:
        self.start(function, *args, **(kwargs or {}))
        return 1

    def close(self) -> None:
        """End what still waits."""
        for wait in list(self._waits):
            if wait.thread:
                wait.thread.throw()


class _Event:
    """threading.Event."""

    _threads: Threads

    def __init__(self) -> None:
        self._flag = False

    def is_set(self) -> bool:
        return self._flag

    def set(self) -> None:
        self._flag = True

    def clear(self) -> None:
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._threads.wait("Event.wait", self.is_set, self._threads.deadline_ns(timeout))


class _Thread:
    """threading.Thread."""

    _threads: Threads

    def __init__(self, target: Any, args: Any = (), kwargs: Any = None, **others: Any) -> None:
        self._work = (target, args, kwargs or {})
        self._thread: greenlet | None = None

    def start(self) -> None:
        target, args, kwargs = self._work
        self._thread = self._threads.start(target, *args, **kwargs)

    def is_alive(self) -> bool:
        return self._thread is not None and not self._thread.dead

    def join(self, timeout: float | None = None) -> None:
        deadline_ns = self._threads.deadline_ns(timeout)
        self._threads.wait("Thread.join", lambda: not self.is_alive(), deadline_ns)
