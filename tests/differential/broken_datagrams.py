"""Rules of sockets that send datagrams, each broken once."""

from __future__ import annotations

from .infidelities import Infidelity

UDP = [
    Infidelity(
        "a UDP socket is not writable",
        "udp.UdpEnd.poll_mask",
        "mask = OUT",
        "mask = 0",
        "udp",
    ),
    Infidelity(
        "an end of a UDP socket that is shut shows no HUP",
        "udp.UdpEnd.poll_mask",
        "mask |= HUP",
        "mask |= 0",
        "udp",
    ),
    Infidelity(
        "a UDP socket that is shut for reading says end of stream",
        "udp.UdpEnd.receive_message",
        "if datagram is None:",
        "if datagram is None and self.receive_shut:\n        return Message(b'')\n    if datagram is None:",
        "udp",
    ),
    Infidelity(
        "queued datagrams come before a refusal",
        "udp.UdpEnd.receive_message",
        "if self.so_error:",
        "if self.so_error and not self.queue.waiting:",
        "udp",
    ),
    Infidelity(
        "a datagram that is cut has no MSG_TRUNC",
        "udp.UdpEnd.receive_message",
        "room.flags | (_TRUNC if len(data) < len(datagram.data) else 0)",
        "room.flags",
        "flags",
    ),
    Infidelity(
        "MSG_TRUNC does not tell the real length",
        "udp.UdpEnd.receive_message",
        "len(datagram.data) if flags & _TRUNC else len(data)",
        "len(data)",
        "udp",
    ),
    Infidelity(
        "what is left of a datagram can be read",
        "udp.UdpEnd.receive_message",
        "is_peek = flags & _PEEK",
        "is_peek = flags & _PEEK or size == 1",
        "udp",
    ),
    Infidelity(
        "a refusal is not told",
        "udp.UdpEnd.refuse",
        "errno.ECONNREFUSED\n    self.wake",
        "0\n    self.wake",
        "udp",
    ),
    Infidelity(
        "a sender that is not connected is told of a refusal",
        "udp.UdpEnd.refuse",
        "elif not self.is_connected:",
        "elif False:",
        "udp",
    ),
    Infidelity(
        "send() without a destination says ENOTCONN",
        "udp.UdpEnd.send_message",
        "errno.EDESTADDRREQ",
        "errno.ENOTCONN",
        "udp",
    ),
    Infidelity(
        "a datagram that is too long goes through",
        "udp.UdpEnd.send_message",
        "if len(data) > PAYLOAD_MAX[version]:",
        "if len(data) > LENGTH_MAX:",
        "udp",
    ),
    Infidelity(
        "a connected socket hears everybody",
        "udp.UdpEnd.score",
        "port not in (0, source[1])",
        "False",
        "udp",
    ),
    Infidelity(
        "connect() does not choose an address",
        "udp.UdpEnd.connect",
        "if self.local[0] == WILDCARD[self.family]:",
        "if False:",
        "udp",
    ),
    Infidelity(
        "a shutdown() of a UDP socket that fails has no effect",
        "udp.UdpEnd.shutdown",
        "self.receive_shut |= how != std.SHUT_WR",
        "self.receive_shut |= how != std.SHUT_WR and self.is_connected",
        "udp",
    ),
    Infidelity(
        "FIONREAD counts all datagrams",
        "udp.UdpEnd.readable_bytes",
        "len(datagram.data) if datagram is not None else 0",
        "sum(len(each.data) for each in self.queue.waiting)",
        "udp",
    ),
    Infidelity(
        "of two sockets on a port the first one gets the datagram",
        "udp_ports.UdpPorts._best",
        "score > most",
        "score and score >= most",
        "udp",
    ),
]
