"""The comparison of loops on real sockets measures what it says, in a size that takes a moment."""

from __future__ import annotations

import pytest

from benchmarks.real.__main__ import main, table
from benchmarks.real.contestants import BASELINE, CONTESTANTS, Contestant
from benchmarks.real.load import Load
from benchmarks.real.rounds import Effort, Figures, Row, Scenario, Server, compare

pytestmark = pytest.mark.once

TINY = Scenario(active=4, idle=6)
MOMENT = Effort(rounds=1, slices=2, seconds=0.02)


def unless_missing(contestant):
    reason = contestant.why_not(TINY.connections)
    return pytest.param(
        contestant, id=contestant.name, marks=pytest.mark.skipif(bool(reason), reason=str(reason))
    )


@pytest.mark.parametrize("contestant", [unless_missing(each) for each in CONTESTANTS])
def test_every_server_answers_every_request(contestant):
    server = Server(contestant)
    try:
        load = Load(server.port, TINY.active, TINY.idle)
        before = server.cpu_seconds()
        requests, seconds = load.run(0.02)
        load.close()
        assert requests >= TINY.active
        assert seconds >= 0.02
        assert server.cpu_seconds() > before
    finally:
        server.close()


def test_the_table_has_every_contestant_beside_the_hand_written_loop():
    absent = Contestant("a loop that nobody has", "plain", needs=("no_such_package_anywhere",))
    narrow = Contestant("select", "plain", descriptors_max=10)
    rows = compare(TINY, [BASELINE, CONTESTANTS[1], absent, narrow], MOMENT, lambda text: None)
    assert [len(row.pairs) for row in rows] == [2, 2, 0, 0]
    assert rows[0].relative_cpu == rows[0].relative_speed == [1.0, 1.0]
    assert all(own.per_second > 0 and own.cpu_us > 0 for own, _ in rows[1].pairs)
    lines = table(rows)
    assert lines[2].startswith("| 4 active, 6 idle | hand-written epoll loop | ")
    assert "not measured: no_such_package_anywhere is not installed" in lines[4]
    assert "not measured: select(2) stops at descriptor 9" in lines[5]


def test_more_is_better_in_both_relative_columns():
    """Half the requests/s, and twice the CPU a request: 0.5 and 0.5."""
    row = Row(TINY, BASELINE, ((Figures(100.0, 8.0), Figures(200.0, 4.0)),))
    assert (row.relative_speed, row.relative_cpu) == ([0.5], [0.5])
    assert table([row])[-1].split(" | ")[2:] == ["100", "0.50", "8.00", "0.50 |"]


def test_a_scenario_that_needs_more_descriptors_than_there_may_be_is_skipped_with_the_reason():
    rows = compare(Scenario(10**9), [BASELINE], MOMENT, lambda text: None)
    assert rows[0].why_not.startswith("it takes 2000000050 descriptors, and this process may have ")


def test_the_command_prints_the_table_and_how_to_print_it_again(capsys):
    main(["--quick", "--only", "dispatcher_with_send"], [TINY], MOMENT)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in printed[2:4]] == [
        "hand-written epoll loop",
        "simnet dispatcher_with_send",
    ]
    assert printed[-1] == "again: python -m benchmarks.real --quick --only dispatcher_with_send"
