"""pg8000, and a small server of the PostgreSQL protocol that knows one table."""

import hashlib
import socketserver
import struct

import pg8000.dbapi

from tests.unmodified.serving import served

SALT = b"salt"
ROWS = [(number, f"loaf {number} " * 30) for number in range(40)]
INTEGER, TEXT = 23, 25
SSL_REQUEST = 80877103


def digest(user, password):
    """What is sent for AuthenticationMD5Password."""
    inner = hashlib.md5(password + user).hexdigest().encode()
    return b"md5" + hashlib.md5(inner + SALT).hexdigest().encode()


class Database(socketserver.StreamRequestHandler):
    """The messages of a start, of a query, and of one with parameters."""

    def handle(self):
        size, code = struct.unpack("!II", self.rfile.read(8))
        if code == SSL_REQUEST:
            self.wfile.write(b"N")
            size, code = struct.unpack("!II", self.rfile.read(8))
        self.rfile.read(size - 8)
        self.say(b"R", struct.pack("!I", 5) + SALT)
        kind, password = self.read()
        if password.rstrip(b"\0") != digest(b"ada", b"enchantress"):
            self.fail(b"28P01", b"password authentication failed")
            return
        self.say(b"R", struct.pack("!I", 0))
        self.ready()
        self.query = b""
        while True:
            kind, body = self.read()
            if kind in (b"X", b""):
                return
            if answer := {b"P": self.parse, b"D": self.describe, b"E": self.execute}.get(kind):
                answer(body)
            elif kind == b"B":
                self.say(b"2", b"")
            elif kind == b"Q":
                self.simple(body)
            elif kind == b"S":
                self.ready()
            elif kind == b"C":
                self.say(b"3", b"")

    def simple(self, body):
        self.query = body.rstrip(b"\0")
        if self.query.startswith(b"SELECT"):
            self.describe(b"P")
        if self.query.startswith(b"BAKE"):
            self.fail(b"42601", b"syntax error")
        else:
            self.execute(b"")
        self.ready()

    def parse(self, body):
        self.query = body.split(b"\0")[1]
        self.say(b"1", b"")

    def describe(self, body):
        if body[:1] == b"S":
            self.say(b"t", struct.pack("!H", 0))
        if self.query.startswith(b"SELECT"):
            self.say(b"T", struct.pack("!H", 2) + self.column(b"id", INTEGER) + self.column(b"name", TEXT))
        else:
            self.say(b"n", b"")

    def execute(self, body):
        if self.query.startswith(b"SELECT"):
            for number, name in ROWS:
                cells = [str(number).encode(), name.encode()]
                fields = b"".join(struct.pack("!I", len(cell)) + cell for cell in cells)
                self.say(b"D", struct.pack("!H", 2) + fields)
            self.say(b"C", b"SELECT %d\0" % len(ROWS))
        else:
            self.say(b"C", self.query.upper() + b"\0")

    def column(self, name, kind):
        return name + b"\0" + struct.pack("!IHIhih", 0, 0, kind, -1, -1, 0)

    def fail(self, code, text):
        self.say(b"E", b"SERROR\0C" + code + b"\0M" + text + b"\0\0")

    def ready(self):
        self.say(b"Z", b"I")

    def read(self):
        kind = self.rfile.read(1)
        return kind, self.rfile.read(struct.unpack("!I", self.rfile.read(4))[0] - 4) if kind else b""

    def say(self, kind, body):
        self.wfile.write(kind + struct.pack("!I", len(body) + 4) + body)


def connect(password):
    return pg8000.dbapi.connect("ada", host="server", password=password, timeout=60)


def ask():
    try:
        connect("wrong")
    except pg8000.dbapi.DatabaseError as error:
        refused = error.args[0]["C"]
    connection = connect("enchantress")
    cursor = connection.cursor()
    cursor.execute("SELECT id, name FROM loaves")
    rows = cursor.fetchall()
    cursor.execute("SELECT id, name FROM loaves WHERE name <> %s", ("",))
    rows += cursor.fetchall()
    try:
        cursor.execute("BAKE")
    except pg8000.dbapi.DatabaseError as error:
        wrong = error.args[0]["C"]
    connection.close()
    return refused, rows, wrong


def run(network):
    asking = served(network, Database, 5432).spawn(ask)
    network.run()
    assert asking.result == ("28P01", tuple(map(list, 2 * ROWS)), "42601")
