"""The handlers that programs subclass: a socket with a descriptor, and what becomes of it."""

from .chat import async_chat, find_prefix_at_end, simple_producer
from .dispatcher import dispatcher
from .sending import dispatcher_with_send

__all__ = ["async_chat", "dispatcher", "dispatcher_with_send", "find_prefix_at_end", "simple_producer"]
