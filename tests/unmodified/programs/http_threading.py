"""http.client and http.server, with a thread for each connection."""

import http.client
import http.server

from tests.unmodified.probe import happened

POEM = "\n".join(f"{line} bottles" for line in range(300)).encode()


class Library(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(POEM), 1000):
            chunk = POEM[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.upper())

    def log_message(self, *args):
        """Nothing is printed."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """What a reset makes of a thread is not printed."""


def serve():
    with Server(("", 80), Library) as server:
        server.serve_forever()


def fetch():
    """Both answers of one connection, and how often it had to be made."""
    for attempt in range(1, 4):
        connection = http.client.HTTPConnection("server", timeout=60)
        try:
            connection.request("GET", "/poem")
            poem = connection.getresponse().read()
            connection.request("POST", "/shout", POEM)
            answer = connection.getresponse()
            return poem, (answer.status, answer.read()), attempt
        except ConnectionResetError:
            continue
        finally:
            connection.close()
    raise AssertionError("reset three times")


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    fetching = [network.host("client").spawn(fetch) for _ in range(3)]
    network.run()
    for each in fetching:
        assert each.result[:2] == (POEM, (201, POEM.upper()))
    assert sum(each.result[2] for each in fetching) == 3 + happened(network, "recv", "reset")
