"""Blocking code: what it costs to begin a process, to let another go on, and to wait for a peer.

Three workloads.  In *a world with one process* an operation is a network, a host, and a process on it that
does nothing; as `worlds` are, it is what a search pays for every run.  In *switches* two processes, or two
threads of one, let each other go on by ``time.sleep(0)``; an operation is one of them going on.  The floor
under that is a greenlet that is switched to and back.  In *echo* an operation is one message, there and back,
by the same two functions everywhere: in two processes of two hosts, in two threads of one process, and in two
threads of this computer over its loopback.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from greenlet import greenlet

from benchmarks.echo import MESSAGE
from benchmarks.measure import Contestant, Row, compare
from benchmarks.peers import PORT, RECV_BYTES
from benchmarks.worlds import many
from simnet import Network


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for processes of blocking code."""
    worlds, switches, messages, rounds = (100, 2_000, 500, 3) if quick else (1_000, 20_000, 5_000, 7)
    started: dict[str, Contestant] = {
        "simnet": partial(many, worlds, partial(a_world, trace=True)),
        "simnet, no trace": partial(many, worlds, partial(a_world, trace=False)),
        "a thread of this computer": partial(many, worlds, a_thread),
    }
    switched: dict[str, Contestant] = {
        "simnet": partial(between_processes, switches),
        "simnet, threads of a process": partial(between_threads, switches),
        "greenlets": partial(between_greenlets, switches),
    }
    echoed: dict[str, Contestant] = {
        "simnet": partial(between_hosts, messages, MESSAGE),
        "simnet, no trace": partial(between_hosts, messages, MESSAGE, trace=False),
        "simnet, threads of a process": partial(within_a_process, messages, MESSAGE),
        "threads over loopback": partial(over_loopback, messages, MESSAGE),
    }
    return [
        *compare("a world with one process", started, worlds, rounds, said),
        *compare("switches", switched, switches, rounds, said),
        *compare("echo, blocking", echoed, messages, rounds, said),
    ]


# --- beginning ---------------------------------------------------------------------------------------


def a_world(trace: bool) -> None:
    net = Network(trace=trace)
    net.host("client").spawn(nothing)
    net.run()


def a_thread() -> None:
    thread = threading.Thread(target=nothing)
    thread.start()
    thread.join()


def nothing() -> None:
    """What a process or a thread does that is only begun."""


# --- switching ---------------------------------------------------------------------------------------


def yield_often(times: int) -> None:
    for _ in range(times):
        time.sleep(0)


def between_processes(switches: int) -> None:
    net = Network(trace=False)
    for name in ("one", "other"):
        net.host(name).spawn(yield_often, switches // 2)
    net.run()


def between_threads(switches: int) -> None:
    def both() -> None:
        thread = threading.Thread(target=yield_often, args=(switches // 2,))
        thread.start()
        yield_often(switches // 2)
        thread.join()

    net = Network(trace=False)
    net.host("client").spawn(both)
    net.run()


def between_greenlets(switches: int) -> None:
    hub = greenlet.getcurrent()

    def yields() -> None:
        while True:
            hub.switch()

    other = greenlet(yields)
    for _ in range(switches):
        other.switch()


# --- a conversation ----------------------------------------------------------------------------------


def serve(listener: socket.socket) -> None:
    """Echo to the first that connects, until it has closed."""
    with listener, listener.accept()[0] as connection:
        while data := connection.recv(RECV_BYTES):
            connection.sendall(data)


def talk(address: tuple[str, int], messages: int, message: bytes) -> None:
    """Send a message, wait until all of it has come back, and again."""
    with socket.create_connection(address) as connection:
        for _ in range(messages):
            connection.sendall(message)
            missing = len(message)
            while missing:
                missing -= len(connection.recv(RECV_BYTES))


def between_hosts(messages: int, message: bytes, trace: bool = True) -> None:
    net = Network(trace=trace)
    server, client = net.host("server"), net.host("client")
    server.spawn(lambda: serve(socket.create_server(("", PORT))))
    client.spawn(talk, ("server", PORT), messages, message)
    net.run()


def over_loopback(messages: int, message: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=(listener,))
    thread.start()
    talk(listener.getsockname(), messages, message)
    thread.join()


def within_a_process(messages: int, message: bytes) -> None:
    """The same function, whose thread and whose loopback are the host's."""
    net = Network()
    net.host("client").spawn(over_loopback, messages, message)
    net.run()
