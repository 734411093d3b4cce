"""A trace's digest covers every event, and nothing but the events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.trace import Kind, Trace

events = st.lists(
    st.tuples(
        st.integers(0, 10**15),
        st.sampled_from([int(kind) for kind in Kind]),
        st.integers(0, 5),
        st.integers(-(2**31), 2**62),
        st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=20)),
    ),
    max_size=30,
)


def digest(recorded: list, keep: int = 32_768, trim_every: int = 0) -> str:
    trace = Trace(keep)
    for number, event in enumerate(recorded, 1):
        trace.events.append(event)
        if trim_every and number % trim_every == 0:
            trace.trim()
    return trace.digest()


def copied(recorded: list) -> list:
    """Equal events made of other objects."""
    return [
        (int(str(t)), k, int(str(w)), int(str(n)), d if d is None else (d + d)[: len(d)])
        for t, k, w, n, d in recorded
    ]


@given(events)
def test_equal_events_have_equal_digests(recorded: list) -> None:
    assert digest(recorded) == digest(copied(recorded))


@given(events, st.data())
def test_another_event_anywhere_is_another_digest(recorded: list, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(recorded)))
    assert digest(recorded) != digest([*recorded[:at], (0, int(Kind.TIMER), 0, 0, None), *recorded[at:]])


@given(events, events)
def test_the_order_of_events_counts(one: list, other: list) -> None:
    assert (digest(one + other) == digest(other + one)) is (one + other == other + one)


@pytest.mark.parametrize("count", [10, 999, 5000, 20_000])
@pytest.mark.parametrize("trim_every", [1, 7, 1000])
def test_a_trace_that_forgets_has_the_digest_of_one_that_does_not(count: int, trim_every: int) -> None:
    recorded = [(n, int(Kind.SEND), n % 3, n, bytes([n & 255])) for n in range(count)]
    assert digest(recorded, keep=100, trim_every=trim_every) == digest(recorded)


def test_memory_is_bounded_and_the_length_is_not() -> None:
    trace = Trace(keep=1000)
    for n in range(100_000):
        trace.events.append((n, int(Kind.SEND), 0, n, None))
        trace.trim()
    assert len(trace) == 100_000
    assert len(trace.events) < 20_000
    assert trace.events[-1][0] == 99_999


def test_an_event_of_a_kind_that_is_no_plain_int_is_refused() -> None:
    """Two ways to write one event would be two digests."""
    trace = Trace()
    trace.events.append((0, Kind.CLOSE, 0, 0, None))
    with pytest.raises(ValueError, match="unmarshallable"):
        trace.digest()


def test_asking_for_the_digest_changes_nothing() -> None:
    trace = Trace()
    first = trace.digest()
    assert trace.digest() == first
    trace.events.append((0, int(Kind.CLOSE), 0, 0, None))
    assert trace.digest() != first


def test_actors_are_numbered_as_they_come() -> None:
    trace = Trace()
    assert [trace.name(0, "a"), trace.name(5, "b")] == [0, 1]
    assert trace.names == ["a", "b"]
    assert trace.events == [(0, Kind.NAME, 0, 0, "a"), (5, Kind.NAME, 1, 0, "b")]


@given(events)
def test_a_digest_that_does_not_cover_contents_covers_everything_else(recorded):
    other = [(t, k, w, n, b"other" if isinstance(d, bytes) else d) for t, k, w, n, d in recorded]
    traces = [Trace(), Trace(), Trace()]
    for trace, these in zip(traces, (recorded, other, [*recorded, (0, 5, 0, 1, b"x")]), strict=True):
        trace.covers_contents = False
        trace.events.extend(these)
    assert traces[0].digest() == traces[1].digest() != traces[2].digest()
