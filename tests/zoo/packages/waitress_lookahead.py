"""waitress 3.0.0 may serve what comes behind a request that it has refused; 3.0.1 does not.

CVE-2024-49768: with `channel_request_lookahead` the loop reads on while a thread answers.  Between the loop's
question whether to read and the reading, that thread may have said 400 and hung up.  The first request is as
long as what is received at once, so that the second one is not read with it.
"""

import socket
from contextlib import suppress

from simnet import Livelock
from tests.zoo.common import PORT, unlogged
from tests.zoo.releases import release

REFUSED = b"GET / HTTP/1.1\r\nHost: server\r\nContent-Length: many\r\n\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: server\r\n\r\n"


def ask():
    with suppress(OSError), socket.create_connection(("server", PORT), timeout=5) as server:
        server.sendall(REFUSED + BEHIND)
        while server.recv(4096):
            pass


def run(net, version):
    package = release("waitress", version, "waitress")
    served = []

    def application(environ, start_response):
        served.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", "6")])
        return [b"hello\n"]

    with package.on(), unlogged(), suppress(Livelock):  # which is `waitress_spin`
        serve = package.load("waitress").serve
        options = {"channel_request_lookahead": 1, "recv_bytes": len(REFUSED)}
        net.host("server").spawn(serve, application, host="0.0.0.0", port=PORT, daemon=True, **options)
        net.host("client").spawn(ask)
        net.run()
    assert not served, f"served behind a request that was refused: {served}"


def bad(net):
    run(net, "3.0.0")


def good(net):
    run(net, "3.0.1")
