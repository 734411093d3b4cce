"""Random programs for asyncore and asynchat; see `letter`.

A program is plain values: kinds of channels, each with the moves that its handlers make one after the other,
and steps that are taken from outside, between passes of the loop.  Nothing in it depends on how fast the
kernel is: pieces are small, and what is sent over loopback has arrived when `send` returns.
"""

import errno
import os
import socket
import struct
from itertools import cycle

from hypothesis import strategies as st

from tests.unit.letter import World

ABORTIVE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
ACTORS_MAX = 8
REASONS = ("reset", "again", "badf", "value", "exit", "interrupt")

# --- what a handler does -----------------------------------------------------------------------------


def _reason(world, word):
    codes = {"reset": errno.ECONNRESET, "again": errno.EAGAIN, "badf": errno.EBADF}
    if word in codes:
        return OSError(codes[word], os.strerror(codes[word]))
    return {
        "value": ValueError("a mistake"),
        "exit": world.asyncore.ExitNow("enough"),
        "interrupt": KeyboardInterrupt(),
    }[word]


def _raise(world, channel, word):
    raise _reason(world, word)


MOVES = {
    "recv": lambda world, channel, size: world.note("got", channel.recv(size)),
    "send": lambda world, channel, data: world.note("sent", channel.send(data)),
    "urgent": lambda world, channel, _: world.note(channel.socket.recv(1, socket.MSG_OOB)),
    "close": lambda world, channel, _: channel.close(),
    "leave": lambda world, channel, _: channel.del_channel(),
    "shut down": lambda world, channel, _: channel.socket.shutdown(socket.SHUT_WR),
    "close another": lambda world, channel, number: world.actor(number).close(),
    "nothing": lambda world, channel, _: None,
    "raise": _raise,
    "push": lambda world, channel, data: channel.push(data),
    "close when done": lambda world, channel, _: channel.close_when_done(),
    "discard": lambda world, channel, _: channel.discard_buffers(),
    "terminator": lambda world, channel, terminator: channel.set_terminator(terminator),
}

data = st.lists(st.sampled_from([b"a", b"1", b"\r\n", b"\r", b".", b"\n"]), min_size=1, max_size=8).map(
    b"".join
)
terminators = st.sampled_from([b"\r\n", b"\r\n.\r\n", b".", b"\r", 1, 3, 10, 0, None, b""])
numbers = st.integers(0, ACTORS_MAX - 1)
ARGUMENTS = {
    "recv": st.sampled_from([1, 3, 4096]),
    "send": data,
    "push": data,
    "close another": numbers,
    "raise": st.sampled_from(REASONS),
    "terminator": terminators,
}


def moves(*words, most=3):
    """Moves out of `words`; "inherited" is what the handler does where it is not overridden."""
    move = st.sampled_from(words).flatmap(
        lambda word: st.tuples(st.just(word), ARGUMENTS.get(word, st.none()))
    )
    return st.lists(move, min_size=1, max_size=most)


def kinds(chat):
    anything = ("close", "leave", "nothing", "raise", "close another", "inherited", "inherited")
    events = {
        "connect": moves("send", "nothing", *anything),
        "close": moves("close", "close", *anything),
        "expt": moves("urgent", "urgent", *anything),
        "error": moves("close", "nothing", "inherited", "inherited", "raise"),
    }
    if chat:
        events["found"] = moves("push", "close when done", "terminator", "discard", *anything[:-2], "nothing")
        events["collect"] = moves("nothing", "nothing", "nothing", "raise", "close")
    else:
        events["read"] = moves("recv", "recv", "recv", "send", "shut down", *anything)
        events["write"] = moves("send", "nothing", "recv", *anything)
    return st.fixed_dictionaries(
        {"chat": st.just(chat), "terminator": terminators},
        optional=events
        | {
            "readable": st.lists(st.booleans(), min_size=1, max_size=3),
            "writable": st.lists(st.booleans(), min_size=1, max_size=3),
        },
    )


# --- what happens between passes ---------------------------------------------------------------------


def look(world, channel, _):
    flags = (channel.connected, channel.accepting, channel.connecting, channel.closing)
    world.note("looks", channel, flags, channel._fileno is None, channel in world.map.values())
    world.outcome("asked", of=lambda: (bool(channel.readable()), bool(channel.writable())))
    if hasattr(channel, "ac_in_buffer"):
        world.note(channel.ac_in_buffer, channel.incoming, channel.get_terminator())
        world.note(len(channel.producer_fifo))


def abort(world, channel, _):
    channel.socket.setsockopt(*ABORTIVE)
    channel.close()


def tell_flags(world, channel, flags):
    world.asyncore.readwrite(channel, flags)


def push_producer(world, channel, piece):
    channel.push_with_producer(world.asynchat.simple_producer(piece, 3))


