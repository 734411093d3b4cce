"""What is in a cell: one operation in one state, written so that two machines can write the same."""

from __future__ import annotations

import pytest

from simnet.oracle.matrix.bench import Bench, Situation
from simnet.oracle.matrix.cells import Place, make, make_one, names, places, written
from simnet.oracle.matrix.kinds import KINDS
from simnet.oracle.matrix.reasons import Reason
from simnet.oracle.matrix.record import grouped, ungrouped
from simnet.oracle.matrix.registry import Registry
from simnet.oracle.matrix.sequences import drawn, shortened
from simnet.oracle.matrix.verdict import differ
from simnet.virtual import Network


def bench(kind: str = "tcp4") -> Bench:
    return Bench(Network().host("machine").modules, KINDS[kind], names(), settle=lambda: None)


def fresh(b: Bench) -> Situation:
    return Situation(b.new())


@pytest.mark.parametrize(
    ("before", "after", "cell"),
    [
        (("OUT;w", ""), ("OUT;w", ""), "1 1"),
        (("OUT;w", "OUT;w"), ("IN;r", "OUT;w"), "1 1 => IN;r"),
        (("OUT;w", "OUT;w"), ("OUT;w", "IN|OUT;rw"), "1 1 (peer => IN|OUT;rw)"),
        (("OUT;w", "OUT;w"), ("IN;r", ""), "1 1 => IN;r (peer => closed)"),
    ],
)
def test_a_cell_has_the_readiness_that_changed(before, after, cell):
    assert written(["1", "1"], before, after) == cell


def test_an_operation_that_does_not_apply_has_no_cell():
    assert make_one(bench(), fresh, lambda b, s: None) is None


def test_what_is_not_simulated_is_named_in_its_cell():
    def operate(b: Bench, s: Situation) -> list[str]:
        raise NotImplementedError("this")

    assert make_one(bench(), fresh, operate) == "NotImplementedError: this"


def test_an_exception_that_no_kernel_raises_is_in_its_cell():
    def operate(b: Bench, s: Situation) -> list[str]:
        raise AssertionError("two ends")

    assert make_one(bench(), fresh, operate) == "AssertionError: two ends"


def test_sockets_of_a_cell_are_closed_with_it():
    place = Place("tcp4", "listening_backlog_full", "getsockname")
    host = Network().host("machine")
    kind = KINDS["tcp4"]
    (cell,) = make([place], lambda _: Bench(host.modules, kind, names(), settle=lambda: None))
    assert cell == (place, "<lo:self>")
    assert host.sockets() == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: None, "ok"),
        (lambda: b"hello", "b'hello'"),
        (lambda: b"f" * 100, "b'f'*100"),
        (lambda: True, "True"),
        (lambda: memoryview(b"hello"), "b'hello'"),
    ],
)
def test_a_result_is_written_as_it_is(call, said):
    assert bench().answer(call) == said


def test_an_error_is_written_as_its_errno():
    b = bench()
    assert b.answer(b.new().getpeername) == "ENOTCONN"


def test_a_timeout_of_python_has_no_errno():
    b = bench()
    sock = b.new()
    sock.bind(b.free_address())
    sock.listen()
    b.timeout_set(sock)
    assert b.answer(sock.accept) == "TimeoutError"


def test_an_address_is_written_by_whose_it_is():
    b = bench()
    listener = b.listener()
    opener = b.connected(listener)
    assert b.address(opener.getpeername) == "<lo:listener>"
    assert b.address(opener.getsockname) == "<lo:port>"
    b.name(opener, "opener")
    assert b.address(opener.getsockname) == "<lo:opener>"
    assert b.address(b.new().getsockname) == "<any:0>"


def test_a_function_of_a_table_is_for_the_kinds_of_its_groups():
    table = Registry()

    @table("udp")
    def only_udp() -> None: ...

    @table()
    def every() -> None: ...

    assert list(table.of(KINDS["udp6"])) == ["only_udp", "every"]
    assert list(table.of(KINDS["tcp4"])) == ["every"]


def test_a_table_has_no_two_functions_of_one_name():
    table = Registry()

    def name() -> None: ...

    table("udp")(name)
    with pytest.raises(AssertionError, match="name is taken"):
        table("udp", "tcp")(name)


def test_kinds_of_one_family_have_the_same_table():
    of = {kind: {(place.state, place.operation) for place in places([kind])} for kind in KINDS}
    assert of["tcp4"] == of["tcp6"]
    assert of["udp4"] == of["udp6"]
    assert of["unix"] == of["unixseq"]


def test_operations_of_a_sequence_are_made_one_after_the_other():
    b = bench()

    def operate(b: Bench, s: Situation) -> list[str]:
        return [b.answer(s.sock.listen, 1)]

    assert make_one(b, fresh, operate, operate) == "ok => -;- + ok"


def test_the_same_seed_draws_the_same_sequences():
    sequences = drawn(["udp4", "unix"], 50, length=3, seed=3)
    assert sequences == drawn(["udp4", "unix"], 50, length=3, seed=3)
    assert sequences != drawn(["udp4", "unix"], 50, length=3, seed=4)
    assert {place.kind for place in sequences} == {"udp4", "unix"}
    assert {place.operation.count("+") for place in sequences} == {2}


def test_a_sequence_that_differs_loses_what_the_difference_does_not_need():
    """The virtual side is wrong wherever `close` comes before `recv`."""

    def wrong(wanted: list[Place]) -> dict[Place, str]:
        return {place: "wrong" if "close" in place.operation.partition("recv")[0] else "" for place in wanted}

    def right(wanted: list[Place]) -> dict[Place, str]:
        return dict.fromkeys(wanted, "")

    place = Place("tcp4", "fresh", "send+close+listen+recv+accept")
    assert shortened(place, right, wrong).operation == "close"


def test_what_is_not_simulated_contradicts_nothing():
    assert differ("ok", "EINVAL")
    assert differ("ok", None)
    assert not differ("ok", "ok")
    assert not differ("ok", "NotImplementedError: this")


def test_answers_are_grouped_by_state_and_read_back():
    cells = {
        Place("udp4", "fresh", "recv"): "EAGAIN",
        Place("udp4", "fresh", "send"): "EDESTADDRREQ",
        Place("udp4", "fresh", "accept"): "EAGAIN",
    }
    groups = grouped(cells)
    assert groups == {"udp4": {"fresh": {"EAGAIN": "accept recv", "EDESTADDRREQ": "send"}}}
    assert ungrouped(groups) == cells


def test_a_reason_covers_nothing_but_what_it_explains():
    reason = Reason("name", "why", ("tcp?/*/recv",), live="EAGAIN*", virtual="b''")
    place = Place("tcp6", "fresh", "recv")
    assert reason.covers(place, "EAGAIN => OUT;w", "b''")
    assert not reason.covers(place, "EAGAIN", "b'x'")
    assert not reason.covers(place, "ENOTCONN", "b''")
    assert not reason.covers(Place("udp4", "fresh", "recv"), "EAGAIN", "b''")
