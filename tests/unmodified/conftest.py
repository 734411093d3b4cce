"""What a package changes in the standard library when it is imported is changed back, for the other tests."""

from __future__ import annotations

import importlib
import socket
from contextlib import suppress

_inet_ntop = socket.inet_ntop
with suppress(ImportError):
    importlib.import_module("pysyncobj")  # which puts its inet_ntop for Windows there, on every system
socket.inet_ntop = _inet_ntop
