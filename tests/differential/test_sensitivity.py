"""The comparison notices when the virtual kernel breaks a rule: each of these is told from Linux."""

from __future__ import annotations

import pytest

from simnet.oracle.generate import generate
from simnet.oracle.live import LiveKernel
from simnet.oracle.lockstep import Difference
from simnet.oracle.program import Program
from simnet.oracle.selftest import BATCH
from simnet.oracle.simulated import VirtualKernel
from simnet.virtual.kernel.sock import SocketEnd

from .broken_datagrams import UDP
from .broken_pipes import PIPES
from .broken_readiness import EPOLL
from .broken_tcp import DESCRIPTORS, FAMILIES, TCP
from .broken_unix import UNIX
from .broken_urgent import URGENT
from .infidelities import Infidelity, changed

PATIENCE_S = 0.02

INFIDELITIES = [*TCP, *FAMILIES, *URGENT, *DESCRIPTORS, *UDP, *UNIX, *PIPES, *EPOLL]


@pytest.mark.once
@pytest.mark.parametrize("infidelity", INFIDELITIES, ids=lambda infidelity: infidelity.name.replace(" ", "-"))
def test_a_broken_rule_is_noticed(infidelity: Infidelity, live: LiveKernel) -> None:
    calls = 0
    for first in range(0, 500, BATCH):
        programs = [generate(seed, infidelity.profile) for seed in range(first, first + BATCH)]
        for program, found in zip(programs, _differences(live, programs, infidelity), strict=True):
            calls += len(program)
            if found is not None and _differences(live, [program]) == [None]:
                return
    pytest.fail(f"not within {calls} calls")


def _differences(
    live: LiveKernel, programs: list[Program], infidelity: Infidelity | None = None
) -> list[Difference | None]:
    """Where the live kernel parts from the virtual one, whole or with a rule broken."""
    virtual = VirtualKernel()
    with pytest.MonkeyPatch.context() as patch:
        if infidelity is not None:
            function = infidelity.resolved()
            patch.setattr(function, "__code__", changed(function, infidelity.old, infidelity.new))
        requests = [(program, virtual.log(program), PATIENCE_S) for program in programs]
    live.ask(requests)
    return [answer if isinstance(answer, Difference) else None for answer in live.answers()]


def test_there_are_at_least_thirty_and_no_two_are_the_same() -> None:
    broken = [(infidelity.function, infidelity.old, infidelity.new) for infidelity in INFIDELITIES]
    assert (
        len(set(broken)) == len({infidelity.name for infidelity in INFIDELITIES}) == len(INFIDELITIES) >= 30
    )


def test_a_rule_that_is_not_where_it_was_is_missed() -> None:
    """A table that has lost touch with the kernel breaks nothing, and would prove nothing."""
    with pytest.raises(AssertionError, match="take_error has 'no such rule' 0 times"):
        changed(SocketEnd.take_error, "no such rule", "")  # type: ignore[arg-type]
