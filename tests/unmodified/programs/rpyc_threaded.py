"""rpyc's own threaded server: remote objects, a callback, an exception, calls that are not waited for."""

import logging

import rpyc
from rpyc.utils.server import ThreadedServer

logging.getLogger("SHOP").setLevel(logging.CRITICAL)


class Shop(rpyc.Service):
    def __init__(self):
        self.sold = []

    def exposed_sell(self, what, tell):
        self.sold.append(what)
        tell(f"{what} sold")
        return list(self.sold)

    def exposed_bake(self, count):
        if count > 100:
            raise ValueError("the oven is small")
        return b"loaf" * count


def serve():
    ThreadedServer(Shop(), port=18861, hostname="0.0.0.0").start()


def buy(what):
    told = []
    connection = rpyc.connect("server", 18861, config={"sync_request_timeout": 60})
    sold = list(connection.root.sell(what, told.append))
    later = [rpyc.async_(connection.root.bake)(count) for count in (1, 50, 100)]
    loaves = [len(each.value) for each in later]
    try:
        connection.root.bake(1000)
    except ValueError as error:
        refused = error.args[0]
    connection.close()
    return told, what in sold, loaves, refused


def run(network):
    network.host("server").spawn(serve, daemon=True)
    network.run(until="1s")
    buying = {what: network.host("client").spawn(buy, what) for what in ("rye", "wheat", "oats")}
    network.run()
    for what, each in buying.items():
        assert each.result == ([f"{what} sold"], True, [4, 200, 400], "the oven is small")
