"""``python -m tests.interpreter``: run the suites of this Python and write their rows into the page."""

from __future__ import annotations

from tests.interpreter.page import PAGE, page, row_of, rows_in
from tests.interpreter.suites import available, run_what_applies


def main() -> None:
    rows = [row_of(suite, run_what_applies(suite)) for suite in available()]
    for row in rows:
        print(*row)
    others = [row for row in rows_in(PAGE.read_text() if PAGE.exists() else "") if row[0] != rows[0][0]]
    PAGE.write_text(page(sorted([*others, *rows])), encoding="utf-8")


if __name__ == "__main__":
    main()
