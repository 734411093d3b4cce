"""The demonstration, ``make demo``: serve, record, feed again in every weather; search, shrink, keep, replay.

1. The HTTP example serves real clients on this computer's loopback, and what passes is recorded.
2. The recorded requests go to the same server classes on virtual networks: cut at every byte, one byte
   at a time, and through storms.  Every answer must be the one that the real client got.
3. A line server with the classic mistake is put into storms until it fails; the failure is shrunk,
   reported, written to a file and replayed from there, to the same digest.  The corrected server stands
   the same storms.

Every figure is measured in the run that prints it.  A claim that does not hold ends it with status 1.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from examples import recorded, weather
from examples.line_server import upload, upload_patiently
from examples.recorded import Conversation
from examples.screen import Screen
from simnet import Network
from simnet.fuzz.campaign import Found, search
from simnet.report.failure import failure_report
from simnet.scenario.load import load
from simnet.scenario.model import Expect, Scenario
from simnet.scenario.replay import record_of, replay
from simnet.scenario.run import execute
from simnet.scenario.save import save
from simnet.units import SECOND_NS

STORMS = 1000
SEEDS = 2000
DEVIATIONS_MAX = 2
FOLDER = Path(".simnet") / "demo"
_SHOW_EVERY = 25  # runs between two steps of a bar

Rows = list[tuple[str, str]]


class Untrue(Exception):
    """Something that the demonstration claims does not hold."""


def claim(holds: object, otherwise: str) -> None:
    """Go on only if it is true."""
    if not holds:
        raise Untrue(otherwise)


# --- 1: real clients -----------------------------------------------------------------------------


def serve_real_clients(screen: Screen) -> list[Conversation]:
    """Record what the clients of this computer and the server say to each other over loopback."""
    screen.title("1  An HTTP server on simnet.dispatcher and h11, on real loopback, serves")
    names = list(recorded.clients())
    with screen.progress("clients", len(names)) as advance:
        conversations = recorded.record(lambda name: advance(names.index(name)))
    for each in conversations:
        screen.say(f"  ok {each.client:<19}{len(each.request):>5} bytes sent,{len(each.answer):>6} answered")
    silent = set(names) - {each.client for each in conversations}
    claim(not silent, f"nothing was recorded of {', '.join(sorted(silent))}")
    if "curl" not in names:
        screen.say("  -  curl is not installed, and is left out")
    return conversations


# --- 2: the same requests in every weather -------------------------------------------------------


@attrs.define
class Tally:
    """What was run, and what it took."""

    cut_points: int = 0
    byte_by_byte: int = 0
    storms: int = 0
    gentle: int = 0
    scripts: int = 0
    deviations: int = 0
    virtual_ns: int = 0
    seconds: float = 0.0

    @property
    def runs(self) -> int:
        return self.cut_points + self.byte_by_byte + self.storms + self.scripts

    def rows(self) -> Rows:
        return [
            ("cut points, answered equally", f"{self.cut_points:,}"),
            ("requests byte by byte, answered equally", f"{self.byte_by_byte:,}"),
            ("gentle storms, answered equally", f"{self.gentle:,}"),
            ("storms that end a connection, right until then", f"{self.storms - self.gentle:,}"),
            ("recorded scripts, replayed to equal digests", f"{self.scripts:,}"),
            ("deviations in these", f"{self.deviations:,}"),
            ("runs a second", f"{self.runs / self.seconds:,.0f}"),
            ("simulated seconds in a real one", f"{self.virtual_ns / SECOND_NS / self.seconds:,.0f}"),
        ]


def feed_again(screen: Screen, conversations: list[Conversation], storms: int = STORMS) -> Tally:
    """Put every recorded request through cuts, single bytes and storms."""
    screen.title("2  The recorded requests on virtual networks, to the same server classes")
    tally = Tally()
    began = time.perf_counter()
    _feed_cut(screen, conversations, tally)
    for each in conversations:
        tally.virtual_ns += _fed(each, Network(), [bytes([byte]) for byte in each.request]).now_ns
        tally.byte_by_byte += 1
    screen.say(f"  ok {tally.byte_by_byte} requests byte by byte: every answer is the one that was recorded")
    _feed_storms(screen, conversations, storms, tally)
    tally.seconds = time.perf_counter() - began
    screen.say(f"     {tally.runs:,} runs in {tally.seconds:.1f} s")
    return tally


def _fed(conversation: Conversation, net: Network, pieces: list[bytes]) -> Network:
    """Feed one request; an answer that is not right is a claim that does not hold."""
    try:
        weather.check(conversation, net, pieces)
    except AssertionError as error:
        raise Untrue(str(error)) from error
    return net


def _feed_cut(screen: Screen, conversations: list[Conversation], tally: Tally) -> None:
    total = sum(len(weather.cut_points(each)) for each in conversations)
    with screen.progress("cut points", total) as advance:
        for each in conversations:
            for at in weather.cut_points(each):
                tally.virtual_ns += _fed(each, weather.cut(at), [each.request]).now_ns
                tally.cut_points += 1
                if tally.cut_points % _SHOW_EVERY == 0:
                    advance(tally.cut_points)
    screen.say(f"  ok {total:,} cut points: every answer is the one that was recorded, byte for byte")


def _feed_storms(screen: Screen, conversations: list[Conversation], storms: int, tally: Tally) -> None:
    with screen.progress("storms", storms) as advance:
        for seed in range(storms):
            each = conversations[seed % len(conversations)]
            net = _fed(each, Network(seed=seed), [each.request])
            script = net.script()
            again = _fed(each, Network(script), [each.request])
            same = again.trace.digest() == net.trace.digest()
            claim(same, f"the script of storm {seed} makes another run than the storm:\n{script}")
            tally.storms += 1
            tally.scripts += 1
            tally.gentle += weather.is_gentle(script)
            tally.deviations += len(script)
            tally.virtual_ns += net.now_ns + again.now_ns
            if seed % _SHOW_EVERY == 0:
                advance(seed)
    screen.say(
        f"  ok {storms:,} storms, and the {tally.scripts:,} scripts recorded from them, to equal digests:"
    )
    screen.say(
        f"     {tally.gentle:,} gentle ones answered equally, {storms - tally.gentle:,} right until cut off"
    )


# --- 3: a bug found, shrunk, kept and replayed ---------------------------------------------------


def find_the_bug(screen: Screen, folder: Path = FOLDER, seeds: int = SEEDS) -> Rows:
    """Search, report, save, replay; then the same seeds for the corrected server."""
    screen.title("3  A line server that takes one recv for one message, in storms until it fails")
    with screen.progress("seeds", seeds) as advance:
        found = search(upload, seeds=range(seeds), on_progress=lambda state: advance(state.runs))
    claim(found, f"no failure in {seeds} seeds")
    assert found is not None
    assert found.shrunk is not None
    count = len(found.shrunk.script)
    claim(count <= DEVIATIONS_MAX, f"{count} deviations are left, more than {DEVIATIONS_MAX}")
    path = keep(found, folder)
    screen.say("")
    screen.say(_indented(failure_report(found.outcome, shrunk=found.shrunk, replay=f"simnet replay {path}")))
    screen.say("")
    replay_from(screen, path, found)
    before, runs = found.shrunk.before, found.shrunk.runs
    rows = [
        ("storms until the line server failed", f"{found.progress.runs}"),
        (f"deviations, before and after shrinking in {runs} runs", f"{before} -> {count}"),
        ("replay from the file in a new interpreter", "same digest"),
    ]
    return [*rows, *compare_servers(screen, seeds)]


def keep(found: Found, folder: Path) -> Path:
    """Write the scenario of a failure to a file."""
    assert found.shrunk is not None
    scenario = Scenario(
        title="A line arrives in two segments and is taken for two lines",
        why="TCP carries bytes, not messages: one send may be received with two recvs.",
        call="examples.line_server:upload",
        script=found.shrunk.script,
        expect=Expect(outcome="fails", error="AssertionError"),
        record=record_of(found.shrunk.outcome),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "line-in-two-segments.toml"
    save(scenario, path)
    return path


def replay_from(screen: Screen, path: Path, found: Found) -> None:
    """Replay a scenario from its file, strictly: here, and in an interpreter with another hash seed."""
    assert found.shrunk is not None
    digest = found.shrunk.outcome.network.trace.digest()
    verdict = replay(load(path))
    claim(verdict.as_expected, str(verdict))
    elsewhere = replay_elsewhere(path)
    screen.say(f"  ok written to                   {path}")
    screen.say(f"     found                        {digest}")
    screen.say(f"     replayed from the file       {verdict.digest}")
    screen.say(f"     and in a new interpreter     {elsewhere}")
    claim(verdict.digest == digest == elsewhere, "the replays have other digests than the failure")


def replay_elsewhere(path: Path) -> str:
    """The digest of a replay in a new interpreter, in which sets have another order."""
    program = "import sys; from simnet.scenario import *; print(replay(load(sys.argv[1])).digest)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONHASHSEED": "99", "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    claim(not done.returncode, f"the replay in a new interpreter failed:\n{done.stderr}")
    return done.stdout.strip()


def compare_servers(screen: Screen, seeds: int) -> Rows:
    """How many of the same storms each of the two servers fails in."""
    failures = []
    for name, program in (("as it was", upload), ("corrected", upload_patiently)):
        with screen.progress(f"line server, {name}", seeds) as advance:
            failures.append(failing(program, seeds, advance))
        screen.say(f"  ok line server, {name}: fails in {failures[-1]} of {seeds:,} storms")
    claim(failures[0], f"the line server with the mistake failed in none of {seeds} storms")
    claim(not failures[1], f"the corrected line server failed in {failures[1]} of {seeds} storms")
    return [(f"failures in {seeds:,} storms, then corrected", f"{failures[0]} -> {failures[1]}")]


def failing(program: Callable[[Network], object], seeds: int, advance: Callable[[int], object]) -> int:
    """In how many storms `program` fails."""
    failures = 0
    for seed in range(seeds):
        failures += not execute(program, Network(seed=seed, trace=False)).passed
        if seed % _SHOW_EVERY == 0:
            advance(seed)
    return failures


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def main() -> int:
    """Run all of it; the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character is no reason to stop
    screen = Screen()
    began = time.perf_counter()
    try:
        conversations = serve_real_clients(screen)
        tally = feed_again(screen, conversations)
        rows = find_the_bug(screen)
    except Exception as error:
        screen.say(f"\ndemo failed: {type(error).__name__}: {error}", style="bold red")
        return 1
    real = ("connections of real clients, recorded", f"{len(conversations)}")
    took = ("seconds for all of this", f"{time.perf_counter() - began:.1f}")
    screen.table("Measured in this run", [real, *tally.rows(), *rows, took])
    return 0


if __name__ == "__main__":
    sys.exit(main())
