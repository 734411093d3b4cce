"""``simnet selftest``: what it prints, and its exit status."""

from __future__ import annotations

import errno

import pytest
from click.testing import CliRunner, Result

from simnet.cli import main
from simnet.oracle.live import LiveKernel
from simnet.oracle.namespace import NoNamespace
from simnet.oracle.profiles import PROFILES
from simnet.oracle.selftest import Selftest
from simnet.virtual.kernel.tcp import TcpEnd


def selftest(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["selftest", *arguments])


def test_a_comparison_ends_with_a_table_and_status_0(live: LiveKernel) -> None:
    done = selftest("--profile", "tcp-data", "--calls", "300")
    assert done.exit_code == 0, done.output
    lines = done.output.split("\n")
    assert lines[0] == "comparing the virtual kernel with the live one, 300 calls, from seed 0"
    assert lines[1].split() == ["profile", "programs", "calls", "coverage", "repeats", "mismatches"]
    assert lines[2].startswith("tcp-data")
    assert "0 mismatches" in lines[3]


def test_a_mismatch_is_printed_as_a_short_program_with_status_1(
    live: LiveKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accept(end: TcpEnd) -> None:
        raise OSError(errno.EOPNOTSUPP, "a kernel that is wrong")

    monkeypatch.setattr(TcpEnd, "accept", accept)
    done = selftest("--profile", "tcp", "--calls", "1000")
    assert done.exit_code == 1, done.output
    report = done.output.split("\n\n")[-1].strip("\n").split("\n")
    assert report[0].startswith("profile tcp, seed ")
    operations = [line.partition(".")[2].partition("(")[0] for line in report[1:-2]]
    assert operations == ["socket", "listen", "socket", "connect", "accept"]
    assert report[-2].startswith("    virtual  'EOPNOTSUPP'")
    assert report[-1].startswith("    real     ('127.0.0.1', 'e1')")


def test_the_identity_control_names_itself(live: LiveKernel) -> None:
    done = selftest("--profile", "pipe", "--calls", "300", "--identity")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("comparing the live kernel with itself")


def test_without_a_namespace_recorded_logs_stand_in_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(kernel: LiveKernel) -> None:
        raise NoNamespace("unshare(2) says Operation not permitted")

    monkeypatch.setattr(LiveKernel, "__init__", nowhere)
    done = selftest("--profile", "tcp")
    assert done.exit_code == 0, done.output
    assert "no private network namespace: unshare(2) says Operation not permitted" in done.output
    assert "comparing the virtual kernel with logs recorded on Linux" in done.output
    refused = selftest("--identity")
    assert refused.exit_code == 2
    assert "cannot be compared with itself" in refused.output


def test_the_list_names_every_profile_and_what_is_put_aside() -> None:
    done = selftest("--list")
    assert done.exit_code == 0
    assert all(name in done.output for name in PROFILES)
    assert "explicit ports" in done.output


def test_an_unknown_profile_is_a_mistake_of_the_command_line() -> None:
    done = selftest("--profile", "carrier-pigeon")
    assert done.exit_code == 2
    assert "no profile is called 'carrier-pigeon'" in done.output


def test_after_ctrl_c_the_figures_so_far_are_said(live: LiveKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Selftest._settle

    def interrupted(test: Selftest, *rest: object) -> None:
        whole(test, *rest)  # type: ignore[arg-type]
        if test.calls:
            raise KeyboardInterrupt

    monkeypatch.setattr(Selftest, "_settle", interrupted)
    done = selftest("--profile", "tcp")
    assert done.exit_code == 130
    assert "interrupted; until then:" in done.output
    assert "0 mismatches" in done.output
