"""Programs on sockets, for any asyncore on any machine; see `letter`."""

import errno
import os
import struct

OOB = 1


def abort(world, sock):
    """Close it by RST."""
    socket = world.asyncore.socket
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def unused_address(world):
    """One where nobody listens."""
    sock = world.keep(world.asyncore.socket.socket())
    sock.bind(("127.0.0.1", 0))
    return sock.getsockname()


# --- connecting and accepting ----------------------------------------------------------------------


def talk(world):
    client, served = world.pair(world.reading("client"), world.reading("server"))
    world.note(client.connected, client.connecting, client.accepting, served.connected, served.addr)
    world.note("sent", client.send(b"hello"))
    world.until(lambda: "server got b'hello'" in world.noted)
    served.send(b"answer")
    world.until(lambda: "client got b'answer'" in world.noted)
    client.close()
    world.until(lambda: "server close" in world.noted)
    world.passes()
    world.note(client, served, client.socket.fileno(), len(world.map))


def nothing_overridden(world):
    """All that a channel says by itself, told in every pass that it is writable."""
    plain = {"writable": lambda channel: True}
    listener, address = world.listen(world.kind("listener"))
    client = world.connect(world.kind("client", **plain), address)
    world.note(listener, client)
    world.until(lambda: "listener accepted" in world.noted and "client connect" in world.noted)
    world.passes()
    world.note(listener, client)


def unread_data_and_urgent_data(world):
    channel, peer = world.channel_and_peer(world.kind("channel"))
    peer.send(b"x")
    world.once()
    world.once()
    channel.recv(10)
    peer.send(b"!", world.asyncore.socket.MSG_OOB)
    world.until(lambda: "channel expt" in world.noted)


def refused(world):
    channel = world.connect(
        world.kind("client", error=lambda channel: channel.close()), unused_address(world)
    )
    world.note(channel)
    world.until(lambda: not world.map)
    world.passes()


def refused_twice(world):
    """By poll a refused connection is told by more than one flag."""
    channel = world.connect(world.kind("client", error=lambda channel: None), unused_address(world))
    world.until(lambda: "client error" in " ".join(world.noted))
    world.once()
    world.note(channel.connected, channel.connecting, len(world.map))


def connect_twice(world):
    _, address = world.listen(serve=world.reading("server"))
    client = world.connect(world.reading("client"), address)
    world.until(lambda: client.connected)
    world.outcome("again", of=lambda: client.connect(address))
    world.note(client.connected, client.connecting)
    world.passes()


def connect_fails_at_once(world):
    channel = world.open(world.kind("client"))
    world.outcome("connect", of=lambda: channel.connect(("127.0.0.1", 0)))
    world.note(channel.connected, channel.connecting, channel.addr)


def accept_in_vain(world):
    def accept_twice(listener):
        sock, peer = listener.accept()
        world.note("accepted", world.keep(sock).getpeername() == peer, "and then", listener.accept())

    listener, address = world.listen(world.kind("listener", accept=accept_twice))
    world.outcome("accept", of=listener.accept)
    client = world.connect(world.reading("client"), address)
    world.until(lambda: client.connected and len(world.noted) >= 4)


def several_clients(world):
    _, address = world.listen(serve=world.reading("server"))
    clients = [world.connect(world.reading(f"client {number}"), address) for number in range(3)]
    world.until(lambda: all(client.connected for client in clients) and len(world.accepted) == 3)
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
        world.until(lambda number=number: f"server got b'{number}'" in world.noted)
    for served in world.accepted:
        served.send(b"to all")
    world.until(lambda: sum("got b'to all'" in line for line in world.noted) == 3)
    for client in clients:
        client.close()
    world.until(lambda: world.noted.count("server close") == 3)


# --- endings ---------------------------------------------------------------------------------------


def end_of_stream(world):
    channel, peer = world.channel_and_peer(world.reading("channel"))
    peer.sendall(b"last words")
    peer.close()
    world.until(lambda: not world.map)
    world.passes()
    world.note(channel)


def half_close(world):
    def goodbye(channel):
        world.note("sent", channel.send(b"goodbye"))
        channel.close()

    _, peer = world.channel_and_peer(world.reading("channel", close=goodbye))
    peer.shutdown(world.asyncore.socket.SHUT_WR)
    world.until(lambda: not world.map)
    world.note(peer.recv(100), peer.recv(100))


def end_that_is_not_closed(world):
    """A handle_close that closes nothing is told again."""
    _, peer = world.channel_and_peer(world.reading("channel", close=lambda channel: None))
    peer.close()
    world.until(lambda: world.noted.count("channel close") >= 2)


