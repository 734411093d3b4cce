"""What is put aside before two kernels are compared, and what is not."""

from __future__ import annotations

import errno
import socket

import pytest

from simnet.oracle.lockstep import SKIPPED, Difference, difference, report
from simnet.oracle.normal import Names, NotSimulated, outcome
from simnet.oracle.program import Call
from simnet.oracle.words import Coverage, mask_name

NAMES = {"P1": 2001, "P2": 2002}


def test_ports_that_the_kernel_chose_are_called_in_the_order_of_their_appearance() -> None:
    names = Names(NAMES, 3)
    chosen = [names.address(("127.0.0.1", port)) for port in (40123, 51000, 40123)]
    assert chosen == [("127.0.0.1", "e1"), ("127.0.0.1", "e2"), ("127.0.0.1", "e1")]


def test_explicit_ports_have_the_names_of_the_program_and_no_port_is_0() -> None:
    names = Names(NAMES, 3)
    assert names.address(("0.0.0.0", 2002)) == ("0.0.0.0", "P2")
    assert names.address(("::1", 0, 0, 0)) == ("::1", 0, 0, 0)


def test_an_address_keeps_everything_but_its_port() -> None:
    assert Names(NAMES, 3).address(("::1", 40000, 7, 2)) == ("::1", "e1", 7, 2)


def test_names_of_unix_sockets_are_put_aside_only_if_the_kernel_chose_them() -> None:
    names = Names(NAMES, 3)
    assert [names.address(name) for name in (b"\x00001f2", b"\x00abcde", b"\x00001f2")] == ["a1", "a2", "a1"]
    assert names.address(b"\0name1") == b"\0name1"
    assert names.address("name1") == "name1"


def test_descriptors_are_counted_from_the_first_that_a_program_gets() -> None:
    names = Names(NAMES, 9)
    assert [names.descriptor(number) for number in (9, 11, -1)] == [0, 2, -1]


def _raises(error: BaseException) -> object:
    def call() -> None:
        raise error

    return outcome(call)


def test_an_outcome_is_a_value_or_the_name_of_what_was_raised() -> None:
    assert outcome(lambda: b"abc") == b"abc"
    assert outcome(lambda: None) == "ok"
    assert _raises(OSError(errno.EPIPE, "in any words")) == "EPIPE"
    assert _raises(TimeoutError("timed out")) == "TimeoutError"
    assert _raises(socket.gaierror(-2, "unknown")) == "gaierror"
    assert _raises(OverflowError("port")) == "OverflowError"


def test_what_is_not_simulated_is_no_outcome() -> None:
    with pytest.raises(NotSimulated, match="MSG_OOB"):
        _raises(NotImplementedError("MSG_OOB is not simulated"))


def test_a_broken_invariant_is_no_outcome() -> None:
    with pytest.raises(AssertionError):
        _raises(AssertionError())


# --- logs ----------------------------------------------------------------------------------------

PROGRAM = [Call("socket", 0, ("inet", "stream")), Call("recv", 0, (4, "")), Call("close", 0)]
LOG = [("ok", ((0, 0x14, 0),)), ("ENOTCONN", ((0, 0x14, 0),)), ("ok", ())]


def test_equal_logs_do_not_differ() -> None:
    assert difference(PROGRAM, LOG, list(LOG)) is None


@pytest.mark.parametrize(
    "entry", [("EAGAIN", ((0, 0x14, 0),)), ("ENOTCONN", ((0, 0x04, 0),)), ("ENOTCONN", ((0, 0x14, 1),))]
)
def test_a_result_a_mask_or_an_amount_is_a_difference(entry: object) -> None:
    found = difference(PROGRAM, LOG, [LOG[0], entry, LOG[2]])  # type: ignore[list-item]
    assert found == Difference(1, PROGRAM[1], LOG[1], entry)  # type: ignore[arg-type]


def test_a_call_that_one_machine_left_out_ends_the_comparison() -> None:
    """From there on they are in different states."""
    assert difference(PROGRAM, [LOG[0], (SKIPPED, LOG[0][1]), ("EPIPE", ())], LOG) is None


def test_a_report_shows_the_program_up_to_the_difference_and_what_both_said() -> None:
    found = Difference(1, PROGRAM[1], LOG[1], ("EAGAIN", ((0, 0x2005, 7),)))
    assert report(PROGRAM, found).split("\n") == [
        "  s0.socket('inet', 'stream')",
        "  s0.recv(4, '')",
        "    virtual  'ENOTCONN'; s0 OUT|HUP 0",
        "    real     'EAGAIN'; s0 IN|OUT|RDHUP 7",
    ]


def test_coverage_counts_kinds_of_call_result_and_readiness() -> None:
    coverage = Coverage()
    assert coverage.add(PROGRAM, LOG) == 3
    assert coverage.add(PROGRAM, [*LOG[:2], (None, ())]) == 2  # a call on an empty slot is none
    assert coverage.seen["recv", "ENOTCONN", 0x14] == 2
    assert coverage.kinds == 3


def test_a_mask_is_named_by_its_bits() -> None:
    assert [mask_name(mask) for mask in (0, 0x2015)] == ["-", "IN|OUT|HUP|RDHUP"]
