"""Durations, sizes and rates are read exactly, and what is written can be read back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet import UsageError
from simnet.units import duration, duration_ns, rate_bits, seconds, size_bytes


@given(st.integers(0, 10**18))
def test_a_duration_that_was_written_is_read_back(ns: int) -> None:
    assert duration_ns(duration(ns)) == ns


@given(
    st.integers(0, 10**15),
    st.sampled_from([("ns", 1), ("us", 10**3), ("µs", 10**3), ("ms", 10**6), ("s", 10**9)]),
)
def test_every_unit_of_time_is_exact(amount: int, unit: tuple[str, int]) -> None:
    name, scale = unit
    assert duration_ns(f"{amount}{name}") == duration_ns(f" {amount} {name} ") == amount * scale


@given(st.decimals(0, 10**6, places=9))
def test_decimal_seconds_are_not_rounded(amount: Any) -> None:
    assert duration_ns(f"{amount:f}s") == int(Fraction(amount) * 10**9)


@given(st.integers(-(10**15), 10**15))
def test_seconds_for_people_are_exact_and_have_three_decimals(ns: int) -> None:
    text = seconds(ns)
    assert Fraction(text) * 10**9 == ns
    assert len(text.rpartition(".")[2]) >= 3


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (duration_ns, 1.5, 1_500_000_000),
        (duration_ns, 0, 0),
        (duration_ns, ".5s", 500_000_000),
        (duration_ns, "2min", 120_000_000_000),
        (duration_ns, "1h", 3_600_000_000_000),
        (size_bytes, "64KiB", 65_536),
        (size_bytes, "1.5kB", 1500),
        (size_bytes, 7, 7),
        (rate_bits, "10Mbit/s", 10_000_000),
        (rate_bits, "1MB/s", 8_000_000),
        (rate_bits, "1KiB/s", 8192),
        (rate_bits, 9600, 9600),
    ],
)
def test_people_write_quantities_with_units(read: Any, text: Any, expected: int) -> None:
    assert read(text) == expected


@pytest.mark.parametrize("read", [duration_ns, size_bytes, rate_bits])
@pytest.mark.parametrize(
    "wrong",
    ["", "fast", "1 2", "-1s", "1e3", "5parsec", "inf", -1, float("nan"), float("inf"), True, None, [1]],
)
def test_what_cannot_mean_anything_is_refused(read: Any, wrong: Any) -> None:
    with pytest.raises(UsageError):
        read(wrong)


def test_the_message_names_what_would_be_understood() -> None:
    with pytest.raises(UsageError, match=r"'5 parsec' is no duration; write one like '20ms'"):
        duration_ns("5 parsec")
