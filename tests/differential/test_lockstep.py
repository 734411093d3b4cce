"""The virtual kernel answers random programs of socket calls as the live kernel does."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from functools import partial
from typing import Any

import pytest

from simnet.virtual.kernel.tcp import TcpEnd

from .lockstep import difference, shrink
from .program import ARGUMENTS, PROFILES, Call, generate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the virtual kernel answers as Linux does")

CALLS = 40
ERRNOS = (
    "EAGAIN EINPROGRESS EALREADY EISCONN EINVAL ENOTCONN EPIPE "
    "ECONNREFUSED ECONNRESET ECONNABORTED EADDRINUSE EBADF"
)
PROGRAMS = dict.fromkeys(PROFILES, 150) | {"full": 6}  # filling a buffer takes several delayed ACKs


@pytest.mark.parametrize("profile", PROFILES)
def test_random_programs_see_the_same_on_both_kernels(profile: str) -> None:
    for seed in range(PROGRAMS[profile]):
        program = generate(seed, profile, CALLS)
        if difference(program):
            program = shrink(program, difference)
            pytest.fail(f"seed {seed}:\n{_lines(program)}\n{difference(program)}")


def _lines(program: list[Call]) -> str:
    return "\n".join(map(repr, program))


def test_the_programs_reach_many_kinds_of_call_result_and_readiness() -> None:
    """What was compared: the greater part of the poll masks that TCP has, and the errnos of every call."""
    seen: Counter[Any] = Counter()
    for profile in PROFILES:
        for seed in range(PROGRAMS[profile] // 3):
            assert difference(generate(seed, profile, CALLS), seen) is None
    results = {result for _, result, _ in seen}
    masks = {mask for _, _, mask in seen}
    assert {op for op, _, _ in seen} == set(ARGUMENTS)
    assert set(ERRNOS.split()) <= results
    assert len(masks) >= 10


def _error_is_never_cleared(end: TcpEnd) -> int:
    return end.so_error


def _closed_peer_refuses_at_once(end: TcpEnd, data: Any, flags: int = 0) -> int:
    if end.fin_seen:
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
    return _SEND(end, data, flags)


def _backlog_is_exact(end: TcpEnd, backlog: int) -> None:
    _LISTEN(end, max(backlog - 1, 0))


_SEND, _LISTEN = TcpEnd.send, TcpEnd.listen


@pytest.mark.parametrize(
    ("method", "wrong", "calls_max"),
    [
        ("take_error", _error_is_never_cleared, 6),
        ("send", _closed_peer_refuses_at_once, 4),
        ("listen", _backlog_is_exact, 6),
    ],
)
def test_a_planted_difference_is_found_and_shrunk(
    method: str, wrong: Any, calls_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary: kernels that differ in one rule are told apart, by a program of a few calls."""
    monkeypatch.setattr(TcpEnd, method, wrong)
    differs = partial(difference, runs=1, patience_s=0.02)
    for seed in range(40):
        for profile in ("data", "accepting", "connecting"):
            program = generate(seed, profile, CALLS)
            if differs(program):
                assert len(shrink(program, differs)) <= calls_max
                return
    pytest.fail("the difference was not found")
