"""The states of a TCP connection, as one table (RFC 9293, section 3.3.2).

Both enumerations are of integers, because these hash in C: a connection takes a dozen steps.

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

Two SYNs that cross make a connection too (RFC 9293, section 3.5): both openers go from SYN_SENT to
SYN_RECEIVED, and to ESTABLISHED with the SYN+ACK.  A socket that connects to itself does that alone.

As on Linux, TIME_WAIT is not a state of the socket: it is a note in the port table, and the end itself
falls to CLOSED.  So the table goes from FIN_WAIT_2 and CLOSING to CLOSED, and `lingers` says when the
note is left.
"""

from __future__ import annotations

from enum import IntEnum, auto


class State(IntEnum):
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


class Event(IntEnum):
    CALLED_LISTEN = auto()
    CALLED_CONNECT = auto()  # a SYN leaves
    GOT_SYN = auto()  # this end was made for it
    GOT_SYN_ACK = auto()  # the answer to our SYN
    GOT_ACK = auto()  # the answer to our SYN+ACK, or to our FIN
    SENT_FIN = auto()  # by close() or shutdown(SHUT_WR)
    GOT_FIN = auto()
    ABORTED = auto()  # RST arrived or left, time-out, listener closed


# Members by themselves: looking one up in its class costs more than the step that it names.
(
    CLOSED,
    LISTEN,
    SYN_SENT,
    SYN_RECEIVED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
) = State
CALLED_LISTEN, CALLED_CONNECT, GOT_SYN, GOT_SYN_ACK, GOT_ACK, SENT_FIN, GOT_FIN, ABORTED = Event

_TABLE: dict[tuple[State, Event], State] = {
    (CLOSED, CALLED_LISTEN): LISTEN,
    (CLOSED, CALLED_CONNECT): SYN_SENT,
    (CLOSED, GOT_SYN): SYN_RECEIVED,
    (LISTEN, CALLED_LISTEN): LISTEN,
    (SYN_SENT, GOT_SYN_ACK): ESTABLISHED,
    (SYN_SENT, GOT_SYN): SYN_RECEIVED,
    (SYN_RECEIVED, GOT_SYN_ACK): ESTABLISHED,
    (SYN_RECEIVED, GOT_ACK): ESTABLISHED,
    (ESTABLISHED, SENT_FIN): FIN_WAIT_1,
    (ESTABLISHED, GOT_FIN): CLOSE_WAIT,
    (FIN_WAIT_1, GOT_ACK): FIN_WAIT_2,
    (FIN_WAIT_1, GOT_FIN): CLOSING,
    (FIN_WAIT_2, GOT_FIN): CLOSED,
    (CLOSE_WAIT, SENT_FIN): LAST_ACK,
    (CLOSING, GOT_ACK): CLOSED,
    (LAST_ACK, GOT_ACK): CLOSED,
} | {(state, ABORTED): CLOSED for state in State}

SYNCHRONIZED = frozenset(State) - {CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED}
"""The states in which both ends know of each other (RFC 9293, section 3.3.2)."""

CAN_SEND = frozenset({ESTABLISHED, CLOSE_WAIT})
"""The states in which data may be handed to send()."""


STATE_NUMBERS = {
    ESTABLISHED: 1,
    SYN_SENT: 2,
    SYN_RECEIVED: 3,
    FIN_WAIT_1: 4,
    FIN_WAIT_2: 5,
    CLOSED: 7,
    CLOSE_WAIT: 8,
    LAST_ACK: 9,
    LISTEN: 10,
    CLOSING: 11,
}
"""What Linux calls the states where a program can see it (include/net/tcp_states.h)."""


def advance(state: State, event: Event) -> State:
    """The state after `event`."""
    after = _TABLE.get((state, event))
    assert after is not None, f"{event.name} in {state.name}"
    return after


def allows(state: State, event: Event) -> bool:
    """Whether `event` may happen in `state`."""
    return (state, event) in _TABLE


_LINGERING = frozenset({(FIN_WAIT_2, GOT_FIN), (CLOSING, GOT_ACK)})


def lingers(state: State, event: Event) -> bool:
    """Whether this step leaves TIME_WAIT behind: we sent our FIN first, and both are acknowledged."""
    return (state, event) in _LINGERING
