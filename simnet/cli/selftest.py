"""``simnet selftest``: does the virtual kernel answer as the kernel of this computer does?

Owns the command, its progress and its table.  The comparison is `simnet.oracle`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .group import INTERRUPTED, main

if TYPE_CHECKING:
    from ..oracle.live import LiveKernel
    from ..oracle.selftest import Kernel, Selftest

CALLS_DEFAULT = 100_000
TERMINAL_SECONDS, PLAIN_SECONDS = 0.2, 5.0  # between two words of progress


@main.command()
@click.option("--calls", type=click.IntRange(1), default=CALLS_DEFAULT, show_default=True, metavar="N")
@click.option(
    "--profile", "profiles", multiple=True, metavar="NAME", help="Only this profile; may be repeated."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="The first seed."
)
@click.option("--identity", is_flag=True, help="Compare the live kernel with itself: nothing may differ.")
@click.option(
    "--recorded", "only_recorded", is_flag=True, help="Compare with recorded logs of the live kernel."
)
@click.option(
    "--list", "listing", is_flag=True, help="List the profiles and what is put aside before comparing."
)
def selftest(
    calls: int, profiles: tuple[str, ...], seed: int, identity: bool, only_recorded: bool, listing: bool
) -> int:
    """Run random programs of socket calls on the virtual kernel and on this computer's, and compare.

    After each call its result, its errno and the readiness of every open descriptor are compared.  The live
    kernel is asked in a private network namespace, which needs no root.  Where none can be made, recorded
    logs stand in.  Exit status 1 if anything differs; the program is then made short and printed.
    """
    from ..oracle.profiles import PROFILES

    unknown = sorted(set(profiles) - set(PROFILES))
    if unknown:
        raise UsageError(f"no profile is called {unknown[0]!r}; there are {', '.join(PROFILES)}")
    if listing:
        _list()
        return 0
    names = list(profiles or PROFILES)
    with ExitStack() as kernels:
        live = None if only_recorded else _live_kernel(kernels, identity)
        first = _first_kernel(kernels, identity)
        return _run(names, calls, seed, first, live)


def _list() -> None:
    from ..oracle.normal import RULES
    from ..oracle.profiles import PROFILES

    wide = max(map(len, PROFILES))
    for name, profile in PROFILES.items():
        click.echo(f"{name:{wide}}  {profile.about}")
    click.echo("\nput aside before comparing:")
    for what, why in RULES.items():
        click.echo(f"- {what}: {why}")


def _first_kernel(kernels: ExitStack, identity: bool) -> Kernel:
    """What says what is expected."""
    from ..oracle.live import LiveKernel
    from ..oracle.simulated import VirtualKernel

    return kernels.enter_context(LiveKernel()) if identity else VirtualKernel()


def _live_kernel(kernels: ExitStack, identity: bool) -> LiveKernel | None:
    """The live kernel, or None, said aloud, if it cannot be asked."""
    from ..oracle.live import LiveKernel
    from ..oracle.namespace import NoNamespace

    try:
        return kernels.enter_context(LiveKernel())
    except NoNamespace as problem:
        if identity:
            raise UsageError(f"the live kernel cannot be compared with itself: {problem}") from None
        click.echo(f"no private network namespace: {problem}", err=True)
        return None


def _run(names: list[str], calls: int, seed: int, first: Kernel, live: LiveKernel | None) -> int:
    from ..oracle.recorded import recorded_on
    from ..oracle.selftest import Selftest
    from ..oracle.simulated import VirtualKernel

    if live is None:
        click.echo(f"comparing the virtual kernel with logs recorded on {recorded_on(names[0])}")
    else:
        whom = (
            "virtual kernel with the live one"
            if isinstance(first, VirtualKernel)
            else "live kernel with itself"
        )
        click.echo(f"comparing the {whom}, {calls} calls, from seed {seed}")
    screen = Screen()
    test = Selftest(names, calls, seed, first, live, screen.show)
    status = None
    try:
        test.run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    screen.clear()
    if status == INTERRUPTED:
        click.echo("interrupted; until then:")
    _show(test, first)
    return status or (1 if test.mismatches else 0)


def _show(test: Selftest, first: Kernel) -> None:
    from ..oracle.selftest import missing

    wide = max(map(len, test.tallies))
    click.echo(f"{'profile':{wide}} {'programs':>9} {'calls':>10} {'coverage':>9} {'repeats':>8} mismatches")
    for name, tally in test.tallies.items():
        click.echo(
            f"{name:{wide}} {tally.programs:9} {tally.calls:10} {tally.coverage.kinds:9} {tally.disturbed:8} "
            f"{len(tally.mismatches):10}"
        )
    click.echo(summary(test))
    _show_missing(missing(first))
    for mismatch in test.mismatches:
        click.echo(
            f"\nprofile {mismatch.profile}, seed {mismatch.seed}: the kernels differ\n{mismatch.words}"
        )


def _show_missing(names: Counter[str]) -> None:
    if names:
        click.echo("\nnot simulated, and left out on both sides:")
        for name, count in sorted(names.items(), key=lambda item: (-item[1], item[0])):
            click.echo(f"{count:9}  {name}")


def summary(test: Selftest) -> str:
    found, kinds = len(test.mismatches), f"{test.kinds} kinds of call, result and readiness"
    mismatches = f"{found} mismatch{'' if found == 1 else 'es'}"
    return f"{test.calls} calls, {test.calls_per_second:.0f}/s, {kinds}, {mismatches}"


class Screen:
    """The line of progress: kept up to date on a terminal, now and then a new one elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._every_s = TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS
        self._next_s = time.monotonic() + self._every_s

    def show(self, test: Selftest) -> None:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._every_s
        click.echo(f"\r\x1b[K{summary(test)}" if self._terminal else summary(test), nl=not self._terminal)

    def clear(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", nl=False)
