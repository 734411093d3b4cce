"""waitress 3.0.0 spins over a connection that was reset before it was accepted; 3.0.1 does not.

CVE-2024-49769: getpeername() of such a socket fails, and the channel counts as not connected.  It wants to be
told of every event all the same, and does nothing about any.
"""

import http.client
from contextlib import closing, suppress

from tests.zoo.common import PORT, unlogged
from tests.zoo.packages.waitress_header import application
from tests.zoo.releases import release


def visit():
    with suppress(OSError, http.client.HTTPException), closing(connection()) as server:
        server.request("GET", "/")
        assert server.getresponse().read() == b"hello\n"


def connection():
    return http.client.HTTPConnection("server", PORT, timeout=5)


def run(net, version):
    package = release("waitress", version, "waitress")
    with package.on(), unlogged():
        serve = package.load("waitress").serve
        net.host("server").spawn(serve, application, host="0.0.0.0", port=PORT, daemon=True)
        for number in (1, 2):
            net.host(f"client{number}").spawn(visit)
        net.run()


def bad(net):
    run(net, "3.0.0")


def good(net):
    run(net, "3.0.1")
