"""The live kernel, in a private network namespace, as another process that runs programs.

The process has one thread, and no descriptors but its own from some number on, so that a program gets
descriptors as one that runs alone.  It is asked in batches, over a pipe, and answers in order; meanwhile the
asking process may run the next batch on a virtual machine.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeAlias

from .calls.naming import PORTS
from .lockstep import PATIENCE_S, Difference, Log, compare, run
from .namespace import Namespace, NoNamespace
from .program import Program
from .session import Machine

OWN_ADDRESS = "10.0.0.1"
FIRST_PORT = 2000
PROGRAMS_PER_NAMESPACE = 25
"""TIME_WAIT keeps a port for a minute.  So explicit ports are taken once in a namespace, and a namespace is
left before the kernel is likely to choose a port again."""

PROGRAM_SECONDS_MAX = 30
"""Programs take milliseconds, or a second if they fill buffers; none ever waits for long."""

Request: TypeAlias = tuple[Program, Log | None, float]
"""A program; what is expected of it, or None if all that is seen is wanted; how long readiness may take."""

Answer: TypeAlias = Difference | Log | None


class KernelLost(Exception):
    """The other process ended: a program did something that was not foreseen."""


class LiveKernel:
    """The kernel of this computer.  A context manager: the other process ends with it.

    Raises NoNamespace if it cannot be asked without being disturbed.
    """

    def __init__(self) -> None:
        where = str(Path(__file__).parents[2])  # this simnet, and no other
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from simnet.oracle.live import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": where},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        problem = pickle.load(self._from)
        if problem is not None:
            self.close()
            raise NoNamespace(problem)

    def __enter__(self) -> LiveKernel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._from.close()  # first: who cannot answer does not wait for somebody who listens
        with suppress(BrokenPipeError):
            self._to.close()
        self._process.wait()

    def ask(self, batch: Sequence[Request]) -> None:
        """Have a batch of programs run; `answers` has what comes of it."""
        pickle.dump(list(batch), self._to)
        self._to.flush()

    def answers(self) -> list[Answer]:
        """What came of the batch that was asked first.  Raises KernelLost if nothing will."""
        try:
            return pickle.load(self._from)  # type: ignore[no-any-return]
        except EOFError:
            raise KernelLost(
                f"the process that asks the live kernel ended with status {self._process.wait()}"
            ) from None

    def compare(self, program: Program, expected: Log, patience_s: float = PATIENCE_S) -> Difference | None:
        """Where the live kernel first says something else than `expected`."""
        self.ask([(program, expected, patience_s)])
        return self.answers()[0]  # type: ignore[return-value]

    def log(self, program: Program) -> Log:
        """What the live kernel says to a program."""
        self.ask([(program, None, PATIENCE_S)])
        return self.answers()[0]  # type: ignore[return-value]


class _Server:
    """The other process."""

    def __init__(self) -> None:
        self.namespace = Namespace(OWN_ADDRESS)
        self.programs = 0
        self.modules = SimpleNamespace(socket=socket, select=select, os=os, fcntl=fcntl, time=time)
        self.first_descriptor = _fill_the_holes()

    def answer(self, request: Request) -> Answer:
        program, expected, patience_s = request
        machine = Machine(self.modules, self._fresh_ports(), OWN_ADDRESS, self.first_descriptor)
        signal.alarm(PROGRAM_SECONDS_MAX)  # who waits for ever is killed
        try:
            if expected is None:
                return run(program, machine)
            return compare(program, expected, machine, patience_s)
        finally:
            signal.alarm(0)
            for name in os.listdir():  # AF_UNIX sockets leave their names behind
                os.unlink(name)

    def _fresh_ports(self) -> dict[str, int]:
        if self.programs == PROGRAMS_PER_NAMESPACE:
            self.namespace.renew()
            self.programs = 0
        first = FIRST_PORT + self.programs * len(PORTS)
        self.programs += 1
        return {name: first + place for place, name in enumerate(PORTS)}


def _fill_the_holes() -> int:
    """Use up the free descriptors below the highest that is open; the number of the next one."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    while (number := os.open(os.devnull, os.O_RDONLY)) <= highest:
        pass
    os.close(number)
    return number


def serve() -> None:
    """The life of the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts both; the asking one decides
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed by mistake is no answer
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)  # AF_UNIX names are relative to it
        try:
            server = _Server()
        except NoNamespace as error:
            _say(answers, str(error))
            return
        _say(answers, None)
        try:
            while True:
                _say(answers, [server.answer(request) for request in pickle.load(requests)])
        except (EOFError, pickle.UnpicklingError, BrokenPipeError):  # nobody asks any more, or listens
            with suppress(BrokenPipeError):
                answers.close()
        finally:
            os.chdir("/")


def _say(answers: BinaryIO, words: Any) -> None:
    pickle.dump(words, answers)
    answers.flush()
