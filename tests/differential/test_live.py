"""The live kernel, asked in a private network namespace."""

from __future__ import annotations

import pytest

from simnet.oracle.generate import generate
from simnet.oracle.live import KernelLost, LiveKernel
from simnet.oracle.namespace import NoNamespace, required_system
from simnet.oracle.profiles import PROFILES
from simnet.oracle.program import Call, Program, parse
from simnet.oracle.selftest import Selftest

LISTENER = """
    s0.socket('inet', 'stream')
    s0.bind(('lo', 'P1'))
    s0.listen(1)
"""
CONNECTED = f"""{LISTENER}
    s1.socket('inet', 'stream')
    s1.connect(('of', 0))
    s0.accept(2)
"""


def program(text: str) -> Program:
    return [parse(line) for line in text.split("\n") if line.strip()]


def results(live: LiveKernel, text: str) -> list[object]:
    return [result for result, _ in live.log(program(text))]


def test_a_program_sees_what_the_kernel_says(live: LiveKernel) -> None:
    said = results(live, CONNECTED + "s1.send(3)\ns2.recv(9)\ns2.recv(9)\ns2.close()\ns1.recv(9)")
    data = bytes([6 * 7, 6 * 7 + 1, 6 * 7 + 2])  # the seventh call
    assert said[3:] == ["ok", "EINPROGRESS", ("127.0.0.1", "e1"), 3, data, "EAGAIN", "ok", b""]


def test_nobody_else_has_a_port_there_and_no_program_meets_the_one_before(live: LiveKernel) -> None:
    """Three times the ports of a namespace: in TIME_WAIT, they would be refused."""
    text = CONNECTED + "s2.close()\ns1.close()\ns0.close()\n" + LISTENER
    assert {tuple(results(live, text)[-2:]) for _ in range(75)} == {("EADDRINUSE", "ok")}


def test_two_live_kernels_do_not_see_each_other(live: LiveKernel) -> None:
    with LiveKernel() as other:
        assert results(live, LISTENER) == results(other, LISTENER) == ["ok", "ok", "ok"]


def test_the_state_after_each_call_is_a_mask_and_an_amount_for_each_descriptor(live: LiveKernel) -> None:
    *_, (_, state) = live.log(program(CONNECTED + "s1.send(3)\ns1.shutdown('WR')\ns0.close()"))
    assert state == ((1, 0x4, 0), (2, 0x2005, 3))


def test_a_difference_is_found_where_it_is(live: LiveKernel) -> None:
    calls = program(CONNECTED + "s1.send(3)\ns2.recv(2)")
    log = live.log(calls)
    log[-1] = (b"no", log[-1][1])
    found = live.compare(calls, log)
    assert found is not None
    assert (found.position, found.expected, found.found[0]) == (7, log[-1], bytes([42, 43]))


def test_a_difference_in_readiness_is_waited_for_and_then_found(live: LiveKernel) -> None:
    calls = program("s0.socket('inet', 'stream')")
    found = live.compare(calls, [("ok", ((0, 0x1, 0),))], patience_s=0.01)
    assert found is not None
    assert found.found == ("ok", ((0, 0x14, 0),))


@pytest.mark.once
@pytest.mark.parametrize("profile", PROFILES)
def test_the_live_kernel_says_the_same_again(profile: str, live: LiveKernel) -> None:
    """The identity control: what differs here is a mistake of the comparison."""
    with LiveKernel() as first:
        test = Selftest([profile], 400, 0, first, live)
        test.run()
    assert test.mismatches == []
    assert test.calls >= 300


def test_no_operation_only_ever_fails_by_a_mistake_of_its_own(live: LiveKernel) -> None:
    """A TypeError may be the program's, but every operation is also called as it should be."""
    wrong = {"TypeError", "ValueError", "OverflowError"}
    kinds: dict[str, set[str]] = {}
    for profile in PROFILES:
        for seed in range(10):
            calls = generate(seed, profile)
            for call, (result, _) in zip(calls, live.log(calls), strict=True):
                if result is not None:
                    kinds.setdefault(call.op, set()).add(result if isinstance(result, str) else "value")
    assert [op for op, results_ in kinds.items() if results_ <= wrong] == []


def test_a_kernel_that_is_lost_is_reported(live: LiveKernel) -> None:
    """A program that is none makes the other process end."""
    with LiveKernel() as other, pytest.raises(KernelLost, match="ended with status 1"):
        other.compare([Call("no such call", 0)], [("ok", ())])
    assert results(live, LISTENER) == ["ok", "ok", "ok"]


def test_where_there_is_no_linux_there_is_no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(NoNamespace, match="this is Plan9"):
        required_system()
