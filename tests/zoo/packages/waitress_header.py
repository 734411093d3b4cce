"""waitress 2.1.1 counts the first of two pieces of a header twice, and says 431; 2.1.2 does not.

Its limit is 256 KiB unless it is configured otherwise; here it is the 8 KiB that other servers have.
"""

from collections import deque

from tests.zoo.common import PORT, Client
from tests.zoo.releases import release

COOKIES = b"; ".join(b"preference%d=%s" % (number, b"x" * 100) for number in range(60))
REQUEST = b"GET / HTTP/1.0\r\nHost: server\r\nCookie: " + COOKIES + b"\r\n\r\n"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]


class Tasks:
    """In the place of waitress's threads: tasks that are done between two passes of its loop."""

    def __init__(self):
        self.queue = deque()

    def add_task(self, task):
        self.queue.append(task)

    def work(self):
        while self.queue:
            self.queue.popleft().service()


def serve(waitress, machine, client):
    tasks, channels = Tasks(), {}
    server = waitress.load("waitress.server").create_server(
        application,
        map=channels,
        _dispatcher=tasks,
        host="0.0.0.0",
        port=PORT,
        max_request_header_size=8192,
        clear_untrusted_proxy_headers=True,
        log_socket_errors=False,
    )
    poll = waitress.load("waitress.wasyncore").poll
    for _ in range(500):
        if client().how or machine.time.monotonic() > 600:
            break
        poll(5.0, channels)
        tasks.work()
    for channel in [*server.active_channels.values(), server.trigger, server]:
        channel.close()


def run(net, version):
    waitress = release("waitress", version, "waitress.server")
    machine = net.host("server").modules
    clients = []

    def come():
        with net.host("client"):
            clients.append(Client(REQUEST))
        return clients[0]

    net.host("client")
    with waitress.on(machine):
        serve(waitress, machine, lambda: clients[0] if clients else come())
    (client,) = clients
    status = client.received.partition(b"\r")[0]  # of which a reset may leave a part
    assert b"HTTP/1.0 200 OK".startswith(status), status


def bad(net):
    run(net, "2.1.1")


def good(net):
    run(net, "2.1.2")
