"""Small servers for clients whose own servers are no Python: a thread for each connection, and no words.

Owns how they are started.  The protocol is each program's own.
"""

from __future__ import annotations

import socketserver
from typing import Any

from simnet import Host, Network


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """What a connection that is reset makes of its thread is not printed."""


def serve(handler: type[socketserver.BaseRequestHandler], port: int, **attributes: Any) -> None:
    """Serve for ever; `attributes` are set on the server, where handlers find them."""
    with Server(("", port), handler) as server:
        vars(server).update(attributes)
        server.serve_forever()


def served(
    network: Network, handler: type[socketserver.BaseRequestHandler], port: int, **attributes: Any
) -> Host:
    """Let the host called server serve; the host of the client."""
    network.host("server").spawn(serve, handler, port, daemon=True, **attributes)
    return network.host("client")
