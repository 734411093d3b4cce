"""``python -m benchmarks [--quick] [WORKLOAD ...]``: measure, and print one table."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from statistics import median

from benchmarks import blocking, echo, examples, searches, streams, worlds
from benchmarks.measure import Row
from benchmarks.peers import RECV_BYTES, why_no_simloop
from benchmarks.streams import why_no_aiohttp

WORKLOADS = {
    **{"echo": echo, "worlds": worlds, "searches": searches, "examples": examples},
    **{"blocking": blocking, "streams": streams},
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workload", nargs="*", help=f"{', '.join(WORKLOADS)}; without one, all")
    parser.add_argument("--quick", action="store_true", help="fewer messages and rounds")
    options = parser.parse_args(arguments)
    names = options.workload or list(WORKLOADS)
    for name in names:
        if name not in WORKLOADS:
            parser.error(f"no workload is called {name!r}; there are {', '.join(WORKLOADS)}")
    rows = [row for name in names for row in WORKLOADS[name].run(options.quick, said)]
    said("")
    print("\n".join(table(rows)))
    print()
    print("\n".join(notes(rows, arguments)))


def said(text: str) -> None:
    """Show where we are, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def table(rows: list[Row]) -> list[str]:
    """One line a contestant; the ratio says how many times as fast simnet is, trace and all."""
    cells: list[tuple[str, ...]] = [
        ("workload", "contestant", "ops/s", "µs/op", "µs CPU", "simnet is", "min", "max")
    ]
    for row in rows:
        own = row.contestant == "simnet"
        ratios = [f"{value:.2f}x" for value in (median(row.ratios), min(row.ratios), max(row.ratios))]
        figures = (f"{row.per_second:,.0f}", f"{row.microseconds:,.2f}", f"{row.cpu_microseconds:,.2f}")
        cells.append((row.workload if own else "", row.contestant, *figures, *([""] * 3 if own else ratios)))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [_line(line, widths) for line in cells]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    texts, numbers = cells[:2], cells[2:]
    left = [text.ljust(width) for text, width in zip(texts, widths, strict=False)]
    return "  ".join([*left, *(n.rjust(width) for n, width in zip(numbers, widths[2:], strict=True))])


def notes(rows: list[Row], arguments: list[str]) -> list[str]:
    """What was measured, and how to measure it again."""
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    simloop = why_no_simloop() or f"simloop {version('simloop')}: the same code; its trace is always on."
    aiohttp = why_no_aiohttp() or f"aiohttp {version('aiohttp')}: client and server."
    return [
        f"Medians of {len(rows[0].seconds)} interleaved rounds after a warm-up, on {python};",
        "ratios are of CPU time, user and kernel, and taken within a round.",
        f"A message has {len(echo.MESSAGE)} bytes.",
        f"asyncio: both ends in this process, {RECV_BYTES // 1024} KiB receive buffers.",
        simloop,
        aiohttp,
        " ".join(["again:", "python", "-m", "benchmarks", *arguments]),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
