"""A function in a process of a host, for tests that want what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simnet import Host, Network


def run(network: Network, host: Host, function: Callable[[], object]) -> Any:
    process = host.spawn(function)
    network.run(until=lambda: not process.is_alive)
    return process.result
