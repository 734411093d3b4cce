"""The search for runs that fail, and for the smallest one.

``from simnet.fuzz import networks, NetworkMachine`` for Hypothesis; `simnet.fuzz.campaign` for millions of
seeds without it.
"""

from ..outcomes import CORRUPTION, EVERY, GENTLE, HARSH, RESTARTS, WAKES
from .machine import OPERATIONS, NetworkMachine
from .strategies import networks, scripts

__all__ = [
    "CORRUPTION",
    "EVERY",
    "GENTLE",
    "HARSH",
    "OPERATIONS",
    "RESTARTS",
    "WAKES",
    "NetworkMachine",
    "networks",
    "scripts",
]
