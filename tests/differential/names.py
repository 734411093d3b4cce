"""Random zones and random look-ups, of the C library and of a virtual host side by side.

``python -m tests.differential.names 200`` compares what 200 seeds draw, in a private namespace; it prints
the look-ups that differ, and then how many were compared and what they gave.  ``--plant NAME`` makes the
virtual host wrong in one way first.  The exit status is 77 where no namespace can be made.

Left out, each with its reason: the name localhost, which a usual hosts file leads to 127.0.0.1 twice;
gethostbyname_ex() of an IPv4 address within an IPv6 one, whose error is what the call before left in h_errno;
a name server that says nothing, which takes ten seconds.
"""

from __future__ import annotations

import random
import socket
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from simnet import Network, UsageError
from simnet.virtual.names import destinations, resolver
from simnet.virtual.names.zone import NODATA, NXDOMAIN, REFUSED, SERVFAIL

from .name_server import NameServer, NoNamespace, enter_namespace

SKIPPED = 77
LOOK_UPS = 60

OWN = ["10.0.0.1", "fd00::1", "2001:db8::1"]
OTHERS = ["10.0.0.2", "10.0.0.9", "10.0.0.7", "192.0.2.7", "169.254.1.1", "fd00::2", "fd00::9", "fd00::7"]
OTHERS += ["2001:db8::7", "2001:db8:1::7"]
ADDRESSES = [*OWN, *OTHERS, "127.0.0.1", "::1"]
NAMES = ["a.example", "b.example", "c.example", "d", "e.f.example", "nobody.example", "machine", "other"]
ASKED = [*NAMES, *ADDRESSES, "A.Example", "b.example.", "127.1", "fe80::1%lo", "bücher.example"]
WITHIN = "::ffff:10.0.0.2"
SERVICES = [80, 0, None, "80", "http", "domain", "ntp", "nothing", 70000, -1]
FAILURES = [NXDOMAIN, NODATA, SERVFAIL, REFUSED]
FLAGS = [socket.AI_PASSIVE, socket.AI_CANONNAME, socket.AI_NUMERICHOST, socket.AI_V4MAPPED, socket.AI_ALL]
FLAGS += [socket.AI_ADDRCONFIG, socket.AI_NUMERICSERV]
CALLS = ["getaddrinfo"] * 5 + ["gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"]
KINDS = [0, 0, socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, 99]


def network(draw: random.Random) -> Network:
    """A network whose zone has had some edits."""
    net = Network()
    net.host("machine", addresses=["2001:db8::1"])
    net.host("other", addresses=OTHERS[1:5] + OTHERS[6:])
    zone = net.names
    for _ in range(draw.randrange(6, 20)):
        name, target = draw.choice(NAMES[:5]), draw.choice(NAMES)
        addresses = draw.sample(ADDRESSES, draw.randrange(1, 5))
        edit = draw.choice(
            [
                *[partial(zone.add, name, *addresses)] * 4,
                partial(zone.alias, name, target),
                partial(zone.reverse, addresses[0], draw.choice([target, None])),
                partial(zone.fail, draw.choice([name, addresses[0]]), draw.choice(FAILURES)),
            ]
        )
        with suppress(UsageError):  # an alias has no addresses
            edit()
    return net


def look_up(draw: random.Random) -> tuple[str, tuple[Any, ...]]:
    """One call: a function of the socket module, and its arguments."""
    call = draw.choice(CALLS)
    if call == "getaddrinfo":
        family = draw.choice([0, 0, socket.AF_INET, socket.AF_INET6])
        flags = sum(flag for flag in FLAGS if draw.random() < 0.2)
        host = draw.choice([None, *ASKED, WITHIN, *NAMES, *NAMES])
        return call, (host, draw.choice(SERVICES), int(family), int(draw.choice(KINDS)), 0, int(flags))
    if call == "getnameinfo":
        flags = sum(1 << bit for bit in range(5) if draw.random() < 0.25)
        return call, ((draw.choice([*ADDRESSES, WITHIN]), draw.choice([80, 53, 514, 54321])), flags)
    return call, (draw.choice(ASKED if call == "gethostbyname_ex" else [*ASKED, WITHIN]),)


def outcome(module: Any, call: str, arguments: tuple[Any, ...]) -> Any:
    """What a call gave, in a form that compares."""
    try:
        return getattr(module, call)(*arguments)
    except OSError as error:
        return type(error).__name__, error.args


PLANTS: dict[str, Callable[[], None]] = {
    "no order": lambda: setattr(resolver, "in_order", lambda found, source_of: list(found)),
    "no labels": lambda: setattr(destinations, "_LABELS", ((("::", 0), 1),)),
    "no prefixes": lambda: setattr(destinations, "_prefix_in_common", _all_or_nothing),
    "no data is no name": lambda: resolver._ERRORS.update({NODATA: resolver._ERRORS[NXDOMAIN]}),
    "aliases backwards": lambda: setattr(resolver, "list", lambda all: [*all][::-1]),
    "no scopes": lambda: setattr(destinations, "_scope", lambda address: 14),
    "no IPv4 within IPv6": lambda: setattr(resolver, "mapped", lambda address: address),
}


def _all_or_nothing(left: bytes, right: bytes, least: int = 0) -> int:
    return 128 if left == right else 0


def compare(seeds: int, server: NameServer) -> tuple[int, Counter[str]]:
    """Print every difference; how many there were, and how often each call gave what kind of result."""
    differences, seen = 0, Counter[str]()
    for seed in range(seeds):
        draw = random.Random(seed)
        net = network(draw)
        server.zone = net.names
        module = net.hosts["machine"].modules.socket
        for _ in range(LOOK_UPS):
            call, arguments = look_up(draw)
            live, simulated = (outcome(each, call, arguments) for each in (socket, module))
            is_error = isinstance(live, tuple) and live and str(live[0]).endswith("error")
            seen[f"{call} {live[1][0] if is_error else 'ok'}"] += 1
            if live != simulated:
                differences += 1
                print(f"seed {seed}: {call}{arguments}\n  live      {live}\n  simulated {simulated}")
    return differences, seen


def main(seeds: str, *plant: str) -> int:
    try:
        enter_namespace("machine", [f"{address}/{128 if ':' in address else 32}" for address in OWN])
    except NoNamespace as error:
        print(f"no private namespace: {error}")
        return SKIPPED
    for name in plant[1:]:
        PLANTS[name]()
    differences, seen = compare(int(seeds), NameServer())
    print(f"{sum(seen.values())} look-ups, {differences} differences")
    print("\n".join(f"{count:6} {what}" for what, count in sorted(seen.items())))
    return min(differences, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