STEPS = {
    "look": (look, st.none()),
    "send": (MOVES["send"], data),
    "send urgent": (lambda world, channel, _: channel.socket.send(b"!", socket.MSG_OOB), st.none()),
    "recv": (MOVES["recv"], ARGUMENTS["recv"]),
    "shut down": (
        lambda world, channel, how: channel.socket.shutdown(how),
        st.sampled_from([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]),
    ),
    "close": (MOVES["close"], st.none()),
    "abort": (abort, st.none()),
    "close the socket": (lambda world, channel, _: channel.socket.close(), st.none()),
    "leave": (MOVES["leave"], st.none()),
    "join": (lambda world, channel, _: channel.add_channel(), st.none()),
    "read": (lambda world, channel, _: world.asyncore.read(channel), st.none()),
    "write": (lambda world, channel, _: world.asyncore.write(channel), st.none()),
    "readwrite": (tell_flags, st.integers(0, 63)),
    "connect again": (lambda world, channel, _: channel.connect(world.address), st.none()),
    "close all": (lambda world, channel, how: world.asyncore.close_all(world.map, how), st.booleans()),
    "another": (lambda world, channel, number: world.join(number), st.integers(0, 2)),
    "push": (MOVES["push"], data),
    "push a producer": (push_producer, data),
    "push a number": (lambda world, channel, _: channel.push(3), st.none()),
    "close when done": (MOVES["close when done"], st.none()),
    "terminator": (MOVES["terminator"], terminators),
    "discard": (MOVES["discard"], st.none()),
}
OFTEN = (*["send"] * 14, *["push"] * 7, "look", "another", "close", "abort", "shut down", "terminator")

step = st.sampled_from([*OFTEN, *STEPS]).flatmap(
    lambda word: st.tuples(
        st.just(word),
        st.sampled_from([1, 2, 1, 2, *range(ACTORS_MAX)]),
        STEPS[word][1],
        st.sampled_from([1, 1, 0, 2]),
    )
)
programs = st.fixed_dictionaries(
    {
        "kinds": st.tuples(kinds(False), kinds(True), st.booleans().flatmap(kinds)),
        "listener": st.sampled_from([(), (("inherited", None),), (("raise", "value"), ("inherited", None))]),
        "begin": st.lists(st.integers(0, 2), min_size=1, max_size=2),
        "steps": st.lists(step, min_size=3, max_size=14),
    }
)


class RandomWorld(World):
    """A world with a listener; whoever connects and whoever is accepted is an actor, by number."""

    def set_up(self, program):
        self.actors, self.joined = [], 0
        self.kinds = [self._kind(f"kind{number}", **spec) for number, spec in enumerate(program["kinds"])]
        own = {"accepted": self._accepted}
        if program["listener"]:
            own["accept"] = self._mover("listener", self.asyncore.dispatcher, "accept", program["listener"])
        self.listener, self.address = self.listen(self.kind("listener", **own))
        self.actors.append(self.listener)

    def actor(self, number):
        return self.actors[number % len(self.actors)]

    def join(self, number):
        """One more client."""
        if len(self.actors) < ACTORS_MAX:
            channel = self.open(self.kinds[number])
            self.actors.append(channel)
            channel.connect(self.address)

    def _accepted(self, listener, sock, address):
        self.keep(sock)
        self.joined += 1
        self.actors.append(self.kinds[self.joined % len(self.kinds)](sock, self.map))

    def _mover(self, name, base, event, given):
        """A handler that makes the moves given, and then again from the first."""
        turns = cycle(given)

        def handler(channel, *args):
            word, argument = next(turns)
            if word == "inherited":
                return getattr(base, f"handle_{event}")(channel, *args)
            self.note(name, event, "does", word)
            return MOVES[word](self, channel, argument)

        return handler

    @staticmethod
    def _answers(given):
        turns = cycle(given)
        return lambda channel: next(turns)

    def _kind(self, name, chat, terminator, **spec):
        base = self.asynchat.async_chat if chat else self.asyncore.dispatcher
        own = {}
        for event, given in spec.items():
            if event in ("readable", "writable"):
                own[event] = self._answers(given)
            elif event not in ("found", "collect"):
                own[event] = self._mover(name, base, event, given)
        if chat:
            found = self._mover(name, base, "found", spec.get("found", [("nothing", None)]))
            collect = self._mover(name, base, "collect", spec.get("collect", [("nothing", None)]))

            def collect_incoming_data(channel, piece):
                self.note(name, "collects", piece)
                collect(channel)

            own |= {"collect_incoming_data": collect_incoming_data, "found_terminator": found}
            own["terminator"] = terminator
        return self.kind(name, base, **own)


def random_notes(modules, program, use_poll):
    """What a random program notes."""
    with RandomWorld(modules, use_poll) as world:
        world.set_up(program)
        for number in program["begin"]:
            world.outcome("joins", of=lambda number=number: world.join(number))
        world.once(0)
        world.once(0)
        for word, number, argument, passes in program["steps"]:
            take, _ = STEPS[word]
            channel = world.actor(number)
            world.outcome(
                "step",
                word,
                number,
                of=lambda take=take, channel=channel, argument=argument: take(world, channel, argument),
            )
            for _ in range(passes):
                world.once(0)
        for channel in world.actors:
            look(world, channel, None)
    return world.noted
