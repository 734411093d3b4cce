"""xmlrpc: a server with a thread for each request, and proxies on two hosts."""

import socketserver
import xmlrpc.client
import xmlrpc.server
from datetime import datetime

CLIENTS = 3


class Server(socketserver.ThreadingMixIn, xmlrpc.server.SimpleXMLRPCServer):
    daemon_threads = True


class Library:
    def __init__(self):
        self.lent = {}

    def lend(self, title, who):
        return self.lent.setdefault(title, who) == who

    def today(self):
        return xmlrpc.client.DateTime(datetime.now())


def serve():
    with Server(("", 8000), allow_none=True, logRequests=False) as server:
        server.register_instance(Library())
        server.register_multicall_functions()
        server.serve_forever()


def borrow(who):
    with xmlrpc.client.ServerProxy("http://server:8000", allow_none=True, use_builtin_types=True) as library:
        mine = library.lend("notes", who)
        calls = xmlrpc.client.MultiCall(library)
        for number in range(20):
            calls.lend(f"{who} {number}", who)
        all_mine = all(calls())
        try:
            library.burn("notes")
        except xmlrpc.client.Fault as fault:
            refused = fault.faultString
        return mine, all_mine, refused, library.today()


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    borrowing = [network.host("client").spawn(borrow, f"client {number}") for number in range(CLIENTS)]
    network.run()
    mine, all_mine, refused, today = zip(*(each.result for each in borrowing), strict=True)
    assert sorted(mine) == [False, False, True]
    assert all(all_mine)
    assert all("burn" in each for each in refused)
    assert all(each.date() == datetime(2020, 9, 13).date() for each in today)