def reset(world):
    _, peer = world.channel_and_peer(world.reading("channel"))
    abort(world, peer)
    world.until(lambda: not world.map)
    world.passes()


def reset_behind_data(world):
    _, peer = world.channel_and_peer(world.reading("channel", size=2))
    peer.sendall(b"abcd")
    abort(world, peer)
    world.until(lambda: not world.map)
    world.passes()


def send_to_who_is_gone(world):
    channel, peer = world.channel_and_peer(world.reading("channel"))
    abort(world, peer)
    world.outcome("send", of=lambda: channel.send(b"x"))
    world.outcome("send", of=lambda: channel.send(b"x"))
    world.note(channel.connected, len(world.map))


def send_when_full(world):
    channel, _ = world.channel_and_peer(world.reading("channel"))
    sent = [1]
    while sent[-1]:
        sent.append(channel.send(bytes(65536)))
    world.note("in the end", sent[-1], channel.connected)
    world.passes()


def send_before_connected(world):
    channel = world.open(world.kind("client"))
    world.outcome("send", of=lambda: channel.send(b"x"))
    world.note(channel.connected, len(world.map))


def closed_socket_in_the_map(world):
    channel, _ = world.channel_and_peer(world.reading("channel"))
    world.passes(1)
    os_fd = channel.socket.fileno()
    channel.socket.close()
    world.once()
    world.note(os_fd in world.map)
    world.map.clear()


# --- order and interest ----------------------------------------------------------------------------


def order_of_reads_and_writes(world):
    """All are readable and writable in one pass."""

    def write(channel):
        channel.wants = False

    kinds = [
        world.reading(f"channel {number}", write=write, writable=lambda channel: channel.wants)
        for number in range(3)
    ]
    made = [world.channel_and_peer(kind, wants=True) for kind in kinds]
    for _, peer in reversed(made):
        peer.send(b"x")
    world.until(lambda: all(f"channel {number} got b'x'" in world.noted for number in range(3)))
    world.passes(1)


def a_reader_closes_another(world):
    made = []

    def close_all(channel):
        for other, _ in made:
            other.close()

    made += [world.channel_and_peer(world.kind(f"channel {number}", read=close_all)) for number in range(3)]
    for _, peer in made:
        peer.send(b"x")
    world.until(lambda: not world.map)


def a_reader_adds_another(world):
    kind = world.reading("added", write=lambda channel: channel.close(), writable=lambda channel: True)

    def add(channel):
        channel.recv(10)
        world.channel_and_peer(kind)

    _, peer = world.channel_and_peer(world.kind("channel", read=add))
    peer.send(b"x")
    world.until(lambda: "added write" in world.noted)


def not_readable(world):
    kind = world.reading("channel", readable=lambda channel: channel.open)
    channel, peer = world.channel_and_peer(kind, open=False)
    peer.send(b"x")
    world.passes()
    world.note("opened")
    channel.open = True
    world.until(lambda: "channel got b'x'" in world.noted)


def neither_readable_nor_writable(world):
    no = {"readable": lambda channel: False, "writable": lambda channel: False}
    _, peer = world.channel_and_peer(world.kind("channel", **no))
    peer.close()
    world.passes(2)
    world.note(channel_left(world))


def writes_are_counted(world):
    def count(channel):
        channel.left -= 1

    kind = world.reading("channel", write=count, writable=lambda channel: channel.left > 0)
    channel, _ = world.channel_and_peer(kind, left=3)
    world.until(lambda: channel.left == 0)
    world.passes()


def urgent_data(world):
    def urgent(channel):
        world.note("urgent", channel.socket.recv(1, world.asyncore.socket.MSG_OOB))

    _, peer = world.channel_and_peer(world.reading("channel", expt=urgent))
    peer.send(b"!", world.asyncore.socket.MSG_OOB)
    world.until(lambda: "urgent b'!'" in world.noted)
    peer.send(b"after")
    world.until(lambda: "channel got b'after'" in world.noted)


# --- closing in handlers ---------------------------------------------------------------------------


def closes_itself_when_connected(world):
    _, address = world.listen(serve=world.reading("server"))
    closing = {"connect": lambda channel: channel.close(), "writable": lambda channel: True}
    closing["error"] = lambda channel: channel.close()
    world.connect(world.kind("client", **closing), address)
    world.until(lambda: "server close" in world.noted)


def closes_itself_when_reading(world):
    _, peer = world.channel_and_peer(world.kind("channel", read=lambda channel: channel.close()))
    peer.send(b"x")
    peer.send(b"!", world.asyncore.socket.MSG_OOB)
    world.until(lambda: not world.map)
    world.passes()


