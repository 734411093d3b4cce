"""What sees that a program breaks a property while its run goes on.

The places where it could be seen call a method here, if a network has a witness at all; none of them is on
the way of a message.  What is broken is noted, with the line, and raised when time stops: so no handler of
errors hides it, and a run that is watched is the same run.

Owns the properties of `simnet.checks` that can be seen at one moment.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import PropertyViolated
from ..units import seconds
from .kernel.tcp import TcpEnd
from .kernel.tcp_states import State

if TYPE_CHECKING:
    from .host import Host
    from .kernel.file import File
    from .network import Network


_PACKAGE = str(Path(__file__).parent.parent)


def _has_output(channel: Any) -> bool:
    """Whether a channel keeps bytes of its own that it has not sent."""
    has_output = getattr(channel, "has_output", None)
    return bool(has_output() if has_output is not None else getattr(channel, "out_buffer", b""))


def _place() -> tuple[str, str]:
    """The innermost line that is not simnet's, and its function."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "nowhere", ""
    function = frame.f_code.co_name
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {function}", function


class Witness:
    """Looks at one network."""

    __slots__ = ("_failed_accepts", "_names", "_network", "violation")

    def __init__(self, network: Network) -> None:
        self._network = network
        self._names = network.checks.names
        self._failed_accepts: dict[str, tuple[int, int]] = {}  # listener: when, errno
        self.violation: PropertyViolated | None = None

    def check(self) -> None:
        """Time stops: raise what was broken first."""
        if self.violation is not None:
            raise self.violation

    def _broken(self, name: str, host: Host, found: str) -> None:
        is_wanted = not self._network.is_passing  # the test does it, and no handler
        if is_wanted or name not in self._names or self.violation is not None:
            return
        place, function = _place()
        when = f"t={seconds(self._network.now_ns)}"
        self.violation = PropertyViolated(name, f"{host.name}: {found} ({place}, {when})", function)

    # --- channels --------------------------------------------------------------------------------

    def tells_close(self, host: Host, channel: Any) -> None:
        """`handle_close` is about to be called."""
        channel.closes_told += 1
        if channel.closes_told > 1:
            self._broken("one-close", host, f"handle_close of {type(channel).__name__} is called again")

    def closes(self, host: Host, channel: Any, fd: int) -> None:
        """A channel is about to close its descriptor."""
        file: Any = host.descriptors.get(fd)
        if not isinstance(file, TcpEnd) or file.state is not State.CLOSE_WAIT:
            return
        peer = file.peer
        if peer is None or peer.orphan or peer.receive_shut:
            return
        if _has_output(channel):
            who = type(channel).__name__
            self._broken("half-close", host, f"{who} closes with output that {peer.label} waits for")

    def calls_closed(self, host: Host, channel: Any, handler: str) -> None:
        """A handler is about to be called of a channel that is closed."""
        left_ns = getattr(getattr(channel.socket, "_end", None), "left_ns", None)
        if left_ns == self._network.now_ns:
            self._broken("no-use-after-close", host, f"{handler} of {type(channel).__name__}, after close()")

    # --- sockets ---------------------------------------------------------------------------------

    def leaves(self, file: Any) -> int | None:
        """A program is about to close a socket: when, if its connection is alive, and so by its own decision.

        Who closes because the peer has gone may well be in the middle of an answer to it.
        """
        is_alive = isinstance(file, TcpEnd) and file.state is State.ESTABLISHED and not file.so_error
        return self._network.now_ns if is_alive else None

    def used_closed(self, file: Any, left_ns: int, size: int) -> None:
        """A program sends by a socket that it has left: in the same handler, if in the same moment."""
        if left_ns == self._network.now_ns:
            found = f"{file.label} was closed, and then {size} bytes were to be sent"
            self._broken("no-use-after-close", file.host, found)

    def accept_failed(self, listener: File, reason: int | None) -> None:
        """accept() has failed; that nobody waits there is no failure."""
        if reason is not None and reason != errno.EAGAIN:
            self._failed_accepts[listener.label] = self._network.now_ns, reason

    def accepted(self, listener: File) -> None:
        """accept() has not failed: who closes the listener now does not do it for an earlier error."""
        if self._failed_accepts:
            self._failed_accepts.pop(listener.label, None)

    def stops_listening(self, listener: File) -> None:
        """A listener is closed: by a program that has had enough of it, or has met an error just now?"""
        when_ns, reason = self._failed_accepts.get(listener.label, (-1, 0))
        if when_ns == self._network.now_ns:
            name = errno.errorcode.get(reason, str(reason))
            found = f"{listener.label} is closed because accept() has failed with {name}"
            self._broken("listener-survives", listener.host, found)
