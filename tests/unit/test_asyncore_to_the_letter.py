"""`simnet.asyncore` against the asyncore that Python had, on real loopback: no difference at all.

The same programs note the same lines with either module: who is told what, in which order, what is returned,
raised and printed.  The old modules are those of Python 3.11, or, later, pyasyncore and pyasynchat.
"""

import pytest

from tests.unit.letter import OURS, noted, old_modules
from tests.unit.letter_details import DETAILS
from tests.unit.letter_programs import EXCEPTIONS, PROGRAMS, raising

THEIRS = old_modules()

# On a busy computer something may come a pass later: it counts if both say the same once in three times.
pytestmark = pytest.mark.flaky(reruns=2)

by_select_and_by_poll = pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])


def agree(program, use_poll):
    theirs = noted(THEIRS, program, use_poll)
    assert theirs
    assert noted(OURS, program, use_poll) == theirs


@by_select_and_by_poll
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_notices_no_difference(program, use_poll):
    agree(program, use_poll)


@by_select_and_by_poll
@pytest.mark.parametrize("close_on_error", [False, True], ids=["default", "own handle_error"])
@pytest.mark.parametrize("error", EXCEPTIONS, ids=repr)
def test_what_a_handler_lets_out_has_the_same_consequences(error, close_on_error, use_poll):
    agree(raising(error, close_on_error), use_poll)


@by_select_and_by_poll
@pytest.mark.parametrize("close_on_error", [False, True], ids=["default", "own handle_error"])
def test_exit_now_leaves_the_loop(close_on_error, use_poll):
    def program(world):
        raising(world.asyncore.ExitNow("enough"), close_on_error)(world)

    agree(program, use_poll)


@pytest.mark.parametrize("program", DETAILS, ids=lambda program: program.__name__)
def test_no_detail_differs(program):
    agree(program, use_poll=False)
