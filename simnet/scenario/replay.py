"""Repeat a run to the letter: the record of what it did, and the first event at which a replay leaves it.

A record is the digest of all events and a log: a line an event while there are few, else every second,
third, ... event, so that a log has at most `LOG_LINES` lines whatever the run.  Each line carries the
digest of all events *up to there*; so comparing two logs finds the first event that differs, or the few
events among which it is.  What a line says in words is for people, and never compared.

Why in the scenario's own file, and not beside it: a scenario is copied, mailed and reviewed as one file,
and a record that was left behind helps nobody.

Owns records.  What a run should come to is the business of `run`.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile

import attrs

from ..errors import Diverged
from ..trace import Event, Kind, Trace
from ..units import seconds
from .model import Record, Scenario
from .operations import Carried
from .run import Outcome, Verdict, run_scenario

LOG_LINES = 100
"""How many lines the log of a record has at most."""

_BYTES_SHOWN = 20  # of the data in a line
_LINE = re.compile(r"\s*(\d+) ([0-9a-f]{8}) (.*)")


@attrs.frozen
class LogLine:
    """The `number`-th event, the digest of all up to it, and the event in words."""

    number: int
    check: str
    words: str

    def __str__(self) -> str:
        return f"{self.number:>4} {self.check} {self.words}"


def replay(scenario: Scenario) -> Verdict:
    """Run a scenario again, to the letter of its record.

    Raises Diverged if the run left its record, saying at which event and how; UsageError as `run_scenario`.
    A scenario without a record is only run.
    """
    verdict = run_scenario(scenario)
    compare(scenario, verdict.outcome)
    return verdict


def compare(scenario: Scenario, outcome: Outcome) -> None:
    """Raise Diverged if a run left the record of its scenario."""
    if parted := parting(scenario, outcome):
        raise Diverged(f"{scenario.name}: diverged {parted}")


def parting(scenario: Scenario, outcome: Outcome) -> str:
    """Where a run left the record of its scenario: ``at event 9: expected ...``; empty if it did not."""
    record, trace = scenario.record, outcome.network.trace
    if record is None or trace.digest() == record.digest:
        return ""
    return _where(record, trace)


def record_of(outcome: Outcome, carried: Mapping[str, Carried] | None = None) -> Record:
    """The record of a run that was traced; `carried` is what `nearby.carried_in` tells of it."""
    trace = outcome.network.trace
    return Record(
        digest=trace.digest(),
        events=len(trace),
        log=tuple(map(str, log_of(trace))),
        python=platform.python_version(),
        simnet=_version(),
        failure=outcome.fingerprint or None,
        carried=carried or {},
    )


def log_of(trace: Trace) -> list[LogLine]:
    """At most `LOG_LINES` lines about the events of a run, the last event among them.

    Empty for a run so long that its first events are not kept.
    """
    if trace.dropped or not trace.events:
        return []
    total = len(trace)
    stride = -(-total // LOG_LINES)
    return _lines(trace, [*range(stride, total, stride), total])


def _lines(trace: Trace, numbers: Iterable[int]) -> list[LogLine]:
    """Lines about the events of these numbers, which rise and count from 1; none beyond the last event."""
    lines = []
    so_far = Trace()
    so_far.covers_contents = trace.covers_contents
    for number in takewhile(lambda number: number <= len(trace), numbers):
        so_far.events.extend(trace.events[len(so_far) : number])
        lines.append(LogLine(number, so_far.digest()[:8], words(trace, trace.events[number - 1])))
    return lines


def words(trace: Trace, event: Event) -> str:
    """One event for people: ``0.041 server:7 -> client:1 send 5 b'hello'``."""
    time_ns, kind, who, n, data = event
    counts = kind in (Kind.SEND, Kind.ARRIVE, Kind.RECV)
    speaks_for_itself = kind in (Kind.NAME, Kind.DEVIATE, Kind.HAPPEN, Kind.DRAW)
    parts = (
        seconds(time_ns),
        "" if speaks_for_itself else trace.names[who],
        Kind(kind).name.lower(),
        str(n) if n or counts else "",
        data if isinstance(data, str) else _excerpt(data),
    )
    return " ".join(part for part in parts if part)


def first_difference(one: Trace, other: Trace) -> str:
    """At which event two runs that should be equal part, in words."""
    for number, (was, is_) in enumerate(zip(one.events, other.events, strict=False), 1):
        if one.covered(was) != other.covered(is_):
            told, now = words(one, was), words(other, is_)
            more = "" if told != now else ", with other bytes"
            return f"event {number} was\n  {told}\nand is\n  {now}{more}"
    return f"one run has {len(one)} events, the other {len(other)}"


def _excerpt(data: bytes | None) -> str:
    if data is None:
        return ""
    return f"{data[:_BYTES_SHOWN]!r}{'...' if len(data) > _BYTES_SHOWN else ''}"


def _where(record: Record, trace: Trace) -> str:
    """At which event a run that has another digest than the record differs from it."""
    expected = [LogLine(int(m[1]), m[2], m[3]) for line in record.log if (m := _LINE.fullmatch(line))]
    if not expected or trace.dropped:
        count = f"{record.events} events, " if record.events is not None else ""
        return f"somewhere: expected {count}digest {record.digest}, got {len(trace)} events, {trace.digest()}"
    got = {line.number: line.check for line in _lines(trace, (line.number for line in expected))}
    agreed = 0
    for line in expected:
        if got.get(line.number) != line.check:
            return _difference(agreed, line, trace)
        agreed = line.number
    if len(trace) > agreed:
        return (
            f"at event {agreed + 1}: expected the end of the run, got\n  {words(trace, trace.events[agreed])}"
        )
    return f"nowhere in its log, which therefore does not belong to its digest {record.digest}"


def _difference(agreed: int, line: LogLine, trace: Trace) -> str:
    """The run and the record agree up to event `agreed`, and no longer at `line`."""
    got = [words(trace, event) for event in trace.events[agreed : line.number]]
    if line.number > len(trace):
        got.append("the end of the run")
    if got == [line.words]:
        got.append("with other bytes, which are not shown")
    came = "\n  ".join(["", *got])
    if line.number == agreed + 1:
        return f"at event {line.number}: expected\n  {line.words}\ngot{came}"
    place = f"between event {agreed + 1} and event {line.number}"
    return f"{place}: expected event {line.number} to be\n  {line.words}\ngot{came}"


def _version() -> str | None:
    # Imported late: it takes longer than all of this package, and only recording needs it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("simnet-harness")
    except PackageNotFoundError:
        return None
