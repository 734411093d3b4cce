"""The probes of packages from PyPI that stand on asyncio."""

from __future__ import annotations

from tests.unmodified.probe import Probe, Refused

CRUMBS = "every segment anywhere comes in crumbs"

PROBES: tuple[Probe, ...] = (
    Probe(
        "aiohttp",
        "client and server: JSON, a body of 100 kB, a websocket with heartbeats; a GET is made again",
        "aiohttp_both",
        faults=(
            CRUMBS,
            "every send on server takes 7 bytes, 30% of the time",
            "the 1st recv on client is reset",
        ),
        names_take="300ms",
    ),
    Probe(
        "uvicorn",
        "serves a starlette application to both clients of httpx: JSON, a stream, threads, 100 kB",
        "uvicorn_httpx",
        needs=("h11", "starlette", "httpx", "httpcore", "anyio"),
        faults=(
            "every segment anywhere is cut after 1 byte, 30% of the time",
            "the 4th recv on other is reset",
            "at 2s partition client from server",
            "at 4s heal",
        ),
    ),
    Probe(
        "hypercorn",
        "and httpx: three posts at a time on one connection of HTTP/2",
        "hypercorn_http2",
        needs=("httpx", "h2"),
        faults=(CRUMBS, "at 2s partition client from server", "at 4s heal"),
    ),
    Probe(
        "websockets",
        "its server and client on asyncio: fragments, pings, a client that connects anew",
        "websockets_asyncio",
        faults=("every send anywhere takes 5 bytes, 10% of the time", "the 8th segment on server is reset"),
        names_take="300ms",
    ),
    Probe(
        "websockets",
        "its server and clients on threads",
        "websockets_threads",
        faults=("every send anywhere takes 5 bytes, 10% of the time", "the 8th segment on server is reset"),
    ),
    Probe(
        "aiosmtpd",
        "its controller, a loop in a thread, takes mail from `smtplib`, which sends again after a reset",
        "aiosmtpd_smtplib",
        faults=(CRUMBS, "every send on client takes 100 bytes", "the 5th recv on client is reset"),
    ),
    Probe(
        "aioftp",
        "client and server: a file of 100 kB is stored, listed, fetched from its middle on, removed",
        "aioftp_both",
        faults=(CRUMBS, "every send on client takes 1000 bytes", "the 1st connect on client loses 1 SYN"),
        names_take="300ms",
    ),
    Probe(
        "paho-mqtt",
        "its clients, with a loop in a thread, and amqtt's broker: each hears all, also if it was cut off",
        "amqtt_paho",
        needs=("amqtt",),
        faults=(
            "every send on client takes 5 bytes",
            "the 6th recv of listener:1 -> server:1883 is reset",
            "at 20s partition client from server",
            "at 24s heal",
        ),
    ),
    Probe(
        "tornado",
        "client and server: JSON, a body of 100 kB, a websocket, a timer of its own",
        "tornado_both",
        faults=(CRUMBS, "every send on server takes 7 bytes, 30% of the time"),
    ),
    Probe(
        "anyio",
        "listeners, task groups, cancel scopes, buffered streams, worker threads, on its asyncio backend",
        "anyio_streams",
        faults=(CRUMBS, "the 1st connect on client loses 1 SYN"),
        names_take="300ms",
    ),
    Probe(
        "dnspython",
        "its blocking and its asynchronous resolver ask over UDP, and over TCP where an answer is cut off",
        "dnspython_both",
        faults=(CRUMBS, "the 1st datagram on client is lost", "the 1st datagram on other comes 500ms late"),
    ),
    Probe(
        "asyncssh",
        "client and server: a command with input and output, a forwarded port",
        "asyncssh_both",
        faults=(
            CRUMBS,
            "every send on client takes 100 bytes",
            "at 100ms partition client from server",
            "at 2s heal",
        ),
        varies=True,
    ),
    Probe(
        "nats-py",
        "two clients of a small server: wildcards, a request, and a client that reconnects by itself",
        "nats_publishing",
        faults=(CRUMBS, "every send on client takes 20 bytes", "the 2nd recv on listener is reset"),
    ),
    Probe(
        "pysyncobj",
        "a lock and a dictionary that three hosts agree on, each with a thread that ticks",
        "pysyncobj_cluster",
        faults=(
            "every send anywhere takes 9 bytes, 10% of the time",
            "at 6s partition node1 from node2 and node3",
            "at 9s heal",
        ),
    ),
    Probe(
        "redis",
        "redis-py against `examples/redis_server.py`: a pipeline, expiry, a queue between hosts, its retries",
        "redis_blocking",
        faults=(
            "every segment anywhere is cut after 1 byte, 30% of the time",
            "the 4th recv on baker is reset",
            "at 15s partition shop from server",
            "at 18s heal",
        ),
    ),
    Probe(
        "redis",
        "`redis.asyncio`: 30 commands at a time over a pool, publish and subscribe, a time-out",
        "redis_asyncio",
        faults=(CRUMBS, "every send on client takes 5 bytes", "the 5th recv on client is reset"),
        names_take="300ms",
    ),
    Probe(
        "Twisted",
        "a reactor on each host: lines, timers, and a client that connects again by itself",
        "twisted_reactors",
        faults=(CRUMBS, "every send on server takes 20 bytes", "the 4th recv on client is reset"),
    ),
    Probe(
        "zeroconf",
        "a service is offered, found by two browsers, and goes, by multicast",
        "zeroconf_browsing",
        faults=(
            "every datagram on server is lost, 20% of the time",
            "every datagram on client3 comes 20ms late",
        ),
    ),
)

REFUSED: tuple[Refused, ...] = (
    Refused(
        "aiocoap",
        "sets IPV6_RECVPKTINFO, which is not simulated",
        "aiocoap_context",
        raises=("NotImplementedError", "IPV6_RECVPKTINFO"),
    ),
    Refused("aiodns", "c-ares asks name servers of this computer, from a thread in C"),
    Refused(
        "gunicorn",
        "forks its workers, and a host has no processes that share sockets; its application runs elsewhere",
        "gunicorn_fork",
        raises=("Escaped", "os.fork"),
    ),
    Refused(
        "trio",
        "asks whether the type of a socket *is* `socket.socket`; in a process it is a subclass",
        "trio_sockets",
        raises=("TypeError", "expected object of type 'socket.socket'"),
    ),
    Refused("uvloop", "libuv polls descriptors of this computer in C; asyncio's own loop runs"),
)