def closes_itself_when_writing(world):
    kind = world.reading("channel", write=lambda channel: channel.close(), writable=lambda channel: True)
    _, peer = world.channel_and_peer(kind)
    peer.send(b"x")
    world.until(lambda: not world.map)
    world.note(channel_left(world))


def channel_left(world):
    return sorted(type(channel).__name__ for channel in world.map.values())


def closes_itself_and_goes_on_reading(world):
    def read(channel):
        channel.close()
        world.outcome("recv", of=lambda: channel.recv(10))
        world.outcome("send", of=lambda: channel.send(b"x"))

    _, peer = world.channel_and_peer(world.kind("channel", read=read))
    peer.send(b"x")
    world.until(lambda: not world.map)
    world.passes()


def listener_closes_when_it_accepts(world):
    def accepted(listener, sock, address):
        world.keep(sock)
        listener.close()

    listener, address = world.listen(world.kind("listener", accepted=accepted))
    client = world.connect(world.reading("client"), address)
    world.until(lambda: client.connected and listener.socket.fileno() == -1)
    world.passes()


def close_twice(world):
    channel, _ = world.channel_and_peer(world.reading("channel"))
    channel.close()
    channel.close()
    world.note(channel, channel.socket.fileno(), len(world.map))


# --- dispatcher_with_send, files, datagrams ----------------------------------------------------------


def with_send(world):
    """How often the two are told depends on the kernel: what arrives does not."""
    payload, received = bytes(range(256)) * 8192, bytearray()
    sending, peer = world.channel_and_peer(world.asyncore.dispatcher_with_send)
    receiving = world.keep(world.asyncore.dispatcher(peer, world.map))
    receiving.handle_read = lambda: received.extend(receiving.recv(65536))
    receiving.writable = lambda: False
    world.note("send is", sending.send(payload))
    world.until(lambda: len(received) == len(payload))
    world.note(bytes(received) == payload, sending.out_buffer, sending.writable())
    sending.close()


def with_send_tells_what_it_sends(world):
    kind = world.kind("channel", world.asyncore.dispatcher_with_send)
    channel, peer = world.channel_and_peer(kind, debug=True)
    channel.send(b"some \x00 bytes")
    channel.send(b"")
    world.note(channel.out_buffer, channel.writable(), peer.recv(100))


def with_send_before_connected(world):
    channel = world.open(world.kind("client", world.asyncore.dispatcher_with_send))
    world.note(channel.writable())
    world.outcome("send", of=lambda: channel.send(b"x"))
    world.note(channel.out_buffer, len(world.map))


def pipe(world):
    machine_os = world.asyncore.os
    reader, writer = machine_os.pipe()
    channel = world.reading("reader", base=world.asyncore.file_dispatcher)(reader, world.map)
    world.note(channel, channel.connected, channel.socket.fileno() != reader, machine_os.get_blocking(reader))
    machine_os.close(reader)
    machine_os.write(writer, b"through a pipe")
    world.until(lambda: "reader got b'through a pipe'" in world.noted)
    world.outcome("recv", of=lambda: channel.recv(10))
    machine_os.close(writer)
    world.until(lambda: not world.map)
    world.passes()


def pipe_without_a_reader(world):
    machine_os = world.asyncore.os
    reader, writer = machine_os.pipe()
    channel = world.kind("writer", world.asyncore.file_dispatcher)(writer, world.map)
    machine_os.close(writer)
    world.note(channel.send(b"x"), machine_os.read(reader, 10))
    machine_os.close(reader)
    world.outcome("send", of=lambda: channel.send(b"x"))
    world.note(len(world.map))


def datagrams(world):
    socket = world.asyncore.socket
    channel = world.kind("channel", read=lambda channel: world.note(channel.socket.recvfrom(100)[0]))(
        map=world.map
    )
    channel.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
    world.note(channel.family_and_type == (socket.AF_INET, socket.SOCK_DGRAM))
    channel.bind(("127.0.0.1", 0))
    peer = world.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    peer.sendto(b"one", channel.socket.getsockname())
    peer.sendto(b"two", channel.socket.getsockname())
    world.until(lambda: "b'two'" in world.noted)
    world.passes()


def unconnected_socket(world):
    sock = world.keep(world.asyncore.socket.socket())
    channel = world.reading("channel")(sock, world.map)
    world.note(channel.connected, channel.addr, channel.socket is sock, sock.gettimeout(), len(world.map))


def closed_socket(world):
    sock = world.asyncore.socket.socket()
    sock.close()
    world.outcome("made", of=lambda: world.reading("channel")(sock, world.map))
    world.note(len(world.map))


