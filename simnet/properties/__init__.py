"""Properties of programs: those that come with the box, those that compare runs, and a test's own.

The table of all of them is `simnet.checks`, with the switches of those that every run is checked for.

Owns what a test calls.  Does not own searching: whatever is raised here is a failure like others, which
storms find, and which is shrunk and replayed.
"""

from ..checks import PROPERTIES, SWITCHED, Checks, Property, default, set_default
from ..errors import PropertyViolated
from .compare import same_for_any_poller, same_for_any_segmentation, same_for_any_wall_clock
from .own import always, eventually, sometimes
from .replies import Replies

__all__ = [
    "PROPERTIES",
    "SWITCHED",
    "Checks",
    "Property",
    "PropertyViolated",
    "Replies",
    "always",
    "default",
    "eventually",
    "same_for_any_poller",
    "same_for_any_segmentation",
    "same_for_any_wall_clock",
    "set_default",
    "sometimes",
]
