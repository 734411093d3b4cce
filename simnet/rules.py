"""Rules: what happens to every operation of a kind, or to one of them, for as long as the rule stands.

A `Deviation` names one operation of one connection: that is how a run is recorded.  A `Rule` is how people
ask for it beforehand: *every send on client takes 1 byte, from 2s, 10% of the time*.

Owns the words, in both directions.  Who is asked, and counts, is `simnet.virtual.faults`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import attrs

from .errors import UsageError
from .outcomes import OUTCOMES, check_amount, outcome_of
from .units import duration, duration_ns
from .words import ordinal

ANYWHERE = "*"
"""The place of a rule that holds everywhere."""


_WITH_BYTES = ("send", "recv", "segment", "datagram")


def _percentage(value: float) -> float:
    return float(f"{value:g}")


def _known_outcome(rule: Rule, attribute: object, value: str) -> None:
    outcome_of(rule.op, value)


def _known_op(instance: object, attribute: object, value: str) -> None:
    if value not in OUTCOMES:
        raise UsageError(f"no operation {value!r}; there are {', '.join(OUTCOMES)}")


def _found_there(rule: Rule, attribute: object, value: bytes | None) -> None:
    if value is not None and rule.op not in _WITH_BYTES:
        raise UsageError(f"a {rule.op} has no bytes to look for; what has: {', '.join(_WITH_BYTES)}")


def _from_one(rule: Rule, attribute: attrs.Attribute[int], value: int | None) -> None:
    if value is not None and value < 1:
        raise UsageError(f"{attribute.name} counts from 1, not {value}")


def _share(rule: Rule, attribute: object, value: float) -> None:
    if not 0 < value <= 100:
        raise UsageError(f"a rule holds more than 0% and at most 100% of the time, not {value:g}%")


@attrs.frozen(order=True, kw_only=True)
class Rule:
    """What happens to operations of a kind at a place.  `str()` says it as a sentence.

    Attributes:
        where: a host, an end (``client:1 -> server:80``), a listener (``server:80``), or `ANYWHERE`.
        op, outcome, amount: as of a `Deviation`.
        nth: which of the matching operations, from 1 on; None is every one.
        containing: only operations whose bytes contain these.
        start_ns, end_ns: only from this moment on, and before that one.
        percent: how often, of the operations that match.
        times: after so many it stands no more.
    """

    where: str
    op: str = attrs.field(validator=_known_op)
    outcome: str = attrs.field(validator=_known_outcome)
    amount: int = 0
    nth: int | None = attrs.field(default=None, validator=_from_one)
    containing: bytes | None = attrs.field(default=None, validator=_found_there)
    start_ns: int = 0
    end_ns: int | None = None
    percent: float = attrs.field(default=100.0, converter=_percentage, validator=_share)
    times: int | None = attrs.field(default=None, validator=_from_one)

    def __attrs_post_init__(self) -> None:
        if self.end_ns is not None and self.end_ns <= self.start_ns:
            from_when, to_when = duration(self.start_ns), duration(self.end_ns)
            raise UsageError(f"a rule that holds from {from_when} cannot hold until {to_when}")

    def __str__(self) -> str:
        which = "every" if self.nth is None else f"the {ordinal(self.nth)}"
        place = "anywhere" if self.where == ANYWHERE else f"on {self.where}"
        return "".join((f"{which} {self.op} {place}", *self._conditions()))

    def _conditions(self) -> Iterator[str]:
        if self.containing is not None:
            yield f" containing {_quoted(self.containing)}"
        yield f" {outcome_of(self.op, self.outcome).words.write(self.amount)}"
        if self.start_ns:
            yield f", from {duration(self.start_ns)}"
        if self.end_ns is not None:
            yield f", until {duration(self.end_ns)}"
        if self.percent != 100:
            yield f", {self.percent:g}% of the time"
        if self.times is not None:
            yield f", at most {self.times} time{'s' * (self.times != 1)}"


_HEAD = re.compile(r"(?:every|(?:the )?(\d+)(?:st|nd|rd|th)) (\w+) ((?:on|anywhere)\b.+)")
_BYTES = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_DURATION = r"[\d.]+ ?[a-zµ]+"
_CONDITIONS: dict[str, tuple[re.Pattern[str], Callable[[str], int | float]]] = {
    "start_ns": (re.compile(rf"(.+), from ({_DURATION})"), duration_ns),
    "end_ns": (re.compile(rf"(.+), until ({_DURATION})"), duration_ns),
    "percent": (re.compile(r"(.+), (\d+(?:\.\d+)?(?:e-?\d+)?)% of the time"), float),
    "times": (re.compile(r"(.+), at most (\d+) times?"), int),
}


def parse_rule(text: str) -> Rule | None:
    """The rule that a sentence is; None if it is none.  Raises UsageError if it is none that could be."""
    head = _HEAD.fullmatch(text)
    if head is None:
        return None
    nth, op, rest = head.groups()
    if op not in OUTCOMES:
        raise UsageError(f"no operation {op!r}; there are {', '.join(OUTCOMES)}")
    found: dict[str, int | float] = {}
    while condition := _condition(rest):
        name, value, rest = condition
        if name in found:
            raise UsageError(f"two conditions of one kind in {text!r}")
        found[name] = value
    for outcome in OUTCOMES[op]:
        form = rf"(?:on (.+?)|anywhere)(?: containing ({_BYTES}))? {outcome.words.pattern}"
        if match := re.fullmatch(form, rest):
            where, containing, *texts = match.groups()
            amounts = outcome.words.values(tuple(texts))
            check_amount(op, outcome, *amounts)
            return Rule(
                where=where or ANYWHERE,
                op=op,
                outcome=outcome.name,
                amount=amounts[0] if amounts else 0,
                nth=int(nth) if nth else None,
                containing=_unquoted(containing) if containing else None,
                **found,  # type: ignore[arg-type]
            )
    known = "; ".join(outcome.words.example for outcome in OUTCOMES[op])
    raise UsageError(f"what happens to the {op} is not understood in {rest!r}; a {op} {known}")


def _condition(text: str) -> tuple[str, int | float, str] | None:
    """The last condition of a sentence, and the rest."""
    for name, (form, read) in _CONDITIONS.items():
        if match := form.fullmatch(text):
            return name, read(match[2]), match[1]
    return None


def _quoted(data: bytes) -> str:
    """Bytes as text between quotes; no two blanks follow each other, which a sentence may lose."""
    return repr(data.decode("latin-1")).replace("  ", " \\x20").encode("ascii", "backslashreplace").decode()


def _unquoted(text: str) -> bytes:
    try:
        return str(ast.literal_eval(text)).encode("latin-1")
    except (ValueError, SyntaxError, UnicodeEncodeError) as error:
        raise UsageError(f"no bytes are written {text}: {error}") from None
