"""The table for readers: a page of Markdown.

Owns what is on the page: the counts, the differences and what is not simulated, each by name, and for
each kind of socket the columns that show most.  Every cell is in the record beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cells import Cells, Place, in_table_order
from .kinds import KINDS, Kind
from .record import TWINS
from .registry import OPERATIONS, STATES
from .survey import Survey
from .verdict import Difference, Verdict, judge

EXAMPLES = 3
CONNECTED_COLUMNS = {
    "readiness": "readiness",
    "recv_3_times": "recv, 3 times",
    "send_3_times": "send, 3 times",
    "so_error_twice": "SO_ERROR, twice",
    "connect_live_3_times": "connect, 3 times",
    "shutdown_rd": "SHUT_RD",
    "shutdown_wr": "SHUT_WR",
    "accept": "accept",
    "getpeername": "getpeername",
    "bind_free": "bind",
}
DATAGRAM_COLUMNS = {
    "readiness": "readiness",
    "recv_3_times": "recv, 3 times",
    "send_3_times": "send, 3 times",
    "sendto_live": "sendto",
    "sendto_dead_twice": "sendto nobody, twice",
    "so_error_twice": "SO_ERROR, twice",
    "connect_live_3_times": "connect, 3 times",
    "shutdown_rd": "SHUT_RD",
    "shutdown_wr": "SHUT_WR",
    "getpeername": "getpeername",
    "bind_free": "bind",
}

INTRODUCTION = """
# Fidelity

A virtual socket answers as one of Linux does, or raises `NotImplementedError`. This page shows how far that is true: each
operation is made on a socket in each state, on the live kernel and on a virtual host. What it returns or raises is compared,
and the readiness afterwards, of the socket and of its peer.

`make fidelity` asks both kernels and writes this page and `fidelity.json` beside it, which has every cell. `simnet fidelity`
only compares; `simnet fidelity --sequences N` compares operations in a row, of which there are too many for a page.
"""  # noqa: E501, a page is wider than code

READING = """
## How to read the tables

A cell is what the operation answered: a value, `ok` for none, an errno. An operation of several calls has several answers.
Then `=>` the readiness of the socket, if it has changed, and `(peer => ...)` that of its peer. Readiness is the mask of poll(2),
and after the semicolon in which of select's sets the socket is: `r`, `w`, `x`. An epoll that says otherwise is named; on Linux
none does.

An address is written by whose it is, as ports and paths differ from run to run: `<lo:listener>` is the port of a listener on the
loopback address, `<any:0>` no address yet. Sockets are non-blocking; loopback has delivered everything before the next call.

