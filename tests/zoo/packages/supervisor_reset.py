"""supervisor 4.2.0 adds text to bytes where its HTTP server finds a connection reset; 4.2.1 does not.

What a channel lets out is printed and ends that channel.  An OSError may be the network's doing; any other
exception is the program's.
"""

import builtins
import contextlib
import io
import re

from simnet import install_asyncore
from tests.zoo.common import PORT, Client
from tests.zoo.releases import release

REQUEST = b"GET /nothing HTTP/1.0\r\nHost: server\r\nUser-Agent: check\r\n\r\n"


class Log:
    """What supervisor's logger is asked to keep."""

    def log(self, message):
        pass

    trace = info = warn = error = log


def serve(supervisor, machine, net):
    http = supervisor.load("supervisor.http")
    asyncore = supervisor.load("supervisor.medusa.asyncore_25")
    asyncore.socket_map.clear()
    http.supervisor_af_inet_http_server("0.0.0.0", PORT, Log())
    with net.host("client"):
        clients = [Client(REQUEST), Client(REQUEST)]
    for _ in range(500):
        if all(client.how for client in clients) or machine.time.monotonic() > 600:
            break
        asyncore.poll(5.0, asyncore.socket_map)
    for channel in list(asyncore.socket_map.values()):
        channel.close()


def run(net, version):
    with install_asyncore(replace=True):  # of which it imports one function, and Python 3.12 has not
        supervisor = release("supervisor", version, "supervisor.http")
    machine = net.host("server").modules
    net.host("client")
    with supervisor.on(machine), contextlib.redirect_stdout(io.StringIO()) as printed:
        serve(supervisor, machine, net)
    for name, message in re.findall(r"\(<class '(\w+)'>:([^\n]*)", printed.getvalue()):
        kind = getattr(builtins, name)
        assert issubclass(kind, OSError), f"{name}: {message}"


def bad(net):
    run(net, "4.2.0")


def good(net):
    run(net, "4.2.1")
