"""logging.handlers: records over TCP and UDP, and lines of syslog; a reset loses two of them."""

import logging
import logging.handlers
import pickle
import socketserver
import struct
import time

from tests.unmodified.probe import happened
from tests.unmodified.serving import serve

RECORDS = 6


class Records(socketserver.StreamRequestHandler):
    def handle(self):
        while header := self.rfile.read(4):
            self.server.received.append(pickle.loads(self.rfile.read(struct.unpack(">L", header)[0]))["msg"])


class Datagrams(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request[0]
        port = self.server.server_address[1]
        text = data.decode() if port == 514 else pickle.loads(data[4:])["msg"]
        self.server.received.append(text)


def serve_datagrams(port, received):
    with socketserver.UDPServer(("", port), Datagrams) as server:
        server.received = received
        server.serve_forever()


def log():
    handlers = [
        logging.handlers.SocketHandler("server", 9020),
        logging.handlers.DatagramHandler("server", 9021),
        logging.handlers.SysLogHandler(("server", 514)),
    ]
    logger = logging.Logger("probe")
    for handler in handlers:
        logger.addHandler(handler)
    for number in range(RECORDS):
        logger.info(f"record {number}")
        time.sleep(1)
    for handler in handlers:
        handler.close()


def run(network):
    over_tcp, over_udp, syslog = [], [], []
    server = network.host("server")
    server.spawn(serve, Records, 9020, daemon=True, received=over_tcp)
    server.spawn(serve_datagrams, 9021, over_udp, daemon=True)
    server.spawn(serve_datagrams, 514, syslog, daemon=True)
    network.host("client").spawn(log)
    network.run()
    every = [f"record {number}" for number in range(RECORDS)]
    # A reset takes the record that is under way, and the next one, by which the handler learns of it.
    assert over_tcp == [each for each in every if each in over_tcp]
    assert len(over_tcp) == RECORDS - 2 * happened(network, "segment", "reset")
    assert len(over_udp) == RECORDS - happened(network, "datagram", "lost")
    assert syslog == [f"<14>{each}\0" for each in every]
