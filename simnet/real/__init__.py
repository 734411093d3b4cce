"""This computer: sockets, select, poll, epoll and kqueue, and the clocks of the operating system."""

from .transport import RealTransport

__all__ = ["RealTransport"]
