"""Properties that no single run shows: two runs that must come to the same are compared.

A *program* takes a network, runs it, and returns what is to be the same: what was received, which handlers
were called.  It makes no network of its own, and begins with the same state every time.

Owns which runs are made.  What is the same is said by ``==``.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..errors import PropertyViolated
from ..script import Script
from ..stage import RealStage, Stage, VirtualStage
from ..trace import Kind
from ..units import seconds
from ..virtual import Network

Program: TypeAlias = Callable[[Network], Any]
MakeNetwork: TypeAlias = Callable[..., Network]

CUTS = frozenset({("segment", "cut"), ("segment", "crumbles"), ("send", "takes")})
"""What cuts a stream of bytes, and does nothing else to it."""

_ITEMS_MAX = 8
_STEP = "36500s"  # some ten hours: past any time-out, and past midnight
_OF_THE_NETWORK = (Kind.HAPPEN, Kind.DEVIATE, Kind.DRAW)


def same_for_any_segmentation(
    program: Program, *, cuts: int = 30, make_network: MakeNetwork = Network
) -> None:
    """The program says the same, wherever the streams that it reads and writes are cut.

    It runs on the calm network, then with every segment arriving byte by byte, then `cuts` times with
    segments cut and sends shortened at random, always the same.

    Args:
        program: called with a network; what it returns is compared.
        make_network: called with nothing or ``seed=`` and ``only=``; it may add hosts and links.

    Raises:
        PropertyViolated: it says something else, or fails; then with the failure as its cause.
        Whatever it raises on the calm network.
    """
    expected = program(make_network())
    for how, network in _segmented(cuts, make_network):
        _compare("segmentation", program, network, how, expected)


def _segmented(cuts: int, make_network: MakeNetwork) -> Iterator[tuple[str, Network]]:
    network = make_network()
    network.on("*", "segment").crumble()
    yield "byte by byte", network
    for seed in range(cuts):
        yield f"cut at random (seed {seed})", make_network(seed=seed, only=CUTS)


def _compare(name: str, program: Program, network: Network, how: str, expected: Any) -> None:
    try:
        found = program(network)
    except Exception as error:
        raise PropertyViolated(name, f"{how} it fails, and calm it does not{_cuts_of(network)}") from error
    if found != expected:
        text = f"{how} it says {found!r}, and calm {expected!r}{_cuts_of(network)}"
        raise PropertyViolated(name, text)


def _cuts_of(network: Network) -> str:
    """The deviations of a run, if they are few enough to be read."""
    script: Script = network.script()
    lines = [f"\n  {deviation}" for deviation in script.deviations[:_ITEMS_MAX]]
    more = len(script.deviations) - len(lines)
    return "".join(lines) + (f"\n  … {more} more" if more > 0 else "")


def same_for_any_wall_clock(
    program: Program, *, is_traced: bool = True, make_network: MakeNetwork = Network
) -> None:
    """The program does the same if the wall clocks of its hosts are set forward or back while it runs.

    It runs once as it is, and then six times with all wall clocks ten hours ahead, or back, from one moment
    on: the first, and a third and two thirds of the way to the end.

    Args:
        program: called with a network; what it returns is compared.
        is_traced: whether what happens on the network, and when, is compared as well; contents are not, for
            they may be readings of the clock.

    Raises:
        PropertyViolated, and whatever it raises, as `same_for_any_segmentation`.
    """
    calm = make_network()
    expected = program(calm)
    traced = _happened(calm)
    for at_ns in (0, calm.now_ns // 3, 2 * calm.now_ns // 3):
        for step in ("set_forward", "set_back"):
            network = make_network()
            for host in calm.hosts:
                getattr(network.at(seconds(at_ns)), step)(host, _STEP)
            how = f"with wall clocks {step.replace('_', ' ')} at t={seconds(at_ns)}"
            _compare("wall-clock", program, network, how, expected)
            if is_traced:
                _compare_traces(how, traced, _happened(network))


def _happened(network: Network) -> list[tuple[str, str, str, int]]:
    """What happened, but for contents: when, what, to whom, and how much."""
    trace = network.trace
    return [
        (seconds(time_ns), Kind(kind).name.lower(), trace.names[who], n)
        for time_ns, kind, who, n, _ in trace.events
        if kind not in _OF_THE_NETWORK
    ]


def _compare_traces(how: str, expected: list[Any], found: list[Any]) -> None:
    for calm, other in zip([*expected, None], [*found, None], strict=False):
        if calm != other:
            shown = [
                f"{each[1]} of {each[2]} at t={each[0]}" if each else "nothing" for each in (other, calm)
            ]
            raise PropertyViolated("wall-clock", f"{how} there is {shown[0]}, and calm {shown[1]}")


def same_for_any_poller(program: Callable[[Stage], Any]) -> None:
    """The program says the same on a virtual network, and on this computer by select, poll and epoll.

    Args:
        program: called with a `simnet.stage.Stage`; what it returns is compared.  It returns nothing that
            depends on how real sockets happen to cut what they carry.

    Raises:
        PropertyViolated: it says something else by one of them, or fails.
        Whatever it raises on the virtual network.
    """
    expected = _on(VirtualStage(), program)
    for poller in ("select", "poll", "epoll"):
        if not hasattr(select, poller):
            continue  # of another system
        try:
            found = _on(RealStage(poller), program)
        except Exception as error:
            text = f"by {poller} it fails, and on a virtual network it does not"
            raise PropertyViolated("pollers", text) from error
        if found != expected:
            raise PropertyViolated("pollers", f"by {poller} it says {found!r}, and virtually {expected!r}")


def _on(stage: Stage, program: Callable[[Stage], Any]) -> Any:
    try:
        return program(stage)
    finally:
        stage.close()
