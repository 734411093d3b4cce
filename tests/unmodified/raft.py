"""PySyncObj, a Raft in pure Python, unmodified, on a few hosts, and what must hold of it whatever happens.

Each node is a process of its host, and proposes commands of its own.  What every node applies, who becomes
leader and what is acknowledged is told to a `History`, which nobody in the cluster reads:

- No two nodes apply different commands at one position of the log (state machine safety, figure 3 of the Raft
  paper, raft.github.io/raft.pdf).
- One leader a term (election safety, the same).
- When the bad weather is over, every command that was acknowledged is in the log of every node that runs.

Owns the cluster and its history.  What weather it meets is said by the tests.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path
from typing import Any

from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, replicated

from simnet import Host, Network
from simnet.properties import always, eventually, sometimes

PORT = 4321
COMMANDS, PAUSE_S = 8, 0.7
"""What each node proposes, and how far apart."""

ENDS_WELL = "what is acknowledged is in every log"

LEADER = 2
"""What PySyncObj calls the state of a leader."""

logging.getLogger("pysyncobj").setLevel(logging.CRITICAL)


class History:
    """What has happened in a cluster, as nobody in it can see.

    Attributes:
        log: what was applied first at each position, by whichever node.
        leaders: by their terms.
        acknowledged: commands of which a node was told that they are in the log.
        nodes: by the names of their hosts, those that run.
        broken: what must not happen, in words, if it has.
        errors: what ticks have let out.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.leaders: dict[int, str] = {}
        self.acknowledged: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.broken = ""
        self.errors: list[Exception] = []

    def applies(self, node: Node, command: str) -> None:
        position = len(node.applied)
        node.applied.append(command)
        if position == len(self.log):
            self.log.append(command)
        elif self.log[position] != command:
            self.broken = f"{node.name} applies {command!r} at {position}, another {self.log[position]!r}"

    def leads(self, node: Node, term: int) -> None:
        before = self.leaders.setdefault(term, node.name)
        if before != node.name:
            self.broken = f"{before} and {node.name} both lead in term {term}"

    def is_safe(self) -> bool:
        assert not self.broken, self.broken
        return True

    def is_whole(self, hosts: list[Host]) -> bool:
        """Whether all that was acknowledged is in the log of every host that runs."""
        running = [self.nodes[host.name].applied for host in hosts if host.runs and host.name in self.nodes]
        return all(command in applied for command in self.acknowledged for applied in running)


class Node(SyncObj):  # type: ignore[misc]
    """One of a cluster: what it does with a command is to write it down."""

    def __init__(self, host: Host, hosts: list[Host], history: History, folder: Path | None) -> None:
        self.name, self.applied, self.history = host.name, [], history
        self.history.nodes[self.name] = self
        conf = SyncObjConf(
            autoTick=False,
            connectionRetryTime=1.0,
            onStateChanged=self.becomes,
            journalFile=None if folder is None else str(folder / host.name),
        )
        super().__init__(_address(host), [_address(each) for each in hosts if each is not host], conf)

    @replicated
    def enter(self, command: str) -> None:
        self.history.applies(self, command)

    def becomes(self, before: int, state: int) -> None:
        if state == LEADER:
            self.history.leads(self, self.raftCurrentTerm)

    def told(self, command: str, result: Any, error: int) -> None:
        if error == FAIL_REASON.SUCCESS:
            self.history.acknowledged.append(command)


def _address(host: Host) -> str:
    """Not by name: PySyncObj keeps one cache of names for all that an interpreter runs."""
    return f"{host.address}:{PORT}"


def work(host: Host, hosts: list[Host], history: History, folder: Path | None, begun: dict[str, int]) -> None:
    """A node, which goes on after an error in a tick, as one with a thread of PySyncObj does."""
    time.sleep(2)  # it binds when the clock says more than a second, and until then only reads it
    node = Node(host, hosts, history, folder)
    begun[host.name] = begun.get(host.name, 0) + 1
    proposed, due = 0, 3.0
    while True:
        try:
            node.doTick(0.05)
        except Exception as error:
            history.errors.append(error)
            time.sleep(0.05)
        if proposed < COMMANDS and time.monotonic() > due:
            command = f"{host.name}/{begun[host.name]} says {proposed}"
            node.enter(command, callback=partial(node.told, command))
            proposed, due = proposed + 1, due + PAUSE_S


def cluster(
    network: Network,
    size: int = 3,
    *,
    folder: Path | None = None,
    comes_back: bool = False,
    bad_for: str = "15s",
    ends: bool = True,
) -> History:
    """Nodes on so many hosts, in whatever weather the network has, and after it.

    Args:
        folder: where nodes keep their journals.  Without it a node that has crashed stays away: one that has
            forgotten its votes is none that Raft allows.
        comes_back: it comes back all the same.
        bad_for: how long the bad weather lasts.
        ends: whether all has to come right after it.
    """
    history, begun = History(), {}
    hosts = [network.host(f"node{number}") for number in range(1, size + 1)]
    always(network, history.is_safe, "the cluster is safe")
    for host in hosts:
        start = partial(host.spawn, work, host, hosts, history, folder, begun, daemon=True)
        if folder is not None or comes_back:
            host.boot(start)
        else:
            start()
    network.run(until=bad_for)
    sometimes(network, "another leader is elected", len(history.leaders) > 1)
    sometimes(network, "something is acknowledged in bad weather", history.acknowledged)
    running = [host for host in hosts if host.runs]
    if ends and len(running) > size // 2:
        eventually(network, partial(is_settled, history, hosts), "2min", ENDS_WELL)
    return history


def is_settled(history: History, hosts: list[Host]) -> bool:
    return history.is_whole(hosts) and len(history.acknowledged) > 0
