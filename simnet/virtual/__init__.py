"""A network that exists only in memory, with hosts, links, time and faults that a test can script."""

from .host import Host
from .network import Network

__all__ = ["Host", "Network"]
