"""multiprocessing.connection over TCP: a listener with a password, and `wait` for several connections."""

import multiprocessing
from multiprocessing.connection import Client, Listener, wait

ROUNDS, CLIENTS = 4, 3


def serve():
    """What each client has sent; who has the wrong password is one of them, and is refused."""
    received, refused = {}, 0
    with Listener(("", 6000), authkey=b"secret") as listener:
        connections = []
        while len(connections) < CLIENTS:
            try:
                connections.append(listener.accept())
            except multiprocessing.AuthenticationError:
                refused += 1
        while connections:
            for connection in wait(connections):
                try:
                    who, number = connection.recv()
                except EOFError:
                    connections.remove(connection)
                    connection.close()
                else:
                    received.setdefault(who, []).append(number)
                    connection.send((who, number * number, b"x" * 10_000))
    return received, refused


def intrude():
    try:
        Client(("server", 6000), authkey=b"wrong").close()
    except multiprocessing.AuthenticationError:
        return "refused"


def ask(who):
    with Client(("server", 6000), authkey=b"secret") as connection:
        squares = []
        for number in range(ROUNDS):
            connection.send((who, number))
            squares.append(connection.recv()[:2])
        return squares


def run(network):
    serving = network.host("server").spawn(serve)
    intruding = network.host("intruder").spawn(intrude)
    asking = [network.host("client").spawn(ask, who) for who in range(CLIENTS)]
    network.run()
    assert intruding.result == "refused"
    assert serving.result == ({who: list(range(ROUNDS)) for who in range(CLIENTS)}, 1)
    for who, each in enumerate(asking):
        assert each.result == [(who, number * number) for number in range(ROUNDS)]
