"""PySyncObj on three and on five hosts: what must hold of a Raft, calm, with told faults, and in storms."""

from __future__ import annotations

import errno
import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from simnet import Network, PropertyViolated
from simnet.fuzz.campaign import findings

pytest.importorskip("pysyncobj", reason="not installed: pysyncobj")

from tests.unmodified.raft import COMMANDS, cluster

BUT_LISTENERS = "-listener-survives"
"""PySyncObj closes its listener for ever when accept(2) fails once: the tests at the end are about that."""


@contextmanager
def journals(network: Network, folder: Path) -> Iterator[Path]:
    """A folder for journals, which nodes that crash do not close."""
    yield folder
    for host in network.hosts.values():
        for process in list(host.processes):
            process.kill()
    for each in gc.get_objects():  # among them proxies of what is gone, which must not be asked
        if issubclass(type(each), io.IOBase) and str(getattr(each, "name", "")).startswith(str(folder)):
            each.close()


reads_carelessly = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""PySyncObj 0.3.17 leaves a file open that it has read."""


@pytest.mark.parametrize("size", [3, 5])
def test_a_calm_cluster_has_one_leader_and_all_commands_in_every_log(size):
    digests = []
    for _ in range(2):
        network = Network()
        history = cluster(network, size)
        assert len(history.leaders) == 1
        assert len(history.acknowledged) == len(history.log) == size * COMMANDS
        digests.append(network.trace.digest())
    assert digests[0] == digests[1]


def majority_without(leader: str, size: int) -> list[str]:
    return [f"node{number}" for number in range(1, size + 1) if f"node{number}" != leader]


@pytest.mark.parametrize("size", [3, 5])
def test_a_leader_that_is_cut_off_is_replaced_and_its_log_is_mended(size):
    """It has proposed and applied nothing that the others do not have when it comes back."""
    calm = Network()
    first = cluster(calm, size).leaders[1]
    network = Network()
    network.at("5s").isolate(first)
    network.at("12s").heal()
    history = cluster(network, size, bad_for="20s")
    assert history.leaders[1] == first
    assert set(history.leaders.values()) - {first}
    assert {command.partition("/")[0] for command in history.acknowledged} == set(history.nodes)


def test_small_sends_late_segments_and_resets_cost_time_only():
    network = Network()
    network.on("*", "send", chance=0.2).take(3)
    network.on("*", "segment", chance=0.1).late("100ms")
    network.on("node1", "recv", chance=0.01, times=5).reset()
    history = cluster(network, bad_for="30s")
    assert len(history.acknowledged) == 3 * COMMANDS


@reads_carelessly
def test_nodes_with_a_journal_come_back_after_a_crash(tmp_path):
    network = Network()
    for moment, name in (("5s", "node1"), ("8s", "node2"), ("11s", "node3")):
        network.at(moment).crash(name)
    for moment, name in (("6s", "node1"), ("9s", "node2"), ("12s", "node3")):
        network.at(moment).restart(name)
    with journals(network, tmp_path) as folder:
        history = cluster(network, folder=folder, bad_for="20s")
    assert all(node.applied == history.log for node in history.nodes.values())
    assert len(history.acknowledged) > COMMANDS


def test_a_node_that_comes_back_without_its_journal_breaks_the_safety():
    """So these properties can fail.  node1 forgets what it and the leader have acknowledged, and with node3,
    which never had it, it makes another log."""
    network = Network()
    network.at("4s").isolate("node3")
    network.at("6s").crash("node1")
    network.at("6s").isolate("node2")
    network.at("6100ms").restart("node1")
    network.at("6100ms").rejoin("node1", "node3")
    with pytest.raises(AssertionError, match=r"applies .* another"):
        cluster(network, comes_back=True, bad_for="20s")


# --- in storms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "runs"), [(3, 20), (5, 8)])
def test_the_default_search_finds_nothing_unsafe_while_each_node_is_cut_off_in_turn(size, runs):
    histories = []

    def program(network: Network) -> None:
        for number, moment_s in enumerate(range(4, 16, 4), 1):
            network.at(moment_s).isolate(f"node{number}")
            network.at(moment_s + 2.5).heal()
        histories.append(cluster(network, size, bad_for="15s", ends=False))

    quiet = partial(Network, check=BUT_LISTENERS)
    assert list(findings(program, runs_max=runs, make_network=quiet)) == []
    assert len(histories) == runs
    assert sum(len(history.leaders) > 1 for history in histories) > runs // 2
    assert sum(len(history.acknowledged) > size for history in histories) > runs // 2


@reads_carelessly
@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_unsafe_where_hosts_crash_and_come_back_with_their_journals(seed, tmp_path: Path):
    network = Network(seed=seed, check=BUT_LISTENERS)
    with journals(network, tmp_path) as folder:
        cluster(network, folder=folder, bad_for="8s", ends=False)


# --- what it does find -------------------------------------------------------------------------------


def test_one_accept_that_fails_closes_the_listener_for_ever():
    network = Network()
    network.on("node1", "accept", nth=1).fail(errno.ECONNABORTED)
    with pytest.raises(PropertyViolated, match=r"listener-survives: node1.* accept\(\) has failed"):
        cluster(network)


def test_after_one_accept_that_fails_the_node_never_has_what_is_acknowledged():
    """It connects to nobody: of two nodes of PySyncObj, one always waits for the other."""
    network = Network(check=BUT_LISTENERS)
    network.on("node1", "accept", nth=1).fail(errno.EMFILE)
    with pytest.raises(PropertyViolated, match="what is acknowledged is in every log: not true within 2min"):
        cluster(network)
