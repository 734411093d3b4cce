"""Whose fault is it?  Every error that simnet raises of its own accord, grouped by guilt.

What a kernel would report is an `OSError` with its errno and is not found here; what must never
happen is an `assert`, and then simnet itself is wrong.  What is left are three kinds:

* the input is wrong: `ScenarioError` (a scenario file), `UsageError` (an option or an argument);
* the program under test is wrong: `ProgramError` and its kinds;
* a run left its record: `Diverged`.
"""

from __future__ import annotations

from collections.abc import Sequence


class SimnetError(Exception):
    """Base of everything below."""


class UsageError(SimnetError, ValueError):
    """An argument or option that cannot mean anything; the message says what was expected."""


class ScenarioError(SimnetError):
    """A scenario file is wrong.  `mistakes` lists all that were found, each as (place, text).

    A place is what a person can find again: ``line 12`` or ``links[0].latency``.
    """

    def __init__(self, path: str, mistakes: Sequence[tuple[str, str]]) -> None:
        self.path = path
        self.mistakes = tuple(mistakes)
        super().__init__(path, self.mistakes)

    def __str__(self) -> str:
        count = len(self.mistakes)
        head = f"{self.path}: {count} mistake{'s' if count != 1 else ''}"
        return "\n".join([head, *(f"  {place}: {text}" for place, text in self.mistakes)])


class ProgramError(SimnetError):
    """The program under test is wrong, in a way that only the network can see."""


class Deadlock(ProgramError):
    """Nothing can happen any more, yet something is still waited for.

    The message ends with the socket table of every host.
    """


class Livelock(ProgramError):
    """Handlers are called, or code polls without waiting, for ever while neither bytes nor time move.

    On a real machine this is a loop that burns a processor: a channel that stays readable and is
    never read, or one that sends to itself without end.
    """


class Escaped(ProgramError):
    """The program went past its virtual host: it asked this computer for what the host has.

    The message names what it called, the line, the host, the virtual time, and what to use instead.
    """


class PropertyViolated(ProgramError, AssertionError):
    """The program under test breaks a property that programs of its kind have; see `simnet.checks`.

    Attributes:
        name: the property's.
        function: that of the program which broke it, if that was known before the error was raised.
    """

    def __init__(self, name: str, found: str, function: str = "") -> None:
        self.name, self.function = name, function
        super().__init__(name, found)

    def __str__(self) -> str:
        return f"{self.name}: {self.args[1]}"


class Diverged(SimnetError):
    """A replay left its record: it says at which event, what was expected and what came."""
