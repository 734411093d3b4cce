"""How a host learns of names: from its hosts file, else from the network's name server, in the time it takes.

Owns the order of the two (nsswitch.conf(5): ``hosts: files dns``) and waiting for an answer (resolv.conf(5)).
Does not own what programs are told: that is the `resolver`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...units import SECOND_NS
from .numeric import embedded
from .zone import NOERROR, TIMEOUT, Answer

if TYPE_CHECKING:
    from ..host import Host

ATTEMPTS = 2  # resolv.conf(5)
ATTEMPT_NS = 5 * SECOND_NS
"""How long an attempt waits for an answer; after as many as there may be, there is none."""


class Lookups:
    """The look-ups of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def find(self, name: str, wanted: Callable[[Answer], object]) -> Answer:
        """What is known of a name; the hosts file is believed if it has what is `wanted`."""
        told = self._host.hosts_file.find(name)
        return told if wanted(told) else self._ask("getaddrinfo", name, self._host.network.names.find)

    def find_back(self, address: str) -> Answer:
        """What is known of the name of an address; the name server is asked for an IPv4 one within it."""
        told = self._host.hosts_file.find_back(address)
        if told.outcome == NOERROR:
            return told
        return self._ask("gethostbyaddr", embedded(address), self._host.network.names.find_back)

    def _ask(self, call: str, name: str, find: Callable[[str], Answer]) -> Answer:
        """Ask the name server, and wait for its answer, which is what it says when the time is over.

        An answer may come late, during the next attempt.
        """
        network = self._host.network
        if network.names.is_prompt:
            return find(name)
        first_ns = network.now_ns
        end_ns = first_ns + ATTEMPTS * ATTEMPT_NS
        for attempt in range(ATTEMPTS):
            self._wait(call, first_ns + attempt * ATTEMPT_NS)
            if network.names.failure(name) == TIMEOUT:
                continue
            answered_ns = network.now_ns + network.names.delay_ns(name)
            self._wait(call, min(answered_ns, end_ns))
            return find(name) if answered_ns <= end_ns else Answer(TIMEOUT)
        self._wait(call, end_ns)
        return Answer(TIMEOUT)

    def _wait(self, call: str, time_ns: int) -> None:
        """Let the network run until a moment."""
        if time_ns > self._host.network.now_ns:
            self._host.wait(call, lambda: False, time_ns)
