"""How far a socket is with TLS, and what leads on: the table that `tls_socket` goes by.

TLS begins with `START`: at once if the TCP connection stands, behind what was queued to be sent in plain if
there is any (`UPGRADE`), or when there is a connection.  Each side ends its own half of the stream by
close_notify, as TCP's sides do by FIN.  A failure ends both, whenever it comes; nothing leads out of it.

Owns the phases and the steps between them.
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """How far a socket is with TLS."""

    PLAIN = "plain"
    WAITING = "waiting"  # TLS begins when the TCP connection stands
    UPGRADING = "upgrading"  # TLS begins when what was queued before is sent, in plain
    HANDSHAKE = "handshake"
    OPEN = "open"
    SHUT = "shut"  # close_notify was sent
    PEER_SHUT = "shut by the peer"  # close_notify was received
    ENDED = "ended"  # both
    FAILED = "failed"


class Step(Enum):
    """What leads from one phase to the next."""

    START = "start"
    UPGRADE = "upgrade"
    BEGIN = "begin"
    AGREE = "agree"
    SHUT = "shut"
    PEER_SHUTS = "peer shuts"
    FAIL = "fail"


NEXT = {
    (Phase.PLAIN, Step.START): Phase.WAITING,
    (Phase.WAITING, Step.UPGRADE): Phase.UPGRADING,
    (Phase.WAITING, Step.BEGIN): Phase.HANDSHAKE,
    (Phase.UPGRADING, Step.BEGIN): Phase.HANDSHAKE,
    (Phase.HANDSHAKE, Step.AGREE): Phase.OPEN,
    (Phase.HANDSHAKE, Step.FAIL): Phase.FAILED,
    (Phase.OPEN, Step.SHUT): Phase.SHUT,
    (Phase.OPEN, Step.PEER_SHUTS): Phase.PEER_SHUT,
    (Phase.OPEN, Step.FAIL): Phase.FAILED,
    (Phase.SHUT, Step.PEER_SHUTS): Phase.ENDED,
    (Phase.SHUT, Step.FAIL): Phase.FAILED,
    (Phase.PEER_SHUT, Step.SHUT): Phase.ENDED,
    (Phase.PEER_SHUT, Step.FAIL): Phase.FAILED,
}
