"""dnspython: its resolver, and a small name server: over UDP, and over TCP what is cut short."""

import socketserver
import struct

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

from tests.unmodified.probe import happened
from tests.unmodified.serving import Server

TEXTS = [f"line {number} of a record that does not fit into a datagram" for number in range(60)]


def answered(wire, may_be_long):
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question)
    name = question.question[0].name.to_text()
    if name == "www.example.":
        answer.answer.append(dns.rrset.from_text(name, 300, "IN", "A", "10.0.0.7", "10.0.0.8"))
    elif name == "long.example.":
        if may_be_long:
            answer.answer.append(
                dns.rrset.from_text(name, 300, "IN", "TXT", *(f'"{text}"' for text in TEXTS))
            )
        else:
            answer.flags |= dns.flags.TC
    else:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()


class OverUdp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(answered(data, may_be_long=False), self.client_address)


class OverTcp(socketserver.StreamRequestHandler):
    def handle(self):
        while size := self.rfile.read(2):
            wire = answered(self.rfile.read(*struct.unpack("!H", size)), may_be_long=True)
            self.wfile.write(struct.pack("!H", len(wire)) + wire)


def serve_udp():
    with socketserver.ThreadingUDPServer(("", 53), OverUdp) as server:
        server.serve_forever()


def serve_tcp():
    with Server(("", 53), OverTcp) as server:
        server.serve_forever()


def look_up(address):
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.timeout, resolver.lifetime = [address], 2, 30
    addresses = sorted(record.address for record in resolver.resolve("www.example", "A"))
    texts = sorted(record.strings[0].decode() for record in resolver.resolve("long.example", "TXT"))
    try:
        resolver.resolve("absent.example", "A")
    except dns.resolver.NXDOMAIN as error:
        return addresses, texts, error.qname.to_text() if hasattr(error, "qname") else str(error)


def run(network):
    server = network.host("server")
    server.spawn(serve_udp, daemon=True)
    server.spawn(serve_tcp, daemon=True)
    looking = network.host("client").spawn(look_up, "10.0.0.1")
    network.run(until=lambda: not looking.is_alive)
    addresses, texts, absent = looking.result
    assert addresses == ["10.0.0.7", "10.0.0.8"]
    assert texts == sorted(TEXTS)
    assert "absent.example." in absent
    assert network.now >= 2 * happened(network, "datagram", "lost")
