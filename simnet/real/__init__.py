"""This computer: sockets, select, poll and epoll, and the clocks of the operating system."""

from .transport import RealTransport

__all__ = ["RealTransport"]
