"""dnspython asks a name server over UDP, and over TCP what is cut off: blocking, and on asyncio."""

import asyncio
import struct

import dns.asyncresolver
import dns.flags
import dns.message
import dns.resolver
import dns.rrset

MANY = [f"192.0.2.{number}" for number in range(1, 101)]
FEW = MANY[:2]
NAMES = ("few.example", "many.example")


def answer(wire, is_cut):
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    name = query.question[0].name
    addresses = MANY if str(name).startswith("many") else FEW
    if is_cut and addresses is MANY:
        response.flags |= dns.flags.TC
    else:
        response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "A", addresses))
    return response.to_wire()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(answer(data, is_cut=True), address)


async def on_stream(reader, writer):
    (size,) = struct.unpack("!H", await reader.readexactly(2))
    wire = answer(await reader.readexactly(size), is_cut=False)
    writer.write(struct.pack("!H", len(wire)) + wire)
    await writer.drain()
    writer.close()


async def serve():
    await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, ("0.0.0.0", 53))
    async with await asyncio.start_server(on_stream, "0.0.0.0", 53) as server:
        await server.serve_forever()


def resolver(cls):
    made = cls(configure=False)
    made.nameservers, made.lifetime = ["10.0.0.1"], 60
    return made


def ask():
    found = resolver(dns.resolver.Resolver)
    answers = (found.resolve(name, "A") for name in NAMES)
    return [sorted(each.address for each in one) for one in answers]


async def ask_asynchronously():
    found = resolver(dns.asyncresolver.Resolver)
    answers = await asyncio.gather(*(found.resolve(name, "A") for name in NAMES))
    return [sorted(each.address for each in one) for one in answers]


def run(network):
    network.host("server").spawn(lambda: asyncio.run(serve()), daemon=True)
    asking = [
        network.host("client").spawn(ask),
        network.host("other").spawn(lambda: asyncio.run(ask_asynchronously())),
    ]
    network.run()
    for each in asking:
        assert each.result == [sorted(FEW), sorted(MANY)]
