"""``python -m tests.interpreter``: run the suites of this Python and write their column into the page.

With the names of suites behind it: run these, and say what went wrong in them.
"""

from __future__ import annotations

import sys

from tests.interpreter.page import PAGE, count_of, counts_in, page, this_python
from tests.interpreter.suites import available, run_what_applies


def main(names: list[str]) -> None:
    counts = counts_in(PAGE.read_text() if PAGE.exists() else "")
    column = counts.setdefault(this_python(), {})
    if not names:
        column.clear()
    for suite in names or available():
        outcomes = run_what_applies(suite)
        column[suite] = passed, applies = count_of(outcomes)
        print(suite, passed, "of", applies, flush=True)
        for outcome in outcomes if names else ():
            if outcome.trouble:
                print(outcome.test, outcome.trouble, sep="\n")
    if not names:
        PAGE.write_text(page(counts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
