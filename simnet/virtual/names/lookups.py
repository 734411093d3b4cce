"""How a host learns of names: from its hosts file, else from the network's name server, in the time it takes.

Owns the order of the two (nsswitch.conf(5): ``hosts: files dns``) and waiting for an answer (resolv.conf(5)).
Does not own what programs are told: that is the `resolver`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...trace import Kind
from ...units import SECOND_NS, duration
from .numeric import embedded
from .zone import NOERROR, NXDOMAIN, SERVFAIL, TIMEOUT, Answer

if TYPE_CHECKING:
    from ..host import Host

_HAPPEN = int(Kind.HAPPEN)

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
        """Ask the name server.  A look-up that fails or takes time is noted in the trace."""
        network = self._host.network
        asked_ns = network.now_ns
        match self._host.choose_lookup():
            case None:
                answer = find(name) if network.names.is_prompt else self._wait_for_answer(call, name, find)
            case ("again", _):
                answer = Answer(SERVFAIL)
            case _:
                answer = Answer(NXDOMAIN)
        if network.log is not None and (answer.outcome != NOERROR or network.now_ns > asked_ns):
            text = f"{self._host.name} looks up {name}: {_told(name, answer)}"
            if network.now_ns > asked_ns:
                text += f" after {duration(network.now_ns - asked_ns)}"
            network.log((network.now_ns, _HAPPEN, self._host.number, 0, text))
        return answer

    def _wait_for_answer(self, call: str, name: str, find: Callable[[str], Answer]) -> Answer:
        """What the name server says when it answers; an answer may come late, during the next attempt."""
        network = self._host.network
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


def _told(name: str, answer: Answer) -> str:
    """An answer in words: why there is none, the name of an address, or the addresses of a name."""
    if answer.outcome != NOERROR:
        return answer.outcome
    return answer.name if name in answer.addresses else ", ".join(answer.addresses)
