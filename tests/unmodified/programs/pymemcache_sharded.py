"""pymemcache over three servers by its hash; one of them loses power, and its keys go to the others."""

import socketserver

from pymemcache.client.hash import HashClient

from tests.unmodified.probe import happened
from tests.unmodified.serving import serve

KEYS = [f"key{number}" for number in range(12)]


class Cache(socketserver.StreamRequestHandler):
    """The text protocol of memcached, as far as it is asked here."""

    def handle(self):
        for line in self.rfile:
            verb, *arguments = line.split()
            if verb == b"set":
                key, flags, _, size = arguments[:4]
                self.server.values[key] = flags, self.rfile.read(int(size) + 2)[:-2]
                self.wfile.write(b"STORED\r\n")
            elif verb == b"get":
                for key in arguments:
                    if key in self.server.values:
                        flags, value = self.server.values[key]
                        self.wfile.write(b"VALUE %s %s %d\r\n%s\r\n" % (key, flags, len(value), value))
                self.wfile.write(b"END\r\n")
            elif verb == b"incr":
                flags, value = self.server.values[arguments[0]]
                value = b"%d" % (int(value) + int(arguments[1]))
                self.server.values[arguments[0]] = flags, value
                self.wfile.write(value + b"\r\n")


def use(servers):
    client = HashClient(
        [(name, 11211) for name in servers],
        connect_timeout=5,
        timeout=5,
        retry_attempts=0,
        dead_timeout=600,
        use_pooling=True,
        ignore_exc=True,
    )
    for number, key in enumerate(KEYS):
        client.set(key, b"%d" % number, noreply=False)
    found = client.get_many(KEYS)
    raised = client.incr(KEYS[3], 4)
    client.close()
    return found, raised


def run(network):
    stores = {}
    for name in ("one", "two", "three"):
        stores[name] = {}
        network.host(name).spawn(serve, Cache, 11211, daemon=True, values=stores[name])
    network.run(until="1s")
    using = network.host("client").spawn(use, list(stores))
    network.run()
    found, raised = using.result
    lost = happened(network, "connect", "refused")
    held = [name for name, values in stores.items() if values]
    assert len(held) == 3 - bool(lost)
    missed = len(KEYS) - len(found)
    assert missed <= lost
    assert all(found[key] == b"%d" % KEYS.index(key) for key in found)
    assert raised == 7
    assert sum(map(len, stores.values())) == len(KEYS) - missed
