"""The table of every call in every state: what is recorded, what a virtual host answers, what the docs say.

The record is of a live kernel, so these tests need none; but for one, which asks the live kernel about a
share of the cells again.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simnet.oracle.matrix.cells import NOT_SIMULATED, Cells, Place, places
from simnet.oracle.matrix.document import page
from simnet.oracle.matrix.kinds import KINDS
from simnet.oracle.matrix.live import live_cells
from simnet.oracle.matrix.reasons import REASONS
from simnet.oracle.matrix.record import Record, load, save
from simnet.oracle.matrix.sequences import drawn
from simnet.oracle.matrix.survey import Survey
from simnet.oracle.matrix.verdict import differ, judge
from simnet.oracle.matrix.virtual import virtual_cells
from simnet.oracle.namespace import NoNamespace
from simnet.virtual.kernel.tcp import TcpEnd
from tests import linux

DOCS = Path(__file__).parent.parent.parent / "docs"
SHARES = 4
"""Parts that the cells of a kind are dealt into, so that several processes may share the work."""

ASKED_AGAIN = 1500
ATTEMPTS = 3
AGAIN = "if that is as it should be, `make fidelity` writes the table anew"

ONCE_DIFFERED = {
    "tcp4/established_sndfull/buffer_sizes+so_error_then_recv_send": (
        "ok 4608 ok 20000 ok 2304 ok 20000 + 0 EAGAIN EAGAIN"
    ),
    "tcp4/self_connected/rcvlowat_9+epoll_edge": "ok + OUT - -",
    "tcp6/peer_reset_sndfull/buffer_sizes+connect_own_address": (
        "ok 4608 ok 20000 ok 2304 ok 20000 + ECONNRESET => OUT|HUP;rw"
    ),
    "tcp46/peer_reset_sndfull/connect_own_address+buffer_sizes": (
        "ECONNRESET => OUT|HUP;rw + ok 4608 ok 20000 ok 2304 ok 20000"
    ),
    "tcp46/listening_no_more/ipv6_v6only+connect_any": "0 ok 1 + ENETUNREACH ENOTCONN",
    "unixseq/established/sendmsg_nothing+peer_resets": (
        "0 (peer => IN|OUT;rw) + ok b'' EPIPE => IN|OUT|HUP|RDHUP;rw (peer => closed)"
    ),
}
"""Found by `simnet fidelity --sequences`, made short, and put right."""


@pytest.fixture(scope="module")
def record() -> Record:
    return load(DOCS / "fidelity.json")


def of_record(record: Record) -> Survey:
    return Survey(record.kernel, record.live, record.whole_virtual(), record.unstable)


@pytest.mark.once
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("kind", KINDS)
def test_the_virtual_kernel_answers_every_cell_as_the_table_says(record, kind, share):
    wanted = places([kind])[share::SHARES]
    expected = record.whole_virtual()
    found = virtual_cells(wanted)
    changed = {
        str(place): (expected.get(place), found.get(place))
        for place in wanted
        if expected.get(place) != found.get(place)
    }
    assert changed == {}, AGAIN


def test_the_record_is_of_the_linux_that_the_tests_expect(record):
    assert record.kernel.startswith(f"{linux.EXPECTED}.")


def test_every_difference_of_the_table_has_a_reason(record):
    verdict = of_record(record).verdict
    assert [str(difference) for difference in verdict.unexplained] == []


def test_every_reason_has_a_difference(record):
    assert [reason.name for reason in REASONS if reason not in of_record(record).verdict.explained] == []


def test_no_answer_of_the_virtual_kernel_is_a_broken_program(record):
    """An exception that no kernel raises would be written with its words."""
    broken = {str(place): cell for place, cell in record.virtual.items() if "Error: " in cell}
    assert {place: cell for place, cell in broken.items() if not cell.startswith(NOT_SIMULATED)} == {}


def test_the_page_is_what_the_record_says(record):
    assert (DOCS / "fidelity.md").read_text(encoding="utf-8") == page(of_record(record)), AGAIN


def test_the_live_kernel_answers_a_share_of_the_cells_as_recorded(record):
    """Chosen anew each time.  A cell may be asked again: another process may have been in the way."""
    seed = random.randrange(1 << 32)
    wanted = random.Random(seed).sample(asked_of_this_kernel(record), ASKED_AGAIN)
    try:
        for _ in range(ATTEMPTS):
            found = live_cells(wanted)
            wanted = [place for place in wanted if found.get(place) != record.live.get(place)]
            if not wanted:
                return
    except NoNamespace as why:
        pytest.skip(f"the live kernel cannot be asked: {why}")
    pytest.fail(
        f"seed {seed}: {[(str(place), record.live.get(place), found.get(place)) for place in wanted]}"
    )


def test_sequences_of_operations_agree_with_the_live_kernel(record):
    """Drawn anew each time: 300 of three operations.  A sequence that differs is asked again."""
    seed = random.randrange(1 << 32)
    wanted = drawn(kinds_of_this_kernel(record), 300, length=3, seed=seed)
    virtual = virtual_cells(wanted)
    try:
        for _ in range(ATTEMPTS):
            live = live_cells(wanted)
            wanted = [place for place in wanted if differ(live.get(place), virtual.get(place))]
            if not wanted:
                return
    except NoNamespace as why:
        pytest.skip(f"the live kernel cannot be asked: {why}")
    pytest.fail(f"seed {seed}: {[(str(place), live.get(place), virtual.get(place)) for place in wanted]}")


@pytest.mark.parametrize(("sequence", "linux"), ONCE_DIFFERED.items())
def test_a_sequence_that_once_differed_is_answered_as_linux_answers_it(sequence, linux):
    place = Place(*sequence.split("/"))
    assert virtual_cells([place]) == {place: linux}


def asked_of_this_kernel(record: Record) -> list[Place]:
    unstable = set(record.unstable)
    return [place for place in places(kinds_of_this_kernel(record)) if place not in unstable]


def kinds_of_this_kernel(record: Record) -> list[str]:
    """TCP and UDP answer the same on Linux 5.10 to 6.18; AF_UNIX has changed in corners."""
    has_ipv6 = Path("/proc/net/if_inet6").exists()
    return [
        kind.name
        for kind in KINDS.values()
        if (kind.is_inet or not linux.IS_ANOTHER) and (has_ipv6 or kind.family != "AF_INET6")
    ]


def test_a_record_is_read_as_it_was_written(record, tmp_path):
    save(record, tmp_path / "again.json")
    assert load(tmp_path / "again.json") == record


# --- canaries: a wrong answer is noticed ---------------------------------------------------------


def test_a_changed_cell_is_a_difference_without_a_reason(record):
    cells = dict(record.live)
    place = Place("tcp4", "established", "recv")
    cells[place] = "b''"
    (difference,) = judge(record.live, cells).unexplained
    assert str(difference) == "tcp4/established/recv\n  live     EAGAIN\n  virtual  b''"


def test_a_cell_that_only_one_kernel_has_is_a_difference(record):
    place = Place("tcp4", "established", "recv")
    without = {where: cell for where, cell in record.live.items() if where != place}
    assert [difference.place for difference in judge(record.live, without).unexplained] == [place]
    assert [difference.place for difference in judge(without, record.live).unexplained] == [place]


def test_what_is_not_simulated_is_counted_by_its_words_and_is_no_difference():
    place = Place("tcp4", "fresh", "recv")
    verdict = judge({place: "ENOTCONN"}, {place: f"{NOT_SIMULATED}recv() is not simulated"})
    assert verdict.not_simulated == {"recv() is not simulated": [place]}
    assert (verdict.equal, verdict.differences) == (0, [])


def test_a_virtual_kernel_that_forgets_hup_is_noticed(record, monkeypatch):
    right = TcpEnd.poll_mask
    monkeypatch.setattr(TcpEnd, "poll_mask", lambda end: right(end) & ~0x10)
    wanted = [Place("tcp4", "fresh", "readiness"), Place("tcp4", "established", "readiness")]
    assert noticed(record, wanted) == ["tcp4/fresh/readiness"]


def test_a_virtual_kernel_that_takes_an_error_twice_is_noticed(record, monkeypatch):
    """A refusal that is reported to SO_ERROR and to recv() as well."""
    wanted = [Place("tcp4", "refused_unobserved", "so_error_then_recv_send")]
    assert noticed(record, wanted) == []
    right = TcpEnd.recv
    refused = OSError(111, "Connection refused")

    def recv(end: TcpEnd, *args: object) -> bytes:
        if end.poll_mask() & 0x10:
            raise refused
        return right(end, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(TcpEnd, "recv", recv)
    assert noticed(record, wanted) == [str(wanted[0])]


def noticed(record: Record, wanted: list[Place]) -> list[str]:
    live: Cells = {place: record.live[place] for place in wanted}
    return [str(difference.place) for difference in judge(live, virtual_cells(wanted)).unexplained]
