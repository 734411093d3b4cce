"""Faults that a test asks for: of operations (`rules`), and of hosts and paths (`happenings`, `effects`)."""

from .fault import Fault
from .happenings import At, Call, Happenings
from .rules import On, Standing

__all__ = ["At", "Call", "Fault", "Happenings", "On", "Standing"]
