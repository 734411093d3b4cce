"""The handlers that programs subclass: a socket with a descriptor, and what becomes of it."""

from .dispatcher import dispatcher
from .sending import dispatcher_with_send

__all__ = ["dispatcher", "dispatcher_with_send"]
