"""The states of a TCP connection, as one table (RFC 9293, section 3.3.2).

An end is in exactly one `State`, and only `advance` changes it.  What is not in the table cannot
happen: that is an error in simnet, and so an assert.

    CLOSED ──listen──▶ LISTEN                        (each SYN makes a new end in SYN_RECEIVED)
      │
      └─connect─▶ SYN_SENT ─SYN+ACK─▶ ESTABLISHED ◀─ACK─ SYN_RECEIVED
                                        │      │
                       our FIN          │      │          peer's FIN
                  FIN_WAIT_1 ◀──────────┘      └──────────▶ CLOSE_WAIT
                   │ ACK   │ FIN                              │ our FIN
              FIN_WAIT_2  CLOSING ─ACK─▶ TIME_WAIT         LAST_ACK ─ACK─▶ CLOSED
                   └──FIN──▶ TIME_WAIT ─2 MSL─▶ CLOSED

As on Linux, TIME_WAIT is not a state of the socket: it is a note in the port table, and the end itself
falls to CLOSED.  So the table goes from FIN_WAIT_2 and CLOSING to CLOSED, and `lingers` says when the
note is left.
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    CLOSED = auto()
    LISTEN = auto()
    SYN_SENT = auto()
    SYN_RECEIVED = auto()
    ESTABLISHED = auto()
    FIN_WAIT_1 = auto()
    FIN_WAIT_2 = auto()
    CLOSE_WAIT = auto()
    CLOSING = auto()
    LAST_ACK = auto()


class Event(Enum):
    LISTEN = auto()  # listen() was called
    CONNECT = auto()  # connect() was called: a SYN leaves
    SYN = auto()  # a SYN arrived: this end was made for it
    SYN_ACK = auto()  # the answer to our SYN arrived
    ACK = auto()  # the answer to our SYN+ACK, or to our FIN, arrived
    SEND_FIN = auto()  # close() or shutdown(SHUT_WR): our FIN leaves
    FIN = auto()  # the peer's FIN arrived
    ABORT = auto()  # RST arrived or left, time-out, listener closed


_TABLE: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.LISTEN): State.LISTEN,
    (State.CLOSED, Event.CONNECT): State.SYN_SENT,
    (State.CLOSED, Event.SYN): State.SYN_RECEIVED,
    (State.LISTEN, Event.LISTEN): State.LISTEN,
    (State.SYN_SENT, Event.SYN_ACK): State.ESTABLISHED,
    (State.SYN_RECEIVED, Event.ACK): State.ESTABLISHED,
    (State.ESTABLISHED, Event.SEND_FIN): State.FIN_WAIT_1,
    (State.ESTABLISHED, Event.FIN): State.CLOSE_WAIT,
    (State.FIN_WAIT_1, Event.ACK): State.FIN_WAIT_2,
    (State.FIN_WAIT_1, Event.FIN): State.CLOSING,
    (State.FIN_WAIT_2, Event.FIN): State.CLOSED,
    (State.CLOSE_WAIT, Event.SEND_FIN): State.LAST_ACK,
    (State.CLOSING, Event.ACK): State.CLOSED,
    (State.LAST_ACK, Event.ACK): State.CLOSED,
} | {(state, Event.ABORT): State.CLOSED for state in State}

SYNCHRONIZED = frozenset(State) - {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
"""The states in which both ends know of each other (RFC 9293, section 3.3.2)."""

CAN_SEND = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})
"""The states in which data may be handed to send()."""


def advance(state: State, event: Event) -> State:
    """The state after `event`."""
    after = _TABLE.get((state, event))
    assert after is not None, f"{event.name} in {state.name}"
    return after


def allows(state: State, event: Event) -> bool:
    """Whether `event` may happen in `state`."""
    return (state, event) in _TABLE


def lingers(state: State, event: Event) -> bool:
    """Whether this step leaves TIME_WAIT behind: we sent our FIN first, and both are acknowledged."""
    return (state, event) in ((State.FIN_WAIT_2, Event.FIN), (State.CLOSING, Event.ACK))
