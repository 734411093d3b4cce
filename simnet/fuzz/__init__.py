"""The search for runs that fail, and for the smallest one.

``from simnet.fuzz import networks`` for Hypothesis; `simnet.fuzz.campaign` for millions of seeds without it.
"""

from ..outcomes import EVERY, GENTLE
from .strategies import networks, scripts

__all__ = ["EVERY", "GENTLE", "networks", "scripts"]
