"""What a network may decide, how a decision is written down, and who decides."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import Deviation, Happening, Network, Rule, Script, UsageError, parse
from simnet.choices import Calm, Choices, Point, Recording, Scripted, Seeded
from simnet.fuzz.strategies import scripts
from simnet.happenings import HAPPENINGS
from simnet.outcomes import (
    CORRUPTION,
    DELAYS_NS,
    EVERY,
    GENTLE,
    HARSH,
    OUTCOMES,
    option,
    option_index,
    options,
)
from simnet.script import Item
from simnet.words import ordinal

sizes = st.integers(0, 200)
ops = st.sampled_from(sorted(OUTCOMES))
hosts = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", fullmatch=True)
places = st.one_of(
    hosts,
    st.builds("{}:{}".format, hosts, st.integers(1, 65535)),
    st.builds("{}:{} -> {}:{}".format, hosts, st.integers(1, 99), hosts, st.integers(1, 65535)),
    st.builds(
        "#{} {}".format,
        st.integers(1, 99),
        st.sampled_from(["client", "server", "listener", "host", "network"]),
    ),
)


@st.composite
def deviations(draw: Any) -> Deviation:
    op = draw(ops)
    kind = draw(st.sampled_from(OUTCOMES[op]))
    amounts = kind.amounts(draw(st.integers(2, 10**9)))
    amount = amounts[draw(st.integers(0, len(amounts) - 1))]
    return Deviation(draw(places), op, draw(st.integers(1, 10**6)), kind.name, amount)


groups = st.lists(hosts, min_size=1, max_size=3).map(tuple)


@st.composite
def happenings(draw: Any) -> Happening:
    what = draw(st.sampled_from(list(HAPPENINGS)))
    holes = HAPPENINGS[what].words.holes
    sides = [
        draw(groups if hole == "hosts" else hosts.map(lambda h: (h,))) for hole in holes if "host" in hole
    ]
    amounts = [draw(st.integers(hole == "count", 10**15)) for hole in holes if "host" not in hole]
    return Happening(draw(st.integers(0, 10**15)), what, tuple(sides), tuple(amounts))


BYTES = ("send", "recv", "segment", "datagram")


@st.composite
def rules(draw: Any) -> Rule:
    deviation = draw(deviations())
    return Rule(
        where=draw(st.one_of(st.just("*"), places)),
        op=deviation.op,
        outcome=deviation.outcome,
        amount=deviation.amount,
        nth=draw(st.none() | st.integers(1, 10**6)),
        containing=draw(st.none() | st.binary(min_size=1, max_size=8)) if deviation.op in BYTES else None,
        start_ns=draw(st.integers(0, 10**15)),
        end_ns=draw(st.none() | st.integers(10**15 + 1, 10**16)),
        percent=draw(st.floats(0.001, 100)),
        times=draw(st.none() | st.integers(1, 10**6)),
    )


# --- options -------------------------------------------------------------------------------------


@given(ops, sizes)
def test_every_option_but_the_first_means_something_and_can_be_found_by_it(op: str, size: int) -> None:
    meanings = [option(op, size, index) for index in range(1, options(op, size))]
    assert len(set(meanings)) == len(meanings)
    assert [option_index(op, size, name, amount) for name, amount in meanings] == [
        *range(1, len(meanings) + 1)
    ]


@given(ops, sizes, st.integers(0, 10**6))
def test_an_amount_that_is_out_of_range_is_not_possible_or_wrapped(op: str, size: int, amount: int) -> None:
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        exact = option_index(op, size, outcome.name, amount)
        wrapped = option_index(op, size, outcome.name, amount, wrap=True)
        assert (exact != 0) is (amount in amounts)
        assert (wrapped != 0) is (len(amounts) > 0)
        if exact:
            assert wrapped == exact


def test_a_send_of_three_bytes_can_take_two_or_one_or_none_or_wait_or_be_reset() -> None:
    """From mild to severe."""
    assert [option("send", 3, index) for index in range(1, options("send", 3))] == [
        ("takes", 2), ("takes", 1), ("again", 0), *(("blocks", delay_ns) for delay_ns in DELAYS_NS),
        ("fails", 105), ("fails", 12), ("reset", 0),
    ]  # fmt: skip


def test_an_outcome_that_an_operation_does_not_have_is_named() -> None:
    with pytest.raises(UsageError, match="'recv' has no outcome 'cut'; it has again, fails, reset"):
        option_index("recv", 5, "cut", 1)


def test_gentle_weather_is_a_part_of_all_weather() -> None:
    assert GENTLE < EVERY < HARSH
    assert not HARSH & CORRUPTION
    assert {f"{op} {outcome}" for op, outcome in EVERY - GENTLE} == {
        *(
            "connect refused",
            "connect unreachable",
            "connect hangs",
            "life reset",
            "accept fails",
            "accept reset",
        ),
        *("send reset", "recv reset", "segment reset", "life reset"),
        "segment torn",
        *("datagram late", "datagram twice", "datagram lost", "datagram refused"),
        "datagram burst",
        *("happening partition_for", "happening block_for", "happening isolate_for", "happening flap"),
        "happening kill_for",
    }
    assert {f"{op} {outcome}" for op, outcome in HARSH - EVERY} == {
        *("send fails", "recv fails", "segment last", "lookup again", "lookup fails"),
        *("happening crash_for", "happening limit_for"),
        *("connect fails", "datagram fails", "segment ended", "life ended"),
    }


# --- sentences -----------------------------------------------------------------------------------


@given(st.one_of(deviations(), happenings(), rules()))
def test_what_a_deviation_says_is_read_back_as_that_deviation(item: Item) -> None:
    assert parse(str(item)) == item
    assert parse(f"  {item}  ".replace(" ", "  ")) == item


@given(st.lists(deviations(), max_size=4), st.lists(happenings(), max_size=3), st.lists(rules(), max_size=3))
def test_a_script_is_its_sentences_and_its_repr_evaluates(
    some: list[Deviation], more: list[Happening], standing: list[Rule]
) -> None:
    script = Script(some, more, standing)
    assert Script.of(map(parse, script.sentences())) == script
    assert eval(repr(script)) == script
    assert len(script) == len(some) + len(more) + len(standing)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            "the 2nd send of client:1 -> server:7 takes 1 byte",
            Deviation("client:1 -> server:7", "send", 2, "takes", 1),
        ),
        ("1st accept of server:7 fails with EMFILE", Deviation("server:7", "accept", 1, "fails", 24)),
        (
            "the 3rd segment of #1 client comes 5ms late",
            Deviation("#1 client", "segment", 3, "late", 5_000_000),
        ),
        ("at 1.5s partition a and b from c", Happening(1_500_000_000, "partition", (("a", "b"), ("c",)))),
        ("at 2min heal", Happening(120_000_000_000, "heal")),
        ("every send on client takes 1 byte", Rule(where="client", op="send", outcome="takes", amount=1)),
        (
            "the 2nd recv on server containing 'EHLO ' is reset, from 1s, until 2s, 10% of the time, "
            "at most 3 times",
            Rule(
                where="server",
                op="recv",
                outcome="reset",
                nth=2,
                containing=b"EHLO ",
                start_ns=1_000_000_000,
                end_ns=2_000_000_000,
                percent=10,
                times=3,
            ),
        ),
        ("every segment anywhere is lost", Rule(where="*", op="segment", outcome="lost")),
    ],
)
def test_people_write_scripts_in_sentences(sentence: str, expected: Item) -> None:
    assert parse(sentence) == expected


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", "not understood: ''; write 'the 2nd send"),
        ("the send of client is reset", "not understood"),
        ("the 1st sned of client is reset", "no operation 'sned'; there are connect, accept, send"),
        ("the 1st recv of client takes 1 byte", "a recv is told to try again; fails with EMFILE; is reset"),
        ("the 1st accept of server:7 fails with ENONSENSE", "no errno is called 'ENONSENSE'"),
        ("at 1s partition a", "in 'partition a'; write partition a and b from a and b"),
        ("at 1s heal a", "in 'heal a'; write heal"),
        ("at 1s crash", "in 'crash'; write crash a"),
        ("the 1st send of #1 client fails with ECONNRESET", "what is: fails with ENOBUFS, fails with ENOMEM"),
        (
            "every segment on a comes 3ms late",
            "a segment: comes 3ms late; what is: comes 1ms late",
        ),
        ("at 1s isolat a", "in 'isolat a'; write isolate a"),
        ("at 1s it rains", "in 'it rains'; write partition a and b from a and b; block"),
        ("the 0th send of client is reset", "nth"),
        (
            "every send on client takes none",
            "what happens to the send is not understood in 'on client takes none'",
        ),
        ("every sned on client takes 1 byte", "no operation 'sned'"),
        ("every send on client is reset, 0% of the time", "a rule holds more than 0%"),
        (
            "every send on client is reset, from 3s, until 1s",
            "a rule that holds from 3s cannot hold until 1s",
        ),
        ("every send on client is reset, from 3s, from 1s", "two conditions of one kind"),
        ("every send on client containing '\\x' is reset", "no bytes are written"),
    ],
)
def test_a_sentence_that_is_not_understood_is_answered_by_one_that_would_be(
    sentence: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(sentence)


@given(st.integers(1, 10_000))
def test_ordinals_are_those_of_english(number: int) -> None:
    text = ordinal(number)
    assert text.startswith(str(number))
    teens = number % 100 in (11, 12, 13)
    endings = {"1": "st", "2": "nd", "3": "rd"}
    assert text.removeprefix(str(number)) == ("th" if teens else endings.get(str(number)[-1], "th"))


# --- who decides ---------------------------------------------------------------------------------


def points(count: int) -> list[Point]:
    return [
        Point("client", "#1 client", ("send", "recv", "segment")[n % 3], n + 1, n % 7) for n in range(count)
    ]


def picks(choices: Choices, count: int = 300) -> list[int]:
    return [choices.pick(point, options(point.op, point.size)) for point in points(count)]


def test_the_textbook_network_picks_the_mildest_always() -> None:
    assert set(picks(Calm())) == {0}
    assert not Calm().watches("anywhere", "#1 client")


@given(st.integers(0, 10**6))
def test_a_seed_is_a_storm_and_the_same_storm_again(seed: int) -> None:
    storm = Seeded(seed)
    first = picks(storm)
    assert picks(Seeded(seed)) == first == picks(storm.again())
    assert all(0 <= pick < options(p.op, p.size) for pick, p in zip(first, points(300), strict=True))


def test_storms_differ() -> None:
    assert len({tuple(picks(Seeded(seed))) for seed in range(30)}) > 20


@pytest.mark.parametrize("wrong", [-1, True, 1.0, "7", None])
def test_a_seed_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(UsageError, match="a seed is a whole number"):
        Seeded(wrong)


@given(st.integers(0, 10**6))
def test_a_recorded_storm_is_a_script_that_picks_the_same(seed: int) -> None:
    recording = Recording(Seeded(seed))
    stormy = picks(recording)
    assert picks(Scripted(recording.script())) == stormy
    assert len(recording.script()) == sum(map(bool, stormy))


def test_a_script_by_alias_is_the_script_by_name() -> None:
    by_name = Script([Deviation("client", "send", 4, "takes", 1)])
    by_alias = Script([Deviation("#1 client", "send", 4, "takes", 1)])
    assert picks(Scripted(by_name)) == picks(Scripted(by_alias))


def test_what_a_script_wanted_and_did_not_get_is_unmet() -> None:
    """The 1st send has size 0: it cannot take a part."""
    impossible = Deviation("client", "send", 1, "takes", 1)
    never = Deviation("server", "send", 1, "reset")
    met = Deviation("client", "send", 4, "takes", 1)
    scripted = Scripted(Script([impossible, never, met]))
    picks(scripted)
    assert scripted.unmet() == (impossible, never)


def test_a_network_takes_one_supplier() -> None:
    with pytest.raises(UsageError, match="one of script, seed and choices"):
        Network(Script(), seed=1)


@given(scripts(HARSH | CORRUPTION))
def test_a_drawn_script_is_its_sentences(script: Script) -> None:
    assert Script.of(map(parse, script.sentences())) == script
