"""Profiles: which sockets a program makes, how it begins, and which calls it favours.

A plain mix of calls seldom fills a backlog, accepts what was reset or meets a port in TIME_WAIT; hence
profiles, each of which favours one corner.
"""

from __future__ import annotations

import attrs

from .draws import Weighted


def _weights(text: str) -> dict[str, int]:
    """What is called how often: ``"send 14 recv 14"``."""
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


@attrs.frozen
class Profile:
    """One corner of the socket API."""

    name: str
    about: str
    kinds: tuple[str, ...]
    """What its sockets are, ``"inet stream"``; the more often, the more of them."""

    opening: tuple[str, ...]
    """The idioms with which a program begins."""

    calls: Weighted
    length: int = 40
    share: int = 100
    """How many programs of this profile are run while others run a hundred."""


def _profile(
    name: str, about: str, kinds: str, opening: str, calls: str, length: int = 40, share: int = 100
) -> tuple[str, Profile]:
    weighted = Weighted(_weights(calls))
    return name, Profile(
        name, about, tuple(kinds.split(", ")), tuple(opening.split()), weighted, length, share
    )


_STREAM = (
    "serve 2 dial 4 pair 4 claim 1 socket 3 bind 4 listen 4 connect 5 connect_ex 1 accept 6 send 6 recv 6 "
    "shutdown 4 close 4 take_error 3 getsockname 3 getpeername 3 reuse 2 set_linger 2 sendto 1 sendmsg 1 "
    "sendall 1 recvfrom 1 recvmsg 1 recv_into 1 write 1 read 1 dup 1 detach 1 getsockopt 1 setsockopt 1 "
    "about 1 at_mark 1"
)
_DATAGRAM = (
    "control 2 socket 4 bound 4 mates 3 claim 2 rivals 2 bind 4 connect 6 connect_ex 1 send 8 sendto 12 "
    "sendmsg 3 recv 6 recvfrom 8 recvmsg 3 recv_into 1 recvfrom_into 1 recvmsg_into 1 shutdown 3 close 4 "
    "take_error 3 getsockname 3 getpeername 3 reuse 3 listen 1 accept 1 write 1 read 1 dup 1 getsockopt 1 "
    "setsockopt 2 about 1 poll 1 set_linger 1"
)

