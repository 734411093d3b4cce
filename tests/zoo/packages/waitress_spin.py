"""waitress 3.0.0 spins over a connection that was reset before it was accepted; 3.0.1 does not.

CVE-2024-49769: getpeername() of such a socket fails, and the channel counts as not connected.  It wants to be
told of every event all the same, and does nothing about any.
"""

from tests.zoo.common import PORT, Client
from tests.zoo.packages.waitress_header import Tasks, application
from tests.zoo.releases import release

REQUEST = b"GET / HTTP/1.0\r\nHost: server\r\n\r\n"
PASSES_MAX = 100
"""Passes of the loop at one moment, before it is said to spin."""


def serve(waitress, machine, seconds):
    tasks, channels = Tasks(), {}
    server = waitress.load("waitress.server").create_server(
        application,
        map=channels,
        _dispatcher=tasks,
        host="0.0.0.0",
        port=PORT,
        clear_untrusted_proxy_headers=True,
        log_socket_errors=False,
    )
    poll = waitress.load("waitress.wasyncore").poll
    now, moment, passes = machine.time.monotonic, 0.0, 0
    while now() < seconds:
        poll(5.0, channels)
        tasks.work()
        passes = passes + 1 if now() == moment else 1
        moment = now()
        if passes > PASSES_MAX:
            break
    for channel in [*server.active_channels.values(), server.trigger, server]:
        channel.close()
    return passes


def run(net, version):
    waitress = release("waitress", version, "waitress.server")
    server, client = net.host("server"), net.host("client")

    def come():
        with client:
            Client(REQUEST)

    for second in (1, 2):
        net.at(f"{second}s").call(come)
    with waitress.on(server.modules):
        passes = serve(waitress, server.modules, 60)
    assert passes <= PASSES_MAX, "the server takes a whole processor"


def bad(net):
    run(net, "3.0.0")


def good(net):
    run(net, "3.0.1")
