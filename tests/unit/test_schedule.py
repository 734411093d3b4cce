"""A schedule gives its entries by time, and by planning within an instant, whichever queue holds them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simnet.virtual.schedule import Schedule


class Log:
    """Writes down what arrives; may plan more for the same moment."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.arrived: list[Any] = []
        self.now_ns = 0

    def arrive(self, item: Any) -> None:
        self.arrived.append(item)
        if isinstance(item, tuple):
            name, followers = item
            for number in range(followers):
                self.schedule.plan(self.now_ns, self, f"{name}.{number}")


def run(schedule: Schedule, log: Log) -> None:
    while (time_ns := schedule.next_time()) is not None:
        log.now_ns = time_ns
        schedule.deliver(time_ns)


# At a moment of the clock, plan something with a delay: in the lane of that delay, or in the heap.
plans = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=40)


@given(plans)
def test_entries_arrive_by_time_and_then_in_the_order_of_planning(
    program: list[tuple[int, int, bool]],
) -> None:
    schedule = Schedule()
    log, now_ns, planned = Log(schedule), 0, []
    for number, (pause_ns, delay_ns, in_lane) in enumerate(program):
        now_ns += pause_ns
        planned.append((now_ns + delay_ns, number))
        if in_lane:
            schedule.lane(delay_ns).append((now_ns + delay_ns, schedule.sequence(), log, number))
        else:
            schedule.plan(now_ns + delay_ns, log, number)
    assert len(schedule) == len(program)
    run(schedule, log)
    assert log.arrived == [number for _, number in sorted(planned)]
    assert len(schedule) == 0


@given(plans, st.sets(st.integers(0, 39)))
def test_what_is_extracted_is_taken_out_in_order_and_the_rest_stays(
    program: list[tuple[int, int, bool]], wanted: set[int]
) -> None:
    schedule = Schedule()
    log, now_ns, planned = Log(schedule), 0, []
    for number, (pause_ns, delay_ns, in_lane) in enumerate(program):
        now_ns += pause_ns
        planned.append((now_ns + delay_ns, number))
        if in_lane:
            schedule.lane(delay_ns).append((now_ns + delay_ns, schedule.sequence(), log, number))
        else:
            schedule.plan(now_ns + delay_ns, log, number)
    taken = [entry[3] for entry in schedule.extract(lambda entry: entry[3] in wanted)]
    run(schedule, log)
    assert taken == [number for _, number in sorted(planned) if number in wanted]
    assert log.arrived == [number for _, number in sorted(planned) if number not in wanted]


def test_what_is_planned_for_the_present_moment_arrives_after_what_was_planned_before() -> None:
    schedule = Schedule()
    log = Log(schedule)
    schedule.lane(5).append((5, schedule.sequence(), log, ("a", 2)))
    schedule.plan(5, log, "b")
    schedule.lane(5).append((5, schedule.sequence(), log, "c"))
    schedule.plan(6, log, "later")
    log.now_ns = 5
    schedule.deliver(5)
    assert log.arrived == [("a", 2), "b", "c", "a.0", "a.1"]
    assert schedule.next_time() == 6


def test_one_latency_has_one_lane() -> None:
    schedule = Schedule()
    assert schedule.lane(7) is schedule.lane(7)
    assert schedule.lane(7) is not schedule.lane(8)
    assert schedule.next_time() is None
