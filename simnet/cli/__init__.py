"""The command line: run scenarios, replay one, search for a run that fails and for
the step that made it so, test simnet itself.

Exit status: 0 if all is as it should be, 1 if not, 2 if the command line or a file makes no sense, 3 if a
search found no failure and has not seen all that it should, 130 after Ctrl-C.  What is wrong with a command
or a file is said on stderr, without a traceback.

Modules that a command needs are imported when it runs, so that ``--help`` and a mistyped option are
answered at once.
"""

from . import bisect, fidelity, replay, scenarios, search, selftest
from .group import main

__all__ = ["bisect", "fidelity", "main", "replay", "scenarios", "search", "selftest"]
