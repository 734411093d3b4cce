"""Deterministic simulation and testing of network code, grown from the dispatcher of asyncore.

The same handler classes run on real sockets and on a virtual network whose latency, partial sends,
resets and interleavings are chosen, recorded, replayed and shrunk.
"""

from .dispatchers import (
    async_chat,
    datagram_dispatcher,
    dispatcher,
    dispatcher_with_send,
    file_dispatcher,
)
from .errors import (
    Deadlock,
    Diverged,
    Escaped,
    Livelock,
    ProgramError,
    PropertyViolated,
    ScenarioError,
    SimnetError,
    UsageError,
)
from .fence import EscapeWarning, Fence
from .installing import install_asyncore
from .loop import ExitNow, Loop, loop
from .real import RealTransport
from .rules import Rule
from .script import Deviation, Happening, Script, parse
from .timers import Timer
from .transport import Transport, current, set_default
from .virtual import Host, Network
from .workload import Draw

__version__ = "0.1.0"

__all__ = [
    "Deadlock",
    "Deviation",
    "Diverged",
    "Draw",
    "EscapeWarning",
    "Escaped",
    "ExitNow",
    "Fence",
    "Happening",
    "Host",
    "Livelock",
    "Loop",
    "Network",
    "ProgramError",
    "PropertyViolated",
    "RealTransport",
    "ScenarioError",
    "Rule",
    "Script",
    "SimnetError",
    "Timer",
    "Transport",
    "UsageError",
    "async_chat",
    "current",
    "datagram_dispatcher",
    "dispatcher",
    "dispatcher_with_send",
    "file_dispatcher",
    "install_asyncore",
    "loop",
    "parse",
]

set_default(RealTransport())
