"""nats-py against a small server of the NATS protocol: wildcards, a request, and its reconnecting."""

import asyncio

import nats

NEWS = [f"loaf {number}".encode() * 50 for number in range(10)]


class Server:
    """Passes messages on to who has subscribed; docs.nats.io/reference/reference-protocols/nats-protocol."""

    def __init__(self):
        self.subscriptions = {}

    async def serve(self):
        async with await asyncio.start_server(self.client, "", 4222) as server:
            await server.serve_forever()

    async def client(self, reader, writer):
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576,"headers":true}\r\n')
        try:
            while line := await reader.readline():
                await self.obey(line.split(), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.subscriptions = {key: to for key, to in self.subscriptions.items() if key[0] is not writer}
            writer.close()

    async def obey(self, words, reader, writer):
        match [words[0].upper(), *words[1:]]:
            case [b"PING"]:
                writer.write(b"PONG\r\n")
            case [b"SUB", subject, *_, number]:
                self.subscriptions[writer, number] = subject.split(b".")
            case [b"UNSUB", number, *_]:
                self.subscriptions.pop((writer, number), None)
            case [b"PUB", subject, *reply, size]:
                body = await reader.readexactly(int(size) + 2)
                self.publish(subject, reply, body)

    def publish(self, subject, reply, body):
        for (writer, number), pattern in list(self.subscriptions.items()):
            if matches(pattern, subject.split(b".")):
                head = b" ".join([b"MSG", subject, number, *reply, b"%d" % (len(body) - 2)])
                writer.write(head + b"\r\n" + body)


def matches(pattern, subject):
    for index, token in enumerate(pattern):
        if token == b">":
            return len(subject) > index
        if index >= len(subject) or token not in (b"*", subject[index]):
            return False
    return len(pattern) == len(subject)


async def connected():
    return await nats.connect("nats://server:4222", reconnect_time_wait=1, error_cb=say_nothing)


async def say_nothing(error):
    """Errors are not printed."""


async def listen():
    client, heard = await connected(), asyncio.Queue()

    async def hear(message):
        await heard.put(message.data)

    async def double(message):
        await message.respond(message.data * 2)

    await client.subscribe("bread.*.loaf", cb=hear)
    await client.subscribe("double.>", cb=double)
    got = [await heard.get() for _ in NEWS]
    await asyncio.sleep(20)
    await client.close()
    return got


async def tell():
    await asyncio.sleep(5)
    client = await connected()
    for each in NEWS:
        await client.publish("bread.rye.loaf", each)
        await client.publish("bread.rye", b"not heard")
    await client.flush()
    answer = await client.request("double.it", b"two", timeout=10)
    await client.drain()
    return answer.data


def run(network):
    network.host("server").spawn(lambda: asyncio.run(Server().serve()), daemon=True)
    listening = network.host("listener").spawn(lambda: asyncio.run(listen()))
    telling = network.host("client").spawn(lambda: asyncio.run(tell()))
    network.run()
    assert listening.result == NEWS
    assert telling.result == b"twotwo"
