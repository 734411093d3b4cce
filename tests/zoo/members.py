"""The members of the zoo: each a program with one classic bug, and its good twin.

``bad(net)`` and ``good(net)`` of a member's module run it on a network and assert what must hold in every
weather.  On a calm network both pass.

Owns the list, and what is known of each member that the default search does not find yet.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import attrs

from tests.zoo.releases import RELEASES


@attrs.frozen
class Member:
    """One bug.

    `by_search` and `by_hypothesis` are empty, or say why `search` (or a test with `networks()`) does not find
    the bug with default settings: what is missing.  `releases` are the packages that it needs.
    """

    name: str
    bug: str
    room: str = "programs"
    releases: tuple[tuple[str, str], ...] = ()
    by_search: str = ""
    by_hypothesis: str = ""

    @property
    def place(self) -> str:
        return f"tests.zoo.{self.room}.{self.name}"

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(self.place)

    @property
    def bad(self) -> Callable[..., Any]:
        return self.module.bad  # type: ignore[no-any-return]

    @property
    def good(self) -> Callable[..., Any]:
        return self.module.good  # type: ignore[no-any-return]

    @property
    def missing(self) -> list[str]:
        """The releases that it needs and that are not here."""
        return [str(RELEASES[pin]) for pin in self.releases if not RELEASES[pin].is_here]


def _package(name: str, bug: str, package: str, *versions: str, **known: str) -> Member:
    return Member(name, bug, "packages", tuple((package, version) for version in versions), **known)


_ALL_SWITCHES = "a test with networks() draws switches of all threads alike, and not one switch of one thread"

MEMBERS = (
    Member("framing_by_recv", "one recv is taken for one command"),
    Member("crlf_cut", "CRLF is looked for in one recv"),
    Member("delimiter_cut", "a delimiter is looked for in what is new"),
    Member("decoded_by_recv", "a character is taken to be within one recv"),
    Member("length_cut", "recv(4) is taken to return 4 bytes"),
    Member("short_send_ignored", "what send returns is ignored"),
    Member("spurious_readiness", "EAGAIN after select is taken for the end"),
    Member("reset_before_accept", "whoever was accepted is taken to be there"),
    Member("close_in_handler", "a handler goes on when it has closed"),
    Member("leaving_in_a_broadcast", "a list changes while everybody in it is told"),
    Member("reused_descriptor", "a descriptor is kept as the name of a peer"),
    Member("listener_killed_by_emfile", "a failed accept closes the listener"),
    Member("half_close_loses_output", "the end of input is taken for the end"),
    Member("time_left", "what is left of a time is taken to be something"),
    Member("timer_and_data", "a time-out closes what is read next"),
    Member("reply_mismatch", "a late reply is taken for the next one"),
    Member("order_placed_twice", "a lost receipt is taken for a lost order"),
    Member("spin_on_hup", "a socket that was hung up is not closed"),
    Member("spin_until_reconnect", "a socket that was hung up is closed later"),
    _package("multipart_upload", "multipart 1.1.0: first delimiter cut", "multipart", "1.1.0", "1.2.0"),
    _package("redis_cancelled", "redis-py 4.5.3: reply of another command", "redis", "4.5.3", "4.5.4"),
    _package("redis_pipeline", "redis-py 4.5.2: replies of another pipeline", "redis", "4.5.2", "4.5.3"),
    _package("redis_shielded", "redis-py 4.5.4: two read one connection", "redis", "4.5.4", "4.5.5"),
    _package("supervisor_reset", "supervisor 4.2.0: reset during recv", "supervisor", "4.2.0", "4.2.1"),
    _package(
        *("urllib3_evicted", "urllib3 1.26.15: pool closed in use", "urllib3", "1.26.15", "1.26.16"),
        by_hypothesis=_ALL_SWITCHES,
    ),
    _package("waitress_header", "waitress 2.1.1: header in two segments", "waitress", "2.1.1", "2.1.2"),
    _package(
        *("waitress_lookahead", "waitress 3.0.0: served after refusal", "waitress", "3.0.0", "3.0.1"),
        by_hypothesis=_ALL_SWITCHES,
    ),
    _package("waitress_spin", "waitress 3.0.0: spin after reset", "waitress", "3.0.0", "3.0.1"),
)
