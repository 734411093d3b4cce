"""What may befall a network at a moment: partitions, crashes, clocks that jump.

Where an outcome (`outcomes`) is what one operation comes to, a happening befalls hosts and the ways between
them, whatever their programs do just then.  Each has words, which are its line in a scenario file.  What has
an end may say when: ``pause server for 2s`` is one thing, and not two that have to stay together.

Owns the list and the words.  What a happening does is the business of `simnet.virtual.faults`.
"""

from __future__ import annotations

import attrs

from .words import Words


@attrs.frozen
class Kind:
    """One kind of happening.  The holes of its words are hosts first, and then amounts."""

    words: Words
    doc: str

    @property
    def sides(self) -> int:
        """How many groups of hosts it names."""
        return sum(hole in ("host", "hosts") for hole in self.words.holes)

    @property
    def amounts(self) -> int:
        """How many numbers it has: durations in ns, and counts."""
        return len(self.words.holes) - self.sides


HAPPENINGS: dict[str, Kind] = {
    name: Kind(Words(text), doc)
    for name, text, doc in (
        (
            "partition",
            "partition {hosts} from {hosts}",
            "nothing gets through between the two, and what is under way gets lost",
        ),
        (
            "block",
            "block {hosts} to {hosts}",
            "nothing gets through in this direction; the other one is open",
        ),
        ("isolate", "isolate {host}", "nothing gets through between this host and any other"),
        ("heal", "heal", "every partition, block and isolation ends"),
        ("rejoin", "rejoin {hosts} with {hosts}", "what separates these two ends; the others stay apart"),
        (
            "flap",
            "flap {hosts} from {hosts} {count} times for {duration}",
            "they are parted so often for so long, with as long between",
        ),
        (
            "swizzle",
            "swizzle {hosts} for {duration}",
            "each is clogged, one after the other, and let go in another order",
        ),
        (
            "clog",
            "clog {hosts} to {hosts} for {duration}",
            "what leaves in this direction waits, in order, and nothing gets lost",
        ),
        (
            "delay",
            "delay {hosts} to {hosts} by {duration}",
            "what leaves in this direction takes so much longer, from now on",
        ),
        ("crash", "crash {host}", "it loses power: nothing is cleaned up and no peer is told"),
        (
            "kill",
            "kill {host}",
            "its programs end, and its kernel closes what they had: peers get FIN or RST",
        ),
        (
            "terminate",
            "terminate {host}",
            "its processes get SIGTERM; when all have ended, its kernel closes what they had",
        ),
        (
            "interrupt",
            "interrupt {host}",
            "its processes get SIGINT, as by Ctrl-C; when all have ended, its kernel closes what they had",
        ),
        ("restart", "restart {host}", "the programs given to `boot` run again"),
        ("pause", "pause {host}", "its programs stand still, while its kernel answers"),
        ("resume", "resume {host}", "its programs go on"),
        (
            "forward",
            "set the clock of {host} forward by {duration}",
            "its wall clock jumps; the monotonic one does not",
        ),
        (
            "back",
            "set the clock of {host} back by {duration}",
            "its wall clock jumps; the monotonic one does not",
        ),
        (
            "hasten",
            "let the clock of {host} gain {duration} a day",
            "its wall clock goes too fast, from now on",
        ),
        (
            "slow",
            "let the clock of {host} lose {duration} a day",
            "its wall clock goes too slowly, from now on",
        ),
        (
            "limit",
            "limit {host} to {count} descriptors",
            "it may have so many open (RLIMIT_NOFILE); those beyond stay open",
        ),
        (
            "narrow",
            "narrow the buffers of {host} to {bytes}",
            "its TCP sockets hold no more each way (tcp_wmem, tcp_rmem), but for what a program has set",
        ),
    )
}
"""Every kind of happening, by name."""

FOR_A_TIME = "_for"
"""How the name of a kind ends that ends by itself: ``pause_for``; its last amount is how long it takes."""


def _for_a_time(kind: Kind, end: str) -> Kind:
    return Kind(Words(f"{kind.words.text} for {{duration}}"), f"the same, until {end}")


HAPPENINGS.update(
    {
        f"{name}{FOR_A_TIME}": _for_a_time(HAPPENINGS[name], end)
        for name, end in (
            ("partition", "that time is over"),
            ("block", "that time is over"),
            ("isolate", "that time is over"),
            ("delay", "that time is over"),
            ("crash", "the programs given to `boot` run again after that time"),
            ("kill", "the programs given to `boot` run again after that time"),
            ("terminate", "who is left then is killed, and the programs given to `boot` run again"),
            ("pause", "its programs go on after that time"),
            ("limit", "that time is over"),
            ("narrow", "that time is over"),
        )
    }
)
