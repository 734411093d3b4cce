"""PyMySQL, and a small server of the MySQL protocol that knows one table."""

import hashlib
import socketserver
import struct

import pymysql

from tests.unmodified.serving import served

PASSWORD, SALT = b"enchantress", bytes(range(1, 21))
ROWS = [(number, f"loaf {number} " * 30) for number in range(40)]


def scrambled(password):
    """What mysql_native_password sends: SHA1(password) xor SHA1(salt, SHA1(SHA1(password)))."""
    once = hashlib.sha1(password).digest()
    other = hashlib.sha1(SALT + hashlib.sha1(once).digest()).digest()
    return bytes(left ^ right for left, right in zip(once, other, strict=True))


def text(data):
    """A length-encoded string."""
    return (bytes([len(data)]) if len(data) < 251 else b"\xfc" + struct.pack("<H", len(data))) + data


def column(name, kind):
    where = b"".join(map(text, (b"def", b"shop", b"loaves", b"loaves", name, name)))
    return where + b"\x0c" + struct.pack("<HIBHBH", 45, 1020, kind, 0, 0, 0)


class Database(socketserver.StreamRequestHandler):
    OK, END = b"\x00\x00\x00\x02\x00\x00\x00", b"\xfe\x00\x00\x02\x00"

    def handle(self):
        self.sequence = 0
        protocol = b"\x0a" + b"8.0.0\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
        capabilities = 0x00_8A_A2_0F
        self.say(
            protocol + struct.pack("<HBHH", capabilities & 0xFFFF, 45, 2, capabilities >> 16),
            bytes([21]) + bytes(10) + SALT[8:] + b"\0mysql_native_password\0",
        )
        login = self.read()
        if scrambled(PASSWORD) not in login:
            self.say(b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied")
            return
        self.say(self.OK)
        while packet := self.read():
            if packet[:1] == b"\x01":
                return
            self.answer(packet[1:].decode())

    def answer(self, query):
        if not query.startswith("SELECT id"):
            known = query.startswith(("SET", "COMMIT", "ROLLBACK"))
            self.say(self.OK if known else b"\xff" + struct.pack("<H", 1064) + b"#42000Syntax error")
            return
        least = int(query.rpartition(" ")[2])
        self.say(b"\x02")
        self.say(column(b"id", 3))
        self.say(column(b"name", 253))
        self.say(self.END)
        for number, name in ROWS[least:]:
            self.say(text(b"%d" % number), text(name.encode()))
        self.say(self.END)

    def read(self):
        head = self.rfile.read(4)
        if not head:
            return b""
        self.sequence = head[3] + 1
        return self.rfile.read(int.from_bytes(head[:3], "little"))

    def say(self, *parts):
        body = b"".join(parts)
        self.wfile.write(len(body).to_bytes(3, "little") + bytes([self.sequence]) + body)
        self.sequence += 1


def ask():
    try:
        pymysql.connect(host="server", user="ada", password="wrong", connect_timeout=30)
    except pymysql.err.OperationalError as error:
        refused = error.args[0]
    connection = pymysql.connect(
        host="server", user="ada", password="enchantress", read_timeout=60, ssl_disabled=True
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM loaves WHERE id >= %s", (5,))
        rows = cursor.fetchall()
        try:
            cursor.execute("BAKE")
        except pymysql.err.ProgrammingError as error:
            wrong = error.args[0]
        connection.commit()
    return refused, rows, wrong


def run(network):
    asking = served(network, Database, 3306).spawn(ask)
    network.run()
    assert asking.result == (1045, tuple(ROWS[5:]), 1064)
