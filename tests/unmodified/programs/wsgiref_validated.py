"""wsgiref's server under wsgiref's validator, asked by http.client."""

import http.client
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        """Nothing is printed."""


@validator
def application(environ, start_response):
    size = int(environ["CONTENT_LENGTH"] or 0)
    body = environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode() + b" ", body[::-1]]


def serve():
    with make_server("", 80, application, handler_class=Handler) as server:
        server.serve_forever()


def ask():
    answers = []
    for body in (b"", b"evil", b"live " * 3000):
        connection = http.client.HTTPConnection("server", timeout=60)
        connection.request("POST", "/mirror", body)
        answers.append(connection.getresponse().read())
        connection.close()
    return answers


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    asking = network.host("client").spawn(ask)
    network.run()
    assert asking.result == [b"/mirror ", b"/mirror live", b"/mirror " + (b"live " * 3000)[::-1]]