def reuse_addr(world):
    socket = world.asyncore.socket
    channel = world.open(world.kind("channel"))
    channel.set_reuse_addr()
    world.note(channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
    channel.socket.close()
    channel.set_reuse_addr()


def loop_without_a_count(world):
    def leave(channel):
        channel.recv(10)
        raise world.asyncore.ExitNow("enough")

    channel, peer = world.channel_and_peer(world.kind("channel", read=leave))
    peer.send(b"x")
    world.outcome("loop", of=lambda: world.asyncore.loop(0.1, world.use_poll, world.map))
    _, peer = world.channel_and_peer(world.reading("closing"))
    channel.close()
    peer.close()
    world.outcome("loop", of=lambda: world.asyncore.loop(0.1, world.use_poll, world.map))
    world.outcome("loop", of=lambda: world.asyncore.loop(0.1, world.use_poll, world.map, count=3))


def duck(world):
    """Whatever has the methods that the loop calls may be in a map."""

    class Duck:
        accepting = False

        def __init__(self, sock):
            self.sock = sock

        def readable(self):
            return 1

        def writable(self):
            return None

        def handle_read_event(self):
            world.note("duck reads", self.sock.recv(10))

        def handle_expt_event(self):
            world.note("duck expt")

        def handle_close(self):
            world.note("duck close")
            del world.map[self.sock.fileno()]

        def handle_error(self):
            world.note("duck error")

    channel, peer = world.channel_and_peer(world.kind("channel"))
    channel.del_channel()
    world.keep(channel.socket)
    world.map[channel.socket.fileno()] = Duck(channel.socket)
    peer.send(b"quack")
    world.until(lambda: "duck reads b'quack'" in world.noted)
    peer.close()
    world.once()
    world.map.clear()


# --- exceptions ------------------------------------------------------------------------------------

EXCEPTIONS = (
    *(OSError(code, os.strerror(code)) for code in (errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN)),
    *(OSError(code, os.strerror(code)) for code in (errno.ECONNABORTED, errno.EPIPE, errno.EBADF)),
    *(OSError(code, os.strerror(code)) for code in (errno.EAGAIN, errno.EINTR, errno.EIO)),
    OSError("without a number"),
    ZeroDivisionError("division"),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(3),
)


def raising(error, close_on_error):
    """A program in which each handler in turn lets `error` out."""

    def program(world):
        def fail(*args):
            raise error.with_traceback(None)  # it is raised more than once

        def give_up(channel):
            channel.close()

        end = {"error": give_up} if close_on_error else {}
        _, peer = world.channel_and_peer(world.kind("reader", read=fail, **end))
        peer.send(b"x")
        world.once()
        world.note(channel_left(world))
        world.map.clear()
        world.channel_and_peer(world.kind("writer", write=fail, writable=lambda channel: True, **end))
        world.once()
        world.note(channel_left(world))
        world.map.clear()
        accepted = {"accepted": lambda listener, sock, address: fail(world.keep(sock))}
        _, address = world.listen(world.kind("listener", **accepted, **end))
        world.connect(world.kind("client", connect=fail, **end), address)
        world.once()
        world.note(channel_left(world))
        for channel in list(world.map.values()):
            channel.close()
        _, peer = world.channel_and_peer(world.kind("closing", close=fail, read=lambda c: c.recv(5), **end))
        peer.close()
        world.once()
        world.note(channel_left(world))
        world.map.clear()
        _, peer = world.channel_and_peer(world.kind("urgent", expt=fail, **end))
        peer.send(b"!", world.asyncore.socket.MSG_OOB)
        world.once()
        world.note(channel_left(world))
        world.map.clear()
        world.channel_and_peer(world.kind("asked", readable=fail))
        world.once()
        world.note(channel_left(world))
        world.map.clear()

    return program


PROGRAMS = (
    talk,
    nothing_overridden,
    unread_data_and_urgent_data,
    refused,
    refused_twice,
    connect_twice,
    connect_fails_at_once,
    accept_in_vain,
    several_clients,
    end_of_stream,
    half_close,
    end_that_is_not_closed,
    reset,
    reset_behind_data,
    send_to_who_is_gone,
    send_when_full,
    send_before_connected,
    closed_socket_in_the_map,
    order_of_reads_and_writes,
    a_reader_closes_another,
    a_reader_adds_another,
    not_readable,
    neither_readable_nor_writable,
    writes_are_counted,
    urgent_data,
    closes_itself_when_connected,
    closes_itself_when_reading,
    closes_itself_when_writing,
    closes_itself_and_goes_on_reading,
    listener_closes_when_it_accepts,
    close_twice,
    with_send,
    with_send_tells_what_it_sends,
    with_send_before_connected,
    pipe,
    pipe_without_a_reader,
    datagrams,
    unconnected_socket,
    closed_socket,
    reuse_addr,
    loop_without_a_count,
    duck,
)
