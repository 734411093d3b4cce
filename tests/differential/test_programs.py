"""Programs: what a seed writes, how a program is printed and read, how it is made short."""

from __future__ import annotations

import pytest

from simnet.oracle.draws import Draws, Weighted
from simnet.oracle.generate import generate
from simnet.oracle.idioms import IDIOMS
from simnet.oracle.lockstep import shrink
from simnet.oracle.operations import OPERATIONS
from simnet.oracle.profiles import PROFILES
from simnet.oracle.program import SLOTS, Call, parse
from simnet.oracle.recorded import recorded


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_writes_the_program_that_it_wrote_when_the_logs_were_recorded(profile: str) -> None:
    """On another day, another machine, and perhaps another Python."""
    for seed, (program, _) in enumerate(recorded(profile)):
        assert generate(seed, profile) == program


def test_another_seed_or_profile_writes_another_program() -> None:
    programs = [tuple(generate(seed, profile)) for seed in range(20) for profile in PROFILES]
    assert len(set(programs)) == 20 * len(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_call_can_be_printed_and_read_back(profile: str) -> None:
    for seed in range(20):
        program = generate(seed, profile)
        assert [parse(repr(call)) for call in program] == program


@pytest.mark.parametrize("profile", PROFILES)
def test_a_program_has_its_length_and_keeps_to_its_slots(profile: str) -> None:
    """40 calls, or now and then 120. An idiom is written out to its end, and the longest has 13 calls."""
    for seed in range(20):
        program = generate(seed, profile)
        assert 40 <= len(program) <= 40 + 13 or 120 <= len(program) <= 120 + 13
        assert all(0 <= call.slot < SLOTS for call in program)


def test_a_profile_knows_every_word_that_it_uses() -> None:
    for profile in PROFILES.values():
        for word in (*profile.opening, *profile.calls.words):
            assert word in OPERATIONS or word in IDIOMS


def test_every_operation_is_used_by_some_profile() -> None:
    used = {call.op for profile in PROFILES for seed in range(40) for call in generate(seed, profile)}
    assert used == set(OPERATIONS)


def test_a_line_that_is_no_call_is_refused() -> None:
    with pytest.raises(ValueError, match="not a call"):
        parse("recv(1)")


# --- draws ---------------------------------------------------------------------------------------


def test_the_draws_of_a_seed_are_these_on_every_python() -> None:
    draws = Draws("tcp 1")
    assert [draws.below(100) for _ in range(12)] == [16, 38, 58, 33, 26, 98, 83, 63, 95, 35, 89, 35]


def test_words_are_drawn_as_often_as_their_weight_says() -> None:
    """3 of 4 draws, give or take: 750 of 1000 with a standard deviation of 14."""
    words, draws = Weighted({"often": 3, "never": 0, "seldom": 1}), Draws("weights")
    drawn = [words.draw(draws) for _ in range(1000)]
    assert 680 < drawn.count("often") < 820
    assert drawn.count("often") + drawn.count("seldom") == 1000


# --- shrinking -----------------------------------------------------------------------------------

NOISE = [Call("noise", 0, (number,)) for number in range(20)]
FIRST, SECOND = Call("send", 1, (3,)), Call("close", 2)


def _needs_both(program: list[Call]) -> bool:
    """As a difference that needs one call and, later, another."""
    return FIRST in program and SECOND in program[program.index(FIRST) :]


def test_shrinking_leaves_only_the_calls_that_matter() -> None:
    program = [*NOISE[:7], FIRST, *NOISE[7:], SECOND, *NOISE[:3]]
    assert shrink(program, _needs_both) == [FIRST, SECOND]


def test_shrinking_keeps_a_program_of_which_all_matters() -> None:
    assert shrink([FIRST, SECOND], _needs_both) == [FIRST, SECOND]


def test_shrinking_ends_with_nothing_if_nothing_matters() -> None:
    assert shrink(NOISE, lambda program: True) == []
