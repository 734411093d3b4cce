"""kazoo: nodes, watches and its recipe of a lock, and a small server of the protocol of ZooKeeper."""

import logging
import socketserver
import struct
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from tests.unmodified.serving import served

logging.getLogger("kazoo").setLevel(logging.CRITICAL)

CREATE, DELETE, EXISTS, GET, SET, CHILDREN, PING, CHILDREN2, CLOSE = 1, 2, 3, 4, 5, 8, 11, 12, -11
NO_NODE, NODE_EXISTS = -101, -110
CREATED, DELETED, CHANGED, CHILD = 1, 2, 3, 4
EPHEMERAL, SEQUENTIAL = 1, 2
CLIENTS = 3


class Missing(Exception):
    """The error that a reply has."""


class Tree:
    """Nodes, and who watches them; the lock is the server's."""

    def __init__(self):
        self.nodes, self.watches, self.zxid, self.lock = {"/": [b"", 0, 0, 0, 0]}, [], 0, threading.RLock()

    def stat(self, path):
        data, version, owner, created, changed = self.nodes[path]
        children = len(self.children(path))
        return struct.pack(
            "!qqqqiiiqiiq", created, changed, 0, 0, version, 0, 0, owner, len(data), children, 0
        )

    def children(self, path):
        start = path.rstrip("/") + "/"
        return [each[len(start) :] for each in self.nodes if each.startswith(start) and each != start]

    def create(self, path, data, flags, session):
        parent = path.rpartition("/")[0] or "/"
        if flags & SEQUENTIAL:
            path += f"{self.zxid:010}"
        if path in self.nodes:
            raise Missing(NODE_EXISTS)
        if parent not in self.nodes:
            raise Missing(NO_NODE)
        self.nodes[path] = [data, 0, session if flags & EPHEMERAL else 0, self.zxid, self.zxid]
        self.tell(path, CREATED)
        self.tell(parent, CHILD)
        return path

    def delete(self, path):
        self.known(path)
        del self.nodes[path]
        self.tell(path, DELETED)
        self.tell(path.rpartition("/")[0] or "/", CHILD)

    def known(self, path):
        if path not in self.nodes:
            raise Missing(NO_NODE)
        return self.nodes[path]

    def tell(self, path, kind):
        about = [each for each in self.watches if each[0] == path and (kind == CHILD) == each[1]]
        for each in about:
            self.watches.remove(each)
            each[2].send(struct.pack("!iqi", -1, -1, 0) + struct.pack("!ii", kind, 3) + string(path))

    def end(self, session, handler):
        self.watches = [each for each in self.watches if each[2] is not handler]
        for path in [path for path, node in self.nodes.items() if node[2] == session]:
            self.delete(path)


def string(text):
    data = text.encode()
    return struct.pack("!i", len(data)) + data


class Keeper(socketserver.StreamRequestHandler):
    def handle(self):
        tree = self.server.tree
        self.receive()
        with tree.lock:
            tree.zxid += 1
            self.session = tree.zxid
        self.send(struct.pack("!iiq", 0, 10_000, self.session) + struct.pack("!i", 16) + bytes(16) + b"\0")
        while request := self.receive():
            xid, kind = struct.unpack("!ii", request[:8])
            with tree.lock:
                tree.zxid += 1
                try:
                    error, body = 0, self.answer(tree, kind, request[8:])
                except Missing as missing:
                    error, body = missing.args[0], b""
                if kind == CLOSE:
                    tree.end(self.session, self)
                self.send(struct.pack("!iqi", xid, tree.zxid, error) + body)
            if kind == CLOSE:
                return

    def answer(self, tree, kind, rest):
        if kind in (PING, CLOSE):
            return b""
        size = struct.unpack("!i", rest[:4])[0]
        path, rest = rest[4 : 4 + size].decode(), rest[4 + size :]
        if kind == CREATE:
            size = struct.unpack("!i", rest[:4])[0]
            flags = struct.unpack("!i", rest[-4:])[0]
            return string(tree.create(path, rest[4 : 4 + max(size, 0)], flags, self.session))
        if kind == DELETE:
            tree.delete(path)
            return b""
        wants_watch = kind in (EXISTS, GET, CHILDREN, CHILDREN2) and rest[:1] == b"\1"
        if wants_watch and (path in tree.nodes or kind == EXISTS):
            tree.watches.append((path, kind in (CHILDREN, CHILDREN2), self))
        node = tree.known(path)
        if kind == SET:
            size = struct.unpack("!i", rest[:4])[0]
            node[0], node[1], node[4] = rest[4 : 4 + size], node[1] + 1, tree.zxid
            tree.tell(path, CHANGED)
        if kind in (CHILDREN, CHILDREN2):
            children = tree.children(path)
            listed = struct.pack("!i", len(children)) + b"".join(map(string, children))
            return listed + (tree.stat(path) if kind == CHILDREN2 else b"")
        data = struct.pack("!i", len(node[0])) + node[0] if kind == GET else b""
        return data + tree.stat(path)

    def receive(self):
        head = self.rfile.read(4)
        return self.rfile.read(struct.unpack("!i", head)[0]) if len(head) == 4 else b""

    def send(self, data):
        self.wfile.write(struct.pack("!i", len(data)) + data)


def use(who, held):
    """What a watch has told, and who had the lock when."""
    seen = []
    client = KazooClient("server:2181", timeout=10)
    client.start(timeout=60)
    client.ensure_path("/shop/oven")

    @client.DataWatch("/shop/oven")
    def changed(data, stat):
        seen.append(data)

    with client.Lock("/shop/lock", who):
        held.append(f"{who} has it")
        value, _ = client.get("/shop/oven")
        time.sleep(2)
        client.set("/shop/oven", value + who[-1].encode())
        held.append(f"{who} goes")
    try:
        client.get("/shop/absent")
    except NoNodeError:
        time.sleep(30)
    client.stop()
    client.close()
    return seen


def run(network):
    held = []
    client = served(network, Keeper, 2181, tree=Tree())
    network.run(until="1s")
    using = [client.spawn(use, f"client {number}", held) for number in range(CLIENTS)]
    network.run(until=lambda: not any(each.is_alive for each in using))
    assert len(held) == 2 * CLIENTS
    order = [line.split()[1] for line in held[::2]]
    assert held == [line for who in order for line in (f"client {who} has it", f"client {who} goes")]
    for each in using:
        assert each.result[-1].decode() == "".join(order)