Before each cell a socket is brought into its state anew. How, and what each operation calls, is in `simnet/oracle/matrix/`: one
function for a state, one for an operation.
"""  # noqa: E501


def page(survey: Survey) -> str:
    """The page, for a survey of all kinds."""
    verdict = survey.verdict
    parts = [
        INTRODUCTION.strip(),
        headline(survey),
        "\n".join(counts(survey)),
        READING.strip(),
        "\n".join(differences(verdict)),
        "\n".join(not_simulated(verdict)),
        *("\n".join(of_kind(kind, survey)) for kind in KINDS.values()),
    ]
    return "\n\n".join(parts) + "\n"


def headline(survey: Survey) -> str:
    verdict = survey.verdict
    missing = sum(len(places) for places in verdict.not_simulated.values())
    return (
        f"**{number(verdict.compared)} cells compared: {number(verdict.equal)} equal,"
        f" {number(len(verdict.differences))} different"
        f" ({number(len(verdict.unexplained))} of them without a reason), {number(missing)} not simulated.**"
        f" The live kernel was Linux {survey.kernel}. Asked twice, it answered"
        f" {number(len(survey.live) - len(survey.unstable))} of {number(len(survey.live))} cells the same."
    )


def number(count: int) -> str:
    return f"{count:,}".replace(",", "\u00a0")


def counts(survey: Survey) -> Iterator[str]:
    rows = []
    for kind in KINDS.values():
        verdict = judge(of(survey.live, kind), of(survey.virtual, kind))
        missing = sum(len(places) for places in verdict.not_simulated.values())
        sizes = (len(STATES.of(kind)), len(OPERATIONS.of(kind)))
        numbers = (*sizes, verdict.compared, verdict.equal, len(verdict.differences), missing)
        rows.append((f"[{kind.title}](#{anchor(kind.title)})", *map(number, numbers)))
    head = ("", "states", "operations", "cells", "equal", "different", "not simulated")
    yield from table(head, rows)
    yield ""
    yield "An operation that does not apply has no cell there, as what the peer does where there is none."


def of(cells: Cells, kind: Kind) -> Cells:
    return {place: answer for place, answer in cells.items() if place.kind == kind.name}


def anchor(title: str) -> str:
    """The anchor that a heading gets."""
    return title.lower().replace(" ", "-").replace(",", "")


# --- differences ---------------------------------------------------------------------------------


def differences(verdict: Verdict) -> Iterator[str]:
    yield "## Differences"
    yield ""
    if not verdict.differences:
        yield "No cell differs."
        return
    for reason, found in verdict.explained.items():
        yield f"**{reason.name}** ({number(len(found))} cells)"
        yield f": {reason.why}"
        yield from examples(found)
        yield ""
    if verdict.unexplained:
        yield f"**Without a reason** ({number(len(verdict.unexplained))} cells)"
        yield ": Each is an error of the virtual kernel, or a reason that is not written down."
        yield from examples(verdict.unexplained)


def examples(found: list[Difference]) -> Iterator[str]:
    yield ""
    for difference in found[:EXAMPLES]:
        place, live, virtual = str(difference.place), difference.live, difference.virtual
        yield f"  - {code(place)}: live {code(live)}, virtual {code(virtual)}"


def not_simulated(verdict: Verdict) -> Iterator[str]:
    yield "## Not simulated"
    yield ""
    if not verdict.not_simulated:
        yield "Nothing that the table asks for raises `NotImplementedError`."
        return
    yield "What raises `NotImplementedError`, by its words, and how many cells need it."
    yield ""
    rows = sorted(verdict.not_simulated.items(), key=lambda item: (-len(item[1]), item[0]))
    yield from table(
        ("missing", "cells", "for example"),
        [(code(words), number(len(places)), code(str(places[0]))) for words, places in rows],
    )


# --- the table of a kind -------------------------------------------------------------------------


def of_kind(kind: Kind, survey: Survey) -> Iterator[str]:
    yield f"## {kind.title}"
    yield ""
    if kind.name in TWINS:
        yield from beside_its_twin(kind, survey.live)
        return
    columns = CONNECTED_COLUMNS if kind.connects else DATAGRAM_COLUMNS
    rows = [
        (code(state), *(beside(Place(kind.name, state, operation), survey) for operation in columns))
        for state in STATES.of(kind)
    ]
    yield from table(("state", *columns.values()), rows)


def beside(place: Place, survey: Survey) -> str:
    """What both kernels say, without the readiness afterwards; one answer if it is the same."""
    live, virtual = (said(cells.get(place, "")) for cells in (survey.live, survey.virtual))
    return code(live) if live == virtual else f"**live {code(live)}, virtual {code(virtual)}**"


def said(cell: str) -> str:
    return cell.partition(" => ")[0].partition(" (peer => ")[0]


def beside_its_twin(kind: Kind, live: Cells) -> Iterator[str]:
    """Where the live kernel answers otherwise than for the kind that this one is most like."""
    twin = KINDS[TWINS[kind.name]]
    unlike: dict[str, list[tuple[str, str, str]]] = {}
    for place in in_table_order(of(live, kind)):
        other = live.get(Place(twin.name, place.state, place.operation))
        if other is not None and other != live[place]:
            unlike.setdefault(place.operation, []).append((place.state, other, live[place]))
    count = sum(len(found) for found in unlike.values())
    yield f"As [{twin.title}](#{anchor(twin.title)}), but for {number(count)} cells, here by operation:"
    yield ""
    rows = [
        (code(operation), number(len(found)), code(found[0][0]), code(found[0][1]), code(found[0][2]))
        for operation, found in unlike.items()
    ]
    yield from table(("operation", "cells", "for example", twin.title, kind.title), rows)


# --- Markdown ------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A bar ends a cell, even in code, if nothing is before it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def code(text: str) -> str:
    return f"`{text}`" if text else ""
