"""urllib.request: a redirect, a form, an answer that is no success, and a server that hangs up."""

import http.server
import urllib.error
import urllib.parse
import urllib.request

from tests.unmodified.probe import happened
from tests.unmodified.serving import served


class Desk(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/old":
            self.send_response(302)
            self.send_header("Location", "http://www.example/new")
            self.end_headers()
        elif self.path == "/new":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"here " * 2000)
        else:
            self.send_error(404, "Nobody")

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(form["name"][0].upper().encode())

    def log_message(self, *args):
        """Nothing is printed."""


def opened(path, data=None):
    """What is read, and how often it was asked for: who is reset asks again."""
    for attempt in range(1, 4):
        try:
            with urllib.request.urlopen(f"http://www.example{path}", data, timeout=60) as answer:
                return answer.read(), attempt
        except urllib.error.HTTPError as error:
            with error:
                return error.code, attempt
        except (urllib.error.URLError, ConnectionResetError):
            continue
    raise AssertionError("reset three times")


def ask():
    form = urllib.parse.urlencode({"name": "ada"}).encode()
    return [opened("/old"), opened("/absent"), opened("/", form)]


def run(network):
    client = served(network, Desk, 80)
    network.names.alias("www.example", "server")
    asking = client.spawn(ask)
    network.run()
    answers, attempts = zip(*asking.result, strict=True)
    assert answers == (b"here " * 2000, 404, b"ADA")
    assert sum(attempts) == 3 + happened(network, "segment", "reset")
