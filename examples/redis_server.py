"""A small Redis server: the protocol is `resp`'s, the data `redis_store`'s, everything else is a dispatcher.

``python -m examples.redis_server 6379`` serves on this computer; on a virtual host the same classes serve a
test, and redis-py in a process of another host is its client.  It knows strings and lists that expire,
pipelines, transactions (MULTI), publish and subscribe, and BLPOP, which waits for an item.

What it guards against:

* requests without end: `resp` has a limit for each part;
* a client that asks and does not read: above `OUTPUT_BYTES_MAX` it is neither read nor obeyed further;
* a subscriber that does not read: above `PUSHED_BYTES_MAX` its connection is closed;
* a client that goes while it waits for an item: it waits no more, and the next one gets the item.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Any

from examples.listener import Listener
from examples.redis_store import SYNTAX, Commands, Refused, Store, integer
from examples.resp import OK, Failure, NoArray, ProtocolError, Push, Reply, Requests, Several, Status, encode
from simnet import Timer, Transport, current, dispatcher_with_send, loop
from simnet.transport import Address

PORT = 6379
OUTPUT_BYTES_MAX = 1 << 16
INPUT_BYTES_MAX = 1 << 22
PUSHED_BYTES_MAX = 1 << 20
_RECV_BYTES = 1 << 16
_WHILE_SUBSCRIBED = {b"SUBSCRIBE", b"UNSUBSCRIBE", b"PING", b"QUIT"}
_NEVER_QUEUED = {b"MULTI", b"EXEC", b"DISCARD", b"QUIT"}


class Server(Listener):
    """Serves one `Store` at `address`.  Arguments as for `Listener`."""

    def __init__(self, address: Address, transport: Transport | None = None) -> None:
        machine = transport or current()
        super().__init__(address, lambda sock: Session(sock, self, machine), machine)
        self.store = Store(machine.clock)
        self.subscribers: dict[bytes, dict[Session, None]] = {}
        self.waiting: dict[Session, None] = {}
        self.sessions = 0

    def publish(self, channel: bytes, message: bytes) -> int:
        """Tell all who have subscribed; how many that are."""
        subscribers = list(self.subscribers.get(channel, ()))
        for session in subscribers:
            session.push(b"message", channel, message)
        return len(subscribers)

    def serve_waiting(self) -> None:
        """Give what was pushed to those who wait for it, who waits longest first."""
        pushed = self.store.pushed
        while pushed:
            key = pushed.pop(0)
            for session in [each for each in self.waiting if key in each.awaited]:
                item = self.store.pop_left(key)
                if item is None:
                    break
                session.go_on([key, item])


class Session(dispatcher_with_send):
    """One client."""

    commands = Commands()

    def __init__(self, sock: Any, server: Server, transport: Transport) -> None:
        super().__init__(sock, transport=transport)
        self.server = server
        server.sessions += 1
        self.number = server.sessions
        self.awaited: tuple[bytes, ...] = ()
        self._version, self._client_name = 2, b""
        self._requests = Requests()
        self._channels: dict[bytes, None] = {}
        self._queued: list[list[bytes]] | None = None  # from MULTI to EXEC
        self._may_wait, self._is_leaving = True, False
        self._timer: Timer | None = None

    # --- events ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        return len(self.out_buffer) < OUTPUT_BYTES_MAX and len(self._requests) < INPUT_BYTES_MAX

    def handle_read(self) -> None:
        self._requests.feed(self.recv(_RECV_BYTES))
        self._serve()

    def handle_write(self) -> None:
        super().handle_write()
        self._serve()

    def handle_close(self) -> None:
        self.close()

    def close(self) -> None:
        self._is_leaving = True
        self._wait_no_more()
        for channel in list(self._channels):
            self._leave(channel)
        super().close()

    # --- requests --------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Obey what has come whole, until it waits, or does not read what it is answered."""
        while not self.awaited and not self._is_leaving and len(self.out_buffer) < OUTPUT_BYTES_MAX:
            try:
                request = self._requests.take()
            except ProtocolError as error:
                self._is_leaving = True
                self._reply(Failure(f"ERR {error}"))
                break
            if request is None:
                break
            self._reply(self._answer(request))
            self.server.serve_waiting()
        if self._is_leaving and not self.out_buffer:
            self.close()

    def _reply(self, reply: Reply) -> None:
        data = encode(reply, self._version)
        if data:
            self.send(data)

    def _answer(self, request: list[bytes]) -> Reply:
        name = request[0].upper()
        if self._queued is not None and name not in _NEVER_QUEUED:
            self._queued.append(request)
            return Status("QUEUED")
        if self._channels and self._version == 2 and name not in _WHILE_SUBSCRIBED:
            return Failure(f"ERR Can't execute '{name.decode('latin-1').lower()}' while subscribed")
        if name in self.commands:
            return self.commands.call(self, request)
        return self.server.store.commands.call(self.server.store, request)

    # --- the connection --------------------------------------------------------------------------

    @commands.named("PING")
    def ping(self, message: bytes | None = None) -> Reply:
        if self._channels and self._version == 2:
            return [b"pong", message or b""]
        return Status("PONG") if message is None else message

    @commands.named("ECHO")
    def echo(self, message: bytes) -> Reply:
        return message

    @commands.named("HELLO")
    def hello(self, version: bytes = b"2", *options: bytes) -> Reply:
        """Options: SETNAME name.  Whoever has no password to give is welcome."""
        if version not in (b"2", b"3"):
            return Failure("NOPROTO unsupported protocol version")
        if options:
            if len(options) != 2 or options[0].upper() != b"SETNAME":
                return Failure(SYNTAX)
            self._client_name = options[1]
        self._version = int(version)
        return {
            **{b"server": b"redis", b"version": b"0.1.0", b"proto": self._version, b"id": self.number},
            **{b"mode": b"standalone", b"role": b"master", b"modules": []},
        }

    @commands.named("CLIENT")
    def client(self, about: bytes, *arguments: bytes) -> Reply:
        match about.upper(), arguments:
            case b"ID", ():
                return self.number
            case b"GETNAME", ():
                return self._client_name or None
            case b"SETNAME", (name,):
                self._client_name = name
                return OK
            case b"SETINFO", (_, _):
                return OK
            case _:
                return Failure(f"ERR unknown subcommand '{about.decode('utf-8', 'replace')}'")

    @commands.named("SELECT")
    def select(self, number: bytes) -> Reply:
        return OK if integer(number) == 0 else Failure("ERR DB index is out of range")

    @commands.named("QUIT")
    def quit(self) -> Reply:
        self._is_leaving = True
        return OK

    # --- transactions ----------------------------------------------------------------------------

    @commands.named("MULTI")
    def begin(self) -> Reply:
        if self._queued is not None:
            return Failure("ERR MULTI calls can not be nested")
        self._queued = []
        return OK

    @commands.named("DISCARD")
    def discard(self) -> Reply:
        if self._queued is None:
            return Failure("ERR DISCARD without MULTI")
        self._queued = None
        return OK

    @commands.named("EXEC")
    def execute(self) -> Reply:
        """One after the other, with nobody in between; nothing waits there."""
        if self._queued is None:
            return Failure("ERR EXEC without MULTI")
        requests, self._queued, self._may_wait = self._queued, None, False
        replies = [self._answer(request) for request in requests]
        self._may_wait = True
        return replies

    # --- waiting ---------------------------------------------------------------------------------

    @commands.named("BLPOP")
    def pop_or_wait(self, key: bytes, *more: bytes) -> Reply:
        """The first item of the first of these lists that has one; the last argument is a number of seconds,
        0 for ever."""
        if not more:
            return Failure("ERR wrong number of arguments for 'blpop' command")
        *keys, timeout = (key, *more)
        seconds = _seconds(timeout)
        for each in keys:
            item = self.server.store.pop_left(each)
            if item is not None:
                return [each, item]
        if not self._may_wait:
            return NoArray()
        self.awaited = tuple(keys)
        self.server.waiting[self] = None
        if seconds:
            self._timer = self.call_later(seconds, self.go_on, NoArray())
        return Several()

    def go_on(self, reply: Reply) -> None:
        """What it waited for has come, or its time is over."""
        self._wait_no_more()
        self._reply(reply)
        self._serve()

    def _wait_no_more(self) -> None:
        self.awaited = ()
        self.server.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()

    # --- publish and subscribe -------------------------------------------------------------------

    @commands.named("PUBLISH")
    def publish(self, channel: bytes, message: bytes) -> Reply:
        return self.server.publish(channel, message)

    @commands.named("SUBSCRIBE")
    def subscribe(self, channel: bytes, *more: bytes) -> Reply:
        replies = []
        for each in (channel, *more):
            self._channels[each] = None
            self.server.subscribers.setdefault(each, {})[self] = None
            replies.append(Push([b"subscribe", each, len(self._channels)]))
        return Several(replies)

    @commands.named("UNSUBSCRIBE")
    def unsubscribe(self, *channels: bytes) -> Reply:
        replies = []
        for each in channels or tuple(self._channels):
            self._leave(each)
            replies.append(Push([b"unsubscribe", each, len(self._channels)]))
        return Several(replies or [Push([b"unsubscribe", None, 0])])

    def _leave(self, channel: bytes) -> None:
        if channel in self._channels:
            del self._channels[channel]
            del self.server.subscribers[channel][self]

    def push(self, *items: bytes) -> None:
        """Tell it what it has not asked for just now."""
        if len(self.out_buffer) > PUSHED_BYTES_MAX:
            self.close()
        else:
            self._reply(Push(items))


def _seconds(argument: bytes) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        raise Refused("ERR timeout is not a float or out of range") from None
    if not 0 <= seconds < 1e9:
        raise Refused("ERR timeout is not a float or out of range")
    return seconds


def main() -> None:
    """Serve on this computer until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.redis_server", description="Serve Redis.")
    parser.add_argument("port", type=int, nargs="?", default=PORT, help="0 takes a free one; default 6379")
    server = Server(("", parser.parse_args().port))
    print(f"serving Redis on port {server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        loop()


if __name__ == "__main__":
    main()
