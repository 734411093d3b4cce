"""Programs for asynchat; see `letter`."""

import errno
from itertools import product

from tests.unit.letter_details import Answering, failed

STREAM = b"one\r\ntwo\r\n\r\nthree\r\r\n\nfour\r\n\r\r\n12345five\r"
TERMINATORS = (b"\r\n", b"\n", b"\r\n\r\n", b"r", 1, 3, 100, 0, None, b"", True)


def chat(world, name="chat", **own):
    """A kind of channel that notes what is collected, and where a terminator is found."""

    def collect(channel, data):
        world.note(name, "collects", data)

    def found(channel):
        world.note(name, "found", channel.get_terminator())

    methods = {"collect_incoming_data": collect, "found_terminator": found, **own}
    kind = world.kind(name, world.asynchat.async_chat, **methods)
    for event in ("read", "write"):  # how often is not compared, but what comes of it
        delattr(kind, f"handle_{event}")
    return kind


def fed(world, kind, pieces, terminator):
    """A chat that receives these pieces, one a pass."""
    channel, peer = world.channel_and_peer(kind)
    channel.set_terminator(terminator)
    for piece in pieces:
        peer.send(piece)
        world.once()
        world.note(channel.ac_in_buffer, channel.get_terminator(), channel.incoming)
    channel.close()
    peer.close()


def terminators(world):
    for terminator, size in product(TERMINATORS, (1, 2, 5, 100)):
        pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
        fed(world, chat(world), pieces, terminator)


def terminators_of_other_types(world):
    for terminator in ("\r\n", bytearray(b"\r\n"), memoryview(b"\r\n"), 2.5, (b"\r", b"\n"), object, -1):
        world.outcome(
            terminator, of=lambda terminator=terminator: fed(world, chat(world), [STREAM], terminator)
        )
        for channel in list(world.map.values()):
            channel.close()


def terminators_of_text(world):
    for use_encoding, encoding in product((0, 1), ("latin-1", "utf-16-le")):
        kind = chat(world, use_encoding=use_encoding, encoding=encoding)
        channel, peer = world.channel_and_peer(kind)
        channel.set_terminator("\n")
        world.note(channel.terminator)
        peer.send(b"a line\n\0more")
        world.once()
        world.note(channel.ac_in_buffer)
        for channel in list(world.map.values()):
            channel.close()


def a_terminator_that_handlers_change(world):
    """A line says how many bytes follow."""

    def found(channel):
        world.note("found", channel.get_terminator(), channel._get_data())
        channel.set_terminator(next(channel.terminators))

    kind = chat(world, found_terminator=found, collect_incoming_data=None)
    kind.collect_incoming_data = world.asynchat.async_chat._collect_incoming_data
    for size in (1, 3, 100):
        kind.terminators = iter((3, b"\r\n", 1, 0, None, b"\n"))
        pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
        fed(world, kind, pieces, b"\n")


def buffers_that_handlers_change(world):
    def take_all(channel):
        world.note("found with", channel.ac_in_buffer, "left")
        channel.ac_in_buffer = b""

    def discard(channel):
        world.note("found with", channel.ac_in_buffer, "left")
        channel.discard_buffers()

    def close(channel):
        channel.close()

    for found, terminator in product((take_all, discard, close), (b"\r\n", 3)):
        fed(world, chat(world, found_terminator=found), [STREAM, b"more\r\n"], terminator)


def handlers_that_are_missing(world):
    channel, peer = world.channel_and_peer(world.kind("chat", world.asynchat.async_chat))
    world.outcome("terminator", of=channel.get_terminator)
    for call in ("found_terminator", "handle_read"):
        world.outcome(call, of=getattr(channel, call))
    world.outcome("collect", of=lambda: channel.collect_incoming_data(b""))
    channel.set_terminator(b"\n")
    peer.send(b"a line\n")
    world.once()
    world.note(channel.ac_in_buffer, len(world.map))


