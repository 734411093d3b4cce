"""From plain to encrypted in the middle of a stream (STARTTLS): what becomes of plain bytes on their way.

What was queued to be sent goes out in plain, before the handshake; what was received and not handled is
forgotten.  Both are kept by the channel behind the mixin, in the buffers that asynchat and asyncore
document: `ac_in_buffer`, `incoming`, `producer_fifo`, `out_buffer`.

Owns what is done to these buffers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tls_socket import TLSSocket


def discard_plain(channel: Any) -> None:
    """Forget what an async_chat has received and not handled (the injection of CVE-2011-0411).

    Also the beginning of a line, which has left the buffer and was collected in `incoming`: the rest of that
    line would come under TLS.
    """
    if not hasattr(channel, "ac_in_buffer"):
        return
    collected = getattr(channel, "incoming", [])
    if not isinstance(collected, list):
        collected = []  # the program's own, under the same name
    size = len(channel.ac_in_buffer) + sum(map(len, collected))
    if size:
        channel.log_info(f"discarded {size} bytes received in plain", "warning")
        channel.ac_in_buffer = b""
        collected.clear()


def begin_behind_plain(channel: Any, sock: TLSSocket, begin: Callable[[], None]) -> None:
    """Call `begin` when everything that is queued already is on its way, in plain."""
    if getattr(channel, "producer_fifo", None):
        sock.upgrade()
        channel.push_with_producer(_Upgrade(begin))
        return
    if getattr(channel, "out_buffer", b""):
        sock.send_first(channel.out_buffer)
        channel.out_buffer = b""
    begin()


class _Upgrade:
    """A producer without data: when its turn comes, everything queued before it went out in plain."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def more(self) -> bytes:
        """Begin with TLS; nothing to send."""
        self._begin()
        return b""
