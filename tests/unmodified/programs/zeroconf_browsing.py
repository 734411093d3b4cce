"""zeroconf on three hosts of a network that has multicast: one offers a service, others find it, it goes."""

import socket
import time

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

KIND = "_http._tcp.local."
NAME = f"bakery.{KIND}"


def offer(address):
    zeroconf = Zeroconf(interfaces=[address])
    zeroconf.register_service(
        ServiceInfo(KIND, NAME, addresses=[socket.inet_aton(address)], port=80, properties={"bread": "rye"})
    )
    time.sleep(20)
    zeroconf.unregister_service(ServiceInfo(KIND, NAME, addresses=[socket.inet_aton(address)], port=80))
    zeroconf.close()


class Notes(ServiceListener):
    def __init__(self):
        self.heard = []

    def add_service(self, zeroconf, kind, name):
        self.heard.append(("comes", name))

    def remove_service(self, zeroconf, kind, name):
        self.heard.append(("goes", name))

    def update_service(self, zeroconf, kind, name):
        """Not asked for."""


def browse(address):
    time.sleep(2)
    zeroconf, notes = Zeroconf(interfaces=[address]), Notes()
    ServiceBrowser(zeroconf, KIND, notes)
    found = zeroconf.get_service_info(KIND, NAME, timeout=10_000)
    time.sleep(30)
    zeroconf.close()
    return found.parsed_addresses(), found.port, found.properties, notes.heard


def run(network):
    offering = network.host("server").spawn(offer, "10.0.0.1")
    browsing = [network.host(f"client{number}").spawn(browse, f"10.0.0.{number}") for number in (2, 3)]
    network.run()
    assert offering.result is None
    for each in browsing:
        assert each.result == (
            *(["10.0.0.1"], 80, {b"bread": b"rye"}),
            [("comes", NAME), ("goes", NAME)],
        )
