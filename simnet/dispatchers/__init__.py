"""The handlers that programs subclass: a socket with a descriptor, and what becomes of it."""

from .chat import async_chat, find_prefix_at_end, simple_producer
from .datagrams import datagram_dispatcher
from .dispatcher import dispatcher
from .files import file_dispatcher
from .sending import dispatcher_with_send

__all__ = [
    "async_chat",
    "datagram_dispatcher",
    "dispatcher",
    "dispatcher_with_send",
    "file_dispatcher",
    "find_prefix_at_end",
    "simple_producer",
]