def small_reads(world):
    fed(world, chat(world, ac_in_buffer_size=3), [STREAM] + [b"."] * 20, b"\r\n")


def errors_of_recv(world):
    for code in (errno.EAGAIN, errno.EINTR, errno.EIO, errno.ECONNRESET, errno.EPIPE):
        channel = chat(world)(map=world.map)
        channel.set_socket(Answering(recv=failed(code)))
        channel.set_terminator(b"\n")
        world.outcome(code, of=channel.handle_read)
        world.note(len(world.map))
        world.map.clear()
    channel = chat(world, use_encoding=1)(map=world.map)
    channel.set_socket(Answering(recv="text"))
    world.outcome("text", of=channel.handle_read)


# --- output ----------------------------------------------------------------------------------------


class Producer:
    """Notes that it is asked."""

    def __init__(self, world, *pieces):
        self.world, self.pieces = world, list(pieces)

    def more(self):
        piece = self.pieces.pop(0) if self.pieces else b""
        self.world.note("more", piece)
        return piece


class Sink(Answering):
    """A socket that takes so many bytes a call, and notes them."""

    def __init__(self, world, size):
        super().__init__()
        self.world, self.size = world, size

    def send(self, data):
        self.world.note("sent", type(data).__name__, bytes(data[: self.size]))
        return len(data[: self.size])


def sending(world, size, **own):
    channel = chat(world, **own)(map=world.map)
    channel.set_socket(Sink(world, size))
    channel.connected = True
    return channel


def noted_fifo(channel):
    return [item if isinstance(item, bytes) else type(item).__name__ for item in channel.producer_fifo]


def pushes(world):
    data = (b"", b"a", b"abcdefghij" * 2, bytearray(b"bytearray"), memoryview(b"memoryview"))
    for size, out_size, pushed in product((0, 3, 100), (4, 65536), data):
        channel = sending(world, size, ac_out_buffer_size=out_size)
        world.outcome(
            "push", pushed if isinstance(pushed, bytes) else "", of=lambda c=channel, p=pushed: c.push(p)
        )
        world.outcome("push", of=lambda channel=channel: channel.push(b"and more"))
        for _ in range(12):
            world.note([bytes(item) for item in channel.producer_fifo], bool(channel.writable()))
            world.outcome("write", of=channel.handle_write)


def pushes_of_other_types(world):
    channel = sending(world, 100)
    for data in ("text", None, 5, [b"list"], object):
        world.outcome("push", of=lambda data=data: channel.push(data))
    world.note(channel.producer_fifo)


def producers(world):
    for size, out_size in product((2, 100), (3, 65536)):
        channel = sending(world, size, ac_out_buffer_size=out_size)
        channel.push_with_producer(Producer(world, b"first", b"second"))
        channel.push(b"pushed")
        channel.push_with_producer(Producer(world))
        channel.push_with_producer(world.asynchat.simple_producer(b"simple" * 3, buffer_size=5))
        channel.close_when_done()
        channel.push(b"after the end")
        for _ in range(40):
            world.note(noted_fifo(channel), bool(channel.writable()), channel.connected)
            world.outcome("write", of=channel.handle_write)


def producers_of_text(world):
    for use_encoding in (0, 1):
        channel = sending(world, 3, use_encoding=use_encoding, encoding="utf-8")
        world.outcome(
            "push", of=lambda channel=channel: channel.push_with_producer(Producer(world, "text é", ""))
        )
        for _ in range(6):
            world.note([item if isinstance(item, (bytes, str)) else "" for item in channel.producer_fifo])
            world.outcome("write", of=channel.handle_write)


def queued_before_connected(world):
    channel = sending(world, 100)
    channel.connected = False
    channel.push(b"early")
    channel.push_with_producer(Producer(world, b"also"))
    channel.close_when_done()
    world.note(noted_fifo(channel), channel.writable() is channel.producer_fifo)
    channel.connected = True
    for _ in range(5):
        world.outcome("write", of=channel.handle_write)
        world.note(noted_fifo(channel))