PROFILES: dict[str, Profile] = dict(
    (
        _profile("tcp", "every call on TCP over IPv4", "inet stream", "serve dial socket", _STREAM),
        _profile(
            "tcp-data",
            "bytes, half-close and reset between connected sockets",
            "inet stream",
            "pair",
            "lowat 2 pair 4 send 14 recv 14 recv_into 2 recvmsg 2 shutdown 6 close 4 take_error 3 connect 3 "
            "getpeername 1 set_linger 2 drain 2 bind 1 listen 1 sendto 1 send_urgent 1 recv_urgent 1",
        ),
        _profile(
            # Without SHUT_RD: who said it announces no window, and only a probe after 200 ms finds the room.
            "tcp-full",
            "buffers to the brim and windows of zero",
            "inet stream",
            "small_pair",
            "small_pair 4 pair 1 dial 1 serve 1 accept 1 fill 6 send 4 drain 8 recv 2 finish 4 close 4 "
            "take_error 2 set_linger 2 connect 1",
            share=2,
        ),
        _profile(
            "tcp-accepting",
            "backlogs, and what has happened to a connection before it is accepted",
            "inet stream",
            "serve dial",
            "serve 4 dial 10 accept 9 send 5 recv 5 set_linger 4 close 7 shutdown 4 listen 3 connect 4 "
            "take_error 2 getpeername 2 socket 2 getsockopt 1 poll 1 send_urgent 1",
        ),
        _profile(
            "tcp-ports",
            "who may have which port and when",
            "inet stream",
            "serve socket",
            "socket 7 veteran 3 claim 6 rivals 2 reuse 7 bind 14 listen 7 connect 8 accept 5 getsockname 5 "
            "close 7 shutdown 4 set_linger 2 recv 1 take_error 1 pair 2 dial 3 setsockopt 1",
        ),
        _profile(
            "tcp-connecting",
            "connect() again and again, refused, aborted and renewed",
            "inet stream",
            "serve socket socket",
            "socket 4 connect 16 connect_ex 2 serve 2 accept 2 shutdown 6 take_error 4 recv 4 send 4 close 3 "
            "getsockname 4 getpeername 3 bind 4 listen 3 send_urgent 1 recv_urgent 1",
        ),
        _profile(
            "sharing",
            "SO_REUSEADDR and SO_REUSEPORT of TCP and UDP over both families",
            "inet stream, inet dgram, inet6 stream, inet6 dgram",
            "share share",
            "share 14 claim 6 socket 2 listen 5 close 5 reuse 2 setsockopt 1 getsockname 3 v6only 2 "
            "shutdown 1 getsockopt 1",
        ),
        _profile("tcp6", "every call on TCP over IPv6", "inet6 stream", "serve dial socket", _STREAM),
        _profile(
            "dual",
            "IPv4 and IPv6 on one machine: mapped addresses, IPV6_V6ONLY, who may have which port",
            "inet stream, inet6 stream, inet6 stream",
            "serve dial socket",
            "socket 6 v6only 4 claim 4 veteran 1 bind 9 listen 7 connect 8 accept 7 dial 4 serve 3 "
            "getsockname 5 getpeername 4 reuse 4 send 3 recv 3 close 4 shutdown 2 take_error 2",
        ),
        _profile(
            "dual-udp",
            "the same with datagrams",
            "inet dgram, inet6 dgram, inet6 dgram",
            "bound bound socket",
            "socket 6 v6only 4 claim 4 rivals 3 bind 9 connect 6 sendto 12 send 5 recvfrom 12 getsockname 4 "
            "getpeername 3 reuse 4 close 4 bound 4 take_error 2",
        ),
        _profile("udp", "every call on UDP over IPv4", "inet dgram", "bound mates", _DATAGRAM),
        _profile("udp6", "every call on UDP over IPv6", "inet6 dgram", "bound mates", _DATAGRAM),
        _profile(
            "unix",
            "AF_UNIX stream sockets with names",
            "unix stream",
            "serve dial socket",
            f"{_STREAM} unlink 2 exists 1 burst 1 send_rights 1 recv_rights 1",
        ),
        _profile(
            "unix-dgram",
            "AF_UNIX datagram sockets",
            "unix dgram",
            "bound mates",
            f"{_DATAGRAM} unlink 2 exists 1 burst 2 send_rights 1 recv_rights 1",
        ),
        _profile(
            "unix-seqpacket",
            "AF_UNIX sequenced packets",
            "unix seqpacket",
            "serve dial socket",
            f"{_STREAM} socketpair 2 unlink 1 burst 1 send_rights 1 recv_rights 1 recvmsg_into 1 "
            "send_urgent 1",
        ),
        _profile(
            "unix-oob",
            "the urgent byte of AF_UNIX streams",
            "unix stream",
            "socketpair pair",
            "socketpair 3 pair 1 send_urgent 12 recv_urgent 10 send 7 recv 12 inline 5 at_mark 6 recv_into 1 "
            "recvmsg 2 shutdown 3 close 2 take_error 1 poll 2 select 1 dial 1 serve 1 accept 1",
        ),
        _profile(
            "socketpair",
            "unnamed pairs, of streams, datagrams and sequenced packets",
            "unix stream, unix stream, unix dgram, unix seqpacket",
            "socketpair socketpair",
            "socketpair 5 send 10 recv 10 sendto 3 recvfrom 3 sendmsg 2 recvmsg 3 recv_into 1 sendall 1 "
            "shutdown 6 close 5 take_error 3 connect 2 bind 2 listen 1 accept 1 getsockname 2 getpeername 2 "
            "write 2 read 2 dup 1 detach 1 close_descriptor 1 fill 1 drain 2 "
            "burst 1 send_rights 1 recv_rights 1",
        ),
        _profile(
            "pipe",
            "pipes",
            "unix stream",
            "pipe pipe",
            "resize 2 readv 2 writev 2 dup2 1 dup_from 1 pipe 5 write 12 read 12 write_much 4 close 6 "
            "close_descriptor 1 poll 3 select 2 fileno 2 is_blocking 1 fill 2 drain 3 set_nonblocking 1 "
            "socketpair 1",
        ),
        _profile(
            "epoll",
            "epoll over TCP sockets: level, edge, one-shot; closed, duplicated and reused descriptors",
            "inet stream",
            "epoll pair serve",
            "epoll 1 glance 3 register 9 modify 5 unregister 3 wait 22 send 7 recv 7 pair 2 dial 3 accept 3 "
            "close 3 shutdown 3 dup 2 close_descriptor 1 socket 1 set_linger 1 send_urgent 1 detach 1 "
            "connect 2 take_error 1",
        ),
        _profile(
            "epoll-mixed",
            "epoll over every kind of descriptor, another epoll set among them",
            "unix stream, unix dgram, inet dgram",
            "epoll socketpair pipe",
            "epoll 2 glance 3 register 9 modify 5 unregister 3 wait 22 send 7 recv 7 write 4 read 4 "
            "socketpair 3 pipe 3 bound 2 sendto 3 close 4 shutdown 3 dup 2 close_descriptor 1 serve 1 dial "
            "2 accept 2 fileno 1",
        ),
        _profile(
            "select",
            "select() and poll() with every interest on every kind of descriptor",
            "inet stream, inet dgram, unix stream",
            "pair pipe serve",
            "poll 12 select 14 send 6 recv 6 pair 3 socketpair 2 pipe 2 close 4 close_descriptor 1 shutdown "
            "4 dial 3 accept 2 send_urgent 2 socket 2 write 2 read 2 set_linger 1 connect 2 dup 1",
        ),
        _profile(
            "options",
            "every option of every kind of socket, set and read in every state",
            "inet stream, inet stream, inet dgram, inet6 stream, inet6 dgram, unix stream, unix dgram",
            "serve dial socket",
            "socket 5 serve 2 dial 3 pair 2 mates 1 accept 3 getsockopt 18 getsockopt_bytes 5 setsockopt 20 "
            "file_flags 1 odd_socket 2 buffer 3 close 2 shutdown 2 send 2 recv 2 about 2 is_blocking 1 "
            "set_nonblocking 1 set_linger 1",
        ),
        _profile(
            "oob",
            "the urgent byte of TCP, in line and not",
            "inet stream",
            "pair pair",
            "pair 3 send_urgent 12 recv_urgent 10 send 7 recv 12 inline 5 at_mark 6 recv_into 1 recvmsg 2 "
            "shutdown 3 close 2 set_linger 1 take_error 1 poll 2 select 1 dial 1 serve 1 accept 1",
        ),
        _profile(
            "descriptors",
            "dup(), detach(), close() behind an object's back, and numbers that are used again",
            "inet stream, inet dgram, unix stream, unix dgram",
            "pair socketpair pipe",
            "dup2 3 dup_from 3 readv 1 writev 1 dup 8 detach 7 send_rights 3 recv_rights 3 file_flags 2 "
            "close 7 close_descriptor 5 fileno 5 socket 4 socketpair 2 pipe 2 pair 2 accept 3 serve 2 dial "
            "3 send 6 recv 6 read 3 write 3 shutdown 4 poll 1 getsockname 1 about 2 epoll 1 register 2 wait "
            "2",
        ),
        _profile(
            "flags",
            "every form of sending and receiving with every flag",
            "inet stream, inet dgram, unix stream, unix dgram, inet6 dgram",
            "pair mates socketpair",
            "pair 2 mates 3 socketpair 3 send 6 sendto 5 sendmsg 6 sendall 2 write 2 recv 8 recv_into 5 "
            "recvfrom 5 recvfrom_into 4 recvmsg 6 recvmsg_into 4 read 2 shutdown 3 close 2 connect 1 "
            "take_error 1",
        ),
        _profile(
            "waiting",
            "sockets with a time-out, and readiness that is waited for",
            "inet stream, inet dgram, unix stream, unix dgram, inet6 stream",
            "serve pair mates epoll",
            "blocking_recv 4 blocking_recvfrom 3 blocking_send 3 blocking_sendall 2 blocking_accept 3 "
            "await_recv 8 await_accept 6 await_connect 8 await_send 4 await_sendall 4 await_poll 6 "
            "await_select 5 await_events 6 register 6 send 8 sendto 2 dial 6 serve 3 pair 3 socketpair 3 "
            "pipe 2 write 2 mates 2 close 3 shutdown 4 set_linger 2 burst 1 take_error 1",
            share=10,
        ),
        _profile(
            "wild",
            "every call on every kind of descriptor, whether or not it makes sense",
            "inet stream, inet dgram, unix stream, unix dgram, inet6 stream, inet6 dgram",
            "serve socketpair bound",
            "socket 6 socketpair 2 pipe 2 epoll 1 serve 3 dial 3 pair 3 bound 2 mates 2 bind 5 listen 5 "
            "connect 6 connect_ex 2 accept 5 send 4 sendto 4 sendmsg 3 sendall 1 write 3 recv 4 recvfrom 3 "
            "recvmsg 3 recv_into 2 recvfrom_into 1 recvmsg_into 1 read 3 shutdown 5 close 5 "
            "close_descriptor 1 dup 2 detach 2 fileno 1 getsockopt 3 setsockopt 3 take_error 2 reuse 2 "
            "set_linger 2 inline 1 at_mark 2 send_urgent 3 recv_urgent 3 getsockname 3 getpeername 3 poll 2 "
            "select 2 register 2 modify 1 unregister 1 wait 3 about 1 set_nonblocking 1 is_blocking 1 "
            "odd_socket 1 send_rights 1 recv_rights 1 unlink 1 exists 1 file_flags 1",
        ),
    )
)
