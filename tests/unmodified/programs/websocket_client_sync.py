"""websocket-client, and the server with threads of websockets: text, bytes, a ping, a reason to close."""

import logging

import websocket
from websockets.sync.server import serve as serving

logging.getLogger("websockets.server").setLevel(logging.CRITICAL)


def echo(connection):
    for message in connection:
        if message == "bye":
            connection.close(4000, "as you wish")
        else:
            connection.send(message[::-1])


def serve():
    with serving(echo, "0.0.0.0", 80) as server:
        server.serve_forever()


def talk(who):
    client = websocket.create_connection("ws://server/", timeout=60)
    answers = []
    client.ping("there?")
    for message in (f"hello {who}", "long " * 20_000):
        client.send(message)
        answers.append(client.recv())
    client.send_binary(bytes(range(256)))
    answers.append(client.recv())
    client.send("bye")
    opcode, data = client.recv_data()
    client.shutdown()  # close() leaves that to the garbage collector when the server has said it first
    return answers, opcode, data


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    talking = [network.host("client").spawn(talk, who) for who in range(2)]
    network.run()
    for who, each in enumerate(talking):
        answers, opcode, data = each.result
        assert answers == [f"hello {who}"[::-1], ("long " * 20_000)[::-1], bytes(range(255, -1, -1))]
        assert (opcode, data) == (websocket.ABNF.OPCODE_CLOSE, (4000).to_bytes(2, "big") + b"as you wish")