def odd_things_in_the_queue(world):
    for odd in (b"", None, 0, "", [], object(), [1, 2], "text", memoryview(b"view")):
        channel = sending(world, 100)
        channel.producer_fifo.extend([odd, b"after"])
        for _ in range(3):
            world.outcome("write", of=channel.initiate_send)
            world.note([item if isinstance(item, bytes) else type(item) for item in channel.producer_fifo])


def errors_of_send(world):
    for code in (errno.EAGAIN, errno.EINTR, errno.EIO, errno.ECONNRESET, errno.EPIPE):
        channel = chat(world)(map=world.map)
        channel.set_socket(Answering(send=failed(code)))
        channel.connected = True
        world.outcome(code, of=lambda channel=channel: channel.push(b"data"))
        world.note(len(world.map), channel.producer_fifo)
        world.map.clear()

    def fail():
        raise ZeroDivisionError("no more")

    channel, producer = sending(world, 100), Producer(world)
    producer.more = fail
    world.outcome("producer", of=lambda: channel.push_with_producer(producer))
    world.note(len(channel.producer_fifo))


def discarding(world):
    channel = sending(world, 2)
    channel.push(b"some data")
    channel.ac_in_buffer = b"received"
    channel._collect_incoming_data(b"collected")
    channel.discard_buffers()
    world.note(channel.producer_fifo, channel.ac_in_buffer, channel.incoming, channel._get_data())
    channel.handle_write()


def simple_producers(world):
    for data, size in product((b"", b"abcde", "text", [1, 2, 3]), (1, 2, 5, 512)):
        producer = world.asynchat.simple_producer(data, size)
        world.note([producer.more() for _ in range(6)], producer.data, producer.buffer_size)
    world.note(len(world.asynchat.simple_producer(bytes(1000)).more()))


def prefixes(world):
    needles = (b"\r\n", b"\r\n\r\n", b"aab", b"a", b"", "\r\n")
    for needle, haystack in product(needles, (b"", b"\r", b"x\r\n\r", b"aa", b"xaab", b"\n\r", "x\r")):
        world.outcome(
            needle, haystack, of=lambda n=needle, h=haystack: world.asynchat.find_prefix_at_end(h, n)
        )


def conversation(world):
    """A server that answers lines in upper case, and a client that has a lot to say."""

    def answer(channel):
        data = channel._get_data()
        channel.push(data.upper() + b"\n")
        if data == b"quit":
            channel.close_when_done()

    def heard(channel):
        world.note("client heard", len(channel._get_data()))

    collect = {"collect_incoming_data": world.asynchat.async_chat._collect_incoming_data, "terminator": b"\n"}
    server = chat(world, "server", found_terminator=answer, **collect)
    client = chat(world, "client", found_terminator=heard, **collect)
    _, address = world.listen(serve=lambda sock, map: server(sock, map))
    channel = client(map=world.map)
    channel.create_socket()
    channel.push(b"queued before it is connected\n")
    channel.connect(address)
    channel.push(b"x" * 1_000_000 + b"\n")
    channel.push_with_producer(world.asynchat.simple_producer(b"line\n" * 20, 7))
    channel.push(b"quit\n")
    world.until(lambda: not channel.connected and world.noted.count("client close"))
    world.note(len(world.map))


CHATS = (
    terminators,
    terminators_of_other_types,
    terminators_of_text,
    a_terminator_that_handlers_change,
    buffers_that_handlers_change,
    handlers_that_are_missing,
    small_reads,
    errors_of_recv,
    pushes,
    pushes_of_other_types,
    producers,
    producers_of_text,
    queued_before_connected,
    odd_things_in_the_queue,
    errors_of_send,
    discarding,
    simple_producers,
    prefixes,
    conversation,
)
