"""stomp.py, whose client has a thread that receives, and a small broker of STOMP 1.2."""

import socketserver
import threading

import stomp

from tests.unmodified.serving import served

MESSAGES = [f"loaf {number} " * 100 for number in range(6)]


class Broker(socketserver.StreamRequestHandler):
    """Destinations have subscribers, which get a frame for each that is sent there."""

    def handle(self):
        while frame := self.frame():
            command, headers, body = frame
            if command == "CONNECT" or command == "STOMP":
                if headers["passcode"] != "enchantress":
                    self.say("ERROR", {"message": "access refused"}, b"")
                    return
                self.say("CONNECTED", {"version": "1.2"}, b"")
            elif command == "SUBSCRIBE":
                with self.server.lock:
                    self.server.subscribers.append((headers["destination"], headers["id"], self))
            elif command == "SEND":
                self.spread(headers["destination"], body)
            if "receipt" in headers:
                self.say("RECEIPT", {"receipt-id": headers["receipt"]}, b"")
            if command == "DISCONNECT":
                return

    def spread(self, destination, body):
        with self.server.lock:
            self.server.sent += 1
            for wanted, number, handler in self.server.subscribers:
                if wanted == destination:
                    what = {"destination": destination, "message-id": str(self.server.sent)}
                    handler.say("MESSAGE", {**what, "subscription": number}, body)

    def frame(self):
        command = b"\n"
        while command in (b"\n", b"\r\n"):  # heart beats
            command = self.rfile.readline()
        if not command:
            return None
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        headers = dict(line.split(":", 1) for line in lines)
        if "content-length" in headers:
            body = self.rfile.read(int(headers["content-length"]) + 1)[:-1]
        else:
            body = b"".join(iter(lambda: self.rfile.read(1), b"\0"))
        return command.decode().strip(), headers, body

    def say(self, command, headers, body):
        lines = [command, *(f"{name}:{value}" for name, value in headers.items())]
        lines += [f"content-length:{len(body)}", "", ""]
        self.wfile.write("\n".join(lines).encode() + body + b"\0")


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.received, self.errors, self.is_done = [], [], threading.Event()
        self.has_receipt = threading.Event()

    def on_receipt(self, frame):
        self.has_receipt.set()

    def on_message(self, frame):
        self.received.append(frame.body)
        if len(self.received) == len(MESSAGES):
            self.is_done.set()

    def on_error(self, frame):
        self.errors.append(frame.headers["message"])


def connection():
    return stomp.Connection12([("server", 61613)], heartbeats=(0, 0), reconnect_attempts_max=3)


def listen(is_subscribed):
    client, listener = connection(), Listener()
    client.set_listener("", listener)
    client.connect("ada", "enchantress", wait=True)
    client.subscribe("/queue/loaves", id="1", receipt="subscribed")
    listener.has_receipt.wait()
    is_subscribed.set()
    listener.is_done.wait()
    client.disconnect()
    return listener.received


def send(is_subscribed):
    client = connection()
    client.connect("ada", "enchantress", wait=True)
    is_subscribed.wait()
    for message in MESSAGES:
        client.send("/queue/loaves", message)
    client.disconnect()


def intrude():
    client, listener = connection(), Listener()
    client.set_listener("", listener)
    try:
        client.connect("ada", "wrong", wait=True)
    except stomp.exception.ConnectFailedException:
        return listener.errors


def run(network):
    lock = threading.RLock()
    client = served(network, Broker, 61613, lock=lock, subscribers=[], sent=0)
    network.run(until="1s")
    is_subscribed = threading.Event()
    listening = client.spawn(listen, is_subscribed)
    client.spawn(send, is_subscribed)
    intruding = network.host("intruder").spawn(intrude)
    network.run(until="120s")
    assert listening.result == MESSAGES
    assert intruding.result == ["access refused"]
