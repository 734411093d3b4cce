"""The modules through which code asks this computer: the standard ones."""

from __future__ import annotations

import fcntl
import os
import select
import selectors
import socket
import time
from types import SimpleNamespace

MODULES = SimpleNamespace(socket=socket, select=select, selectors=selectors, time=time, os=os, fcntl=fcntl)
