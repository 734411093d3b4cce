"""pyftpdlib's own tests, as installed, with simnet's asyncore and with the one that they were written for.

A suite is never copied.  Releases until 2.0 are installed with their tests (`pyftpdlib.test`); later ones
have them in the source distribution only, whose unpacked folder may be given.

Owns one run of one suite in a process of its own.  What must come of it is said by `test_pyftpdlib`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
SUITES = ("test_functional", "test_ioloop", "test_servers")
"""Those that need nothing besides pytest and psutil, and go through sockets."""

OTHERS = ""
OURS = "import simnet; simnet.install_asyncore(); "

_RUN = """
import sys, pytest, pyftpdlib.ioloop
found = pytest.main(sys.argv[1:])
print("asyncore:", pyftpdlib.ioloop.asyncore.__name__)
sys.exit(found)
"""
_OPTIONS = (
    "-vv -o addopts= -W ignore --color=no -p no:simnet -p no:xdist -p no:rerunfailures -p no:cacheprovider"
)
_OUTCOME = re.compile(r"::(\w+::\w+)(?: <- \S+)? (PASSED|FAILED|ERROR|SKIPPED|XFAIL)")
_WORST_LAST = ("PASSED", "SKIPPED", "XFAIL", "FAILED", "ERROR")


@attrs.frozen
class Run:
    """What became of each test, ``class::test``, which asyncore it had, and what was printed."""

    outcomes: dict[str, str]
    asyncore: str
    output: str

    @property
    def passed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "PASSED"}


def run(suite: str, before: str, sources: Path | None = None, folder: Path | None = None) -> Run:
    """Run a suite.

    Args:
        suite: the name of its module.
        before: statements to run before anything is imported: `OURS`, `OTHERS`.
        sources: an unpacked source distribution; without it, what is installed.
        folder: where tests leave their files; by default they are run in `sources`.
    """
    which = [f"tests/{suite}.py"] if sources else ["--pyargs", f"pyftpdlib.test.{suite}"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", before + _RUN, *_OPTIONS.split(), *which],
        cwd=folder or sources,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    outcomes: dict[str, str] = {}
    for test, outcome in _OUTCOME.findall(done.stdout):  # one that passes may fail as it is torn down
        outcomes[test] = max(outcomes.get(test, outcome), outcome, key=_WORST_LAST.index)
    asyncore = re.search(r"^asyncore: (\S+)", done.stdout, re.MULTILINE)
    return Run(outcomes, asyncore[1] if asyncore else f"none: exit {done.returncode}", done.stdout)
