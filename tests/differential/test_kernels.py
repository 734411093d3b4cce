"""The virtual kernel answers random programs of socket calls as Linux does."""

from __future__ import annotations

import pytest

from simnet.oracle.live import LiveKernel
from simnet.oracle.profiles import PROFILES
from simnet.oracle.selftest import Selftest
from simnet.oracle.simulated import VirtualKernel
from simnet.oracle.words import Coverage
from tests import linux

CALLS = 2000
ERRNOS = (
    "EAGAIN EINPROGRESS EALREADY EISCONN EINVAL ENOTCONN EPIPE ECONNREFUSED ECONNRESET ECONNABORTED "
    "EADDRINUSE EADDRNOTAVAIL EBADF EDESTADDRREQ EMSGSIZE EOPNOTSUPP ENOENT EEXIST EPROTOTYPE ENOPROTOOPT"
)
KINDS_MIN = 1000
"""How many kinds of call, result and readiness all profiles together must reach."""


def _compared(profile: str, live: LiveKernel | None) -> Selftest:
    calls = CALLS * PROFILES[profile].share // 100
    test = Selftest([profile], calls, 0, VirtualKernel(), live)
    test.run()
    return test


@pytest.mark.parametrize("profile", PROFILES)
def test_random_programs_see_the_same_on_both_kernels(profile: str, live_or_none: LiveKernel | None) -> None:
    has_unix = any("unix" in kind for kind in PROFILES[profile].kinds)
    if live_or_none is not None and linux.IS_ANOTHER and has_unix:
        pytest.skip(linux.WHY)
    test = _compared(profile, live_or_none)
    assert not test.mismatches, "\n".join(mismatch.words for mismatch in test.mismatches)
    assert test.calls > 0


@pytest.mark.parametrize("profile", PROFILES)
def test_recorded_logs_say_the_same_as_the_virtual_kernel(profile: str) -> None:
    test = _compared(profile, None)
    assert not test.mismatches, "\n".join(mismatch.words for mismatch in test.mismatches)
    assert test.tallies[profile].programs == 10


def test_the_programs_reach_many_kinds_of_call_result_and_readiness() -> None:
    """What was compared: every errno of the socket API that does not take a second, most poll masks."""
    from simnet.oracle.generate import generate

    virtual, coverage = VirtualKernel(), Coverage()
    for profile in PROFILES:
        for seed in range(25):
            if profile != "tcp-full":
                program = generate(seed, profile)
                coverage.add(program, virtual.log(program))
    results = {result for _, result, _ in coverage.seen}
    assert set(ERRNOS.split()) - results == set()
    assert len({mask for _, _, mask in coverage.seen}) >= 18
    assert coverage.kinds >= KINDS_MIN
