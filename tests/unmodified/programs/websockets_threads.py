"""websockets without asyncio: a thread for each connection, and one that reads in each client."""

import logging

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect
from websockets.sync.server import serve

from tests.unmodified.probe import happened

CLIENTS = 3
WORDS = ("bread", "butter" * 15_000, "wine")


def shout(connection):
    for message in connection:
        connection.send(message.upper())


def keep_serving():
    quiet = logging.getLogger("tests.unmodified.websockets")
    quiet.disabled = True
    with serve(shout, "", 80, logger=quiet) as server:
        server.serve_forever()


def ask():
    """What the words came back as, and on how many connections."""
    for connections in range(1, 4):
        try:
            with connect("ws://server/", max_size=None) as connection:
                answers = []
                for word in WORDS:
                    connection.send(word)
                    answers.append(connection.recv())
                return answers, connections
        except (ConnectionClosedError, ConnectionResetError):
            continue
    raise AssertionError("lost three times")


def run(network):
    network.host("server").spawn(keep_serving, daemon=True)
    asking = [network.host(f"client{number}").spawn(ask) for number in range(CLIENTS)]
    network.run()
    for each in asking:
        assert each.result[0] == [word.upper() for word in WORDS]
    assert sum(each.result[1] - 1 for each in asking) == happened(network, "segment", "reset")
