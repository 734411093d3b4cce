"""What a scenario is: a program, the network that it runs on, what befalls it, and how it should end.

Three kinds of things are kept apart:

* what decides the run: the program with its arguments, the hosts, the links, the script or the seed, and
  what is looked for in it;
* `Expect`: what every run of it must come to, also after the program was changed;
* `Record`: what one run did, event by event, which a strict replay must repeat.

Owns the values.  Files are read by `load` and written by `save`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from ..checks import Checks
from ..errors import UsageError
from ..fence import Fence
from ..script import Script
from .operations import Carried

FORMAT = 1
"""The version of the file format that this simnet writes, and the only one that it reads."""

Quantity: TypeAlias = str | int | float
"""A duration, size or rate as a person wrote it, such as ``"20ms"``; see `simnet.units`."""


@attrs.frozen
class HostSpec:
    """A host that exists before the program starts; `descriptors_max` is its limit of open sockets."""

    name: str
    descriptors_max: int | None = None


@attrs.frozen
class LinkSpec:
    """A link between two hosts; the arguments are those of `Network.link`."""

    between: tuple[str, str]
    latency: Quantity | None = None
    jitter: Quantity = 0
    bandwidth: Quantity = 0
    capacity: str | int = 0


@attrs.frozen
class Expect:
    """What every run must come to.

    `error` is the name of an exception's class or of one of its bases, `says` a part of its message.
    `unmet` are the faults that find no moment; all others must happen.
    """

    outcome: Literal["passes", "fails"] = "passes"
    error: str | None = None
    says: str | None = None
    unmet: tuple[str, ...] = ()


@attrs.frozen
class Record:
    """What one run did: the number and the digest of its events, and some of them in words.

    `failure` is the `Outcome.fingerprint` of a run that failed.  `carried` tells by their anchors what the
    operations carried at which it deviated: who looks for them after an edit goes by both.  `log` holds
    `simnet.scenario.replay.LogLine`s as text.  `python` and `simnet` say where it was
    recorded; they are for people and never compared.
    """

    digest: str
    events: int | None = None
    log: tuple[str, ...] = ()
    python: str | None = None
    simnet: str | None = None
    failure: str | None = None
    carried: Mapping[str, Carried] = attrs.field(factory=dict, hash=False)


def _prose(text: str) -> str:
    """Text as a file keeps it: lines end in a newline, and no blanks stand at the ends."""
    return re.sub(r"\r\n?", "\n", text).strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


@attrs.frozen
class Scenario:
    """One story, told so that it can be told again.

    Args:
        title: what happened, in one line.
        why: why it matters, and to whom.
        call: the program, as ``"module:callable"`` or ``"path/to/file.py::callable"``.
        test: instead of a program, a pytest test by its node id; pytest runs it.
        arguments: what the program or test is given besides the network: plain TOML values and bytes.
        hosts: made in this order before the program starts.
        links: between hosts; `latency` is that of every other pair.
        script: what deviates from the textbook network, and what the program draws.
        seed: instead of a script, a storm.
        check: which properties are looked for, as words of `Checks.of`; what they do not name is as it is
            for every network.
        fence: what is made of a program that goes past its host; None is as for every network.
        path: the file that it was read from.
    """

    title: str = attrs.field(converter=_one_line)
    why: str = attrs.field(default="", converter=_prose)
    call: str | None = None
    test: str | None = None
    arguments: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    hosts: tuple[HostSpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    latency: Quantity = "1ms"
    script: Script = attrs.field(factory=Script)
    seed: int | None = None
    check: tuple[str, ...] = ()
    fence: Fence | None = None
    expect: Expect = attrs.field(factory=Expect)
    record: Record | None = None
    path: str | None = attrs.field(default=None, eq=False)

    def __attrs_post_init__(self) -> None:
        if (self.call is None) is (self.test is None):
            raise UsageError("a scenario has a program to call or a test to run: one of them, not both")
        if self.seed is not None and len(self.script):
            raise UsageError("a scenario has faults or a workload, or a seed, not both")
        if not self.title:
            raise UsageError("a scenario needs a title")
        Checks.of(self.check)

    @property
    def name(self) -> str:
        """What to call it in a list: its file, else its title."""
        return self.path or self.title
