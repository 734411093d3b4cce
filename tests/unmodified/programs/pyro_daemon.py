"""Pyro5: its name server and its daemon with a pool of threads, proxies, exceptions, an iterator."""

import Pyro5.api
import Pyro5.errors
import Pyro5.nameserver


@Pyro5.api.expose
@Pyro5.api.behavior(instance_mode="single")
class Oven:
    def __init__(self):
        self.baked = []

    def bake(self, what):
        if what == "stone":
            raise ValueError("not to be eaten")
        self.baked.append(what)
        return len(self.baked)

    def all(self):
        yield from sorted(self.baked)


def name_server(daemons):
    _, daemon, _ = Pyro5.nameserver.start_ns("names", 9090, enableBroadcast=False)
    with daemon:
        daemons["names"] = daemon
        daemon.requestLoop()


def serve(daemons):
    with Pyro5.api.Daemon("server", 9091) as daemon:
        daemons["server"] = daemon
        uri = daemon.register(Oven, "oven")
        with Pyro5.api.locate_ns("names", 9090) as names:
            names.register("shop.oven", uri)
        daemon.requestLoop()


def use(who):
    with Pyro5.api.Proxy("PYRONAME:shop.oven@names:9090") as oven:
        counts = [oven.bake(f"{who} {number}") for number in range(3)]
        try:
            oven.bake("stone")
        except ValueError as error:
            refused = str(error)
        return counts, refused, [each for each in oven.all() if each.startswith(who)]


def run(network):
    daemons = {}
    serving = [network.host("names").spawn(name_server, daemons, daemon=True)]
    network.run(until="2s")
    serving.append(network.host("server").spawn(serve, daemons, daemon=True))
    network.run(until="9s")
    using = {who: network.host("client").spawn(use, who) for who in ("ann", "bob")}
    network.run(until=lambda: not any(each.is_alive for each in using.values()))
    counts = []
    for who, each in using.items():
        counted, refused, baked = each.result
        counts += counted
        assert refused == "not to be eaten"
        assert baked == [f"{who} {number}" for number in range(3)]
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    for name, daemon in daemons.items():
        network.host(name).spawn(daemon.shutdown)
    for each in serving:
        each.join()
