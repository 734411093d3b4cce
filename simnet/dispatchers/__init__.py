"""The handlers that programs subclass: a socket with a descriptor, and what becomes of it."""

from .datagrams import datagram_dispatcher
from .dispatcher import dispatcher
from .files import file_dispatcher
from .sending import dispatcher_with_send

__all__ = ["datagram_dispatcher", "dispatcher", "dispatcher_with_send", "file_dispatcher"]
