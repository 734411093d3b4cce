"""httplib2 and PySocks: cached answers, and a way through a SOCKS 5 proxy that looks the name up."""

import http.server
import select
import socket
import socketserver
import struct

import httplib2

from tests.unmodified.serving import serve

TEXT = b"the news " * 1000


class News(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.client_address[0], self.headers["If-None-Match"]))
        is_known = self.headers["If-None-Match"] == '"first"'
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", '"first"')
        self.send_header("Content-Length", "0" if is_known else str(len(TEXT)))
        self.end_headers()
        if not is_known:
            self.wfile.write(TEXT)

    def log_message(self, *args):
        """Nothing is printed."""


class Proxy(socketserver.StreamRequestHandler):
    """CONNECT to a name (RFC 1928), and then both ways."""

    def handle(self):
        _, count = self.rfile.read(2)
        self.rfile.read(count)
        self.wfile.write(b"\5\0")
        _, _, _, _, size = self.rfile.read(5)
        name = self.rfile.read(size).decode()
        (port,) = struct.unpack("!H", self.rfile.read(2))
        with socket.create_connection((name, port)) as onward:
            self.wfile.write(b"\5\0\0\1" + bytes(6))
            ways = {self.connection: onward, onward: self.connection}
            while True:
                for sock in select.select(list(ways), [], [])[0]:
                    data = sock.recv(4096)
                    if not data:
                        return
                    ways[sock].sendall(data)


class Cache:
    """In memory; httplib2 takes one that is empty and false for none."""

    def __init__(self):
        self.values = {}

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value):
        self.values[key] = value

    def delete(self, key):
        self.values.pop(key, None)


def ask(proxy=None):
    client = httplib2.Http(Cache(), timeout=60, proxy_info=proxy)
    answers = []
    for _ in range(2):
        answer, content = client.request("http://server/news")
        answers.append((answer.status, answer.fromcache, content))
    client.close()
    return answers


def run(network):
    asked = []
    network.host("server").spawn(serve, News, 80, daemon=True, asked=asked)
    network.host("proxy").spawn(serve, Proxy, 1080, daemon=True)
    network.run(until="1s")
    proxy = httplib2.ProxyInfo(httplib2.socks.PROXY_TYPE_SOCKS5, "proxy", 1080, proxy_rdns=True)
    client = network.host("client")
    asking = [client.spawn(ask), client.spawn(ask, proxy)]
    network.run()
    for each in asking:
        assert each.result == [(200, False, TEXT), (200, True, TEXT)]
    assert sorted(asked, key=str) == [
        (host, tag) for host in ("10.0.0.2", "10.0.0.3") for tag in ('"first"', None)
    ]
