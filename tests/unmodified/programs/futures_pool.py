"""concurrent.futures: a pool of threads fetches from `socket.create_server`, which is served by selectors."""

import selectors
import socket
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.unmodified.probe import happened

TASKS, WORKERS = 8, 3


def serve():
    with selectors.DefaultSelector() as selector, socket.create_server(("", 7), backlog=2) as listening:
        listening.setblocking(False)
        selector.register(listening, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listening:
                    try:
                        selector.register(listening.accept()[0], selectors.EVENT_READ)
                    except BlockingIOError:
                        continue
                else:
                    echo(selector, key.fileobj)


def echo(selector, sock):
    try:
        data = sock.recv(1000)
    except ConnectionResetError:
        data = b""
    if data:
        sock.sendall(data)
    else:
        selector.unregister(sock)
        sock.close()


def fetch(number):
    with socket.create_connection(("server", 7), timeout=60) as sock:
        sock.sendall(b"%03d" % number)
        answer = b""
        while len(answer) < 3:
            answer += sock.recv(3)
        return int(answer)


def gather():
    """The answers, and how many tasks failed."""
    answers, failed = [], 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for future in as_completed([pool.submit(fetch, number) for number in range(TASKS)]):
            if isinstance(future.exception(), ConnectionResetError):
                failed += 1
            else:
                answers.append(future.result())
        squares = list(pool.map(lambda number: number**2, range(5)))
    return sorted(answers), failed, squares


def run(network):
    network.host("server").spawn(serve, daemon=True)
    gathering = network.host("client").spawn(gather)
    network.run()
    answers, failed, squares = gathering.result
    assert failed == happened(network, "recv", "reset")
    assert len(answers) == len(set(answers)) == TASKS - failed
    assert squares == [0, 1, 4, 9, 16]
