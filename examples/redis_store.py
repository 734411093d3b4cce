"""What a Redis server keeps, strings and lists that may expire, and its commands on them.

Each command is a method of `Store`: its parameters are the arguments, so that how many there may be is said
by its signature, and what it returns is the reply.  Texts of errors are those of Redis, which clients match.

Owns the data of one server.  Does not own connections, nor what waits for data (`redis_server`).
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from examples.resp import OK, Failure, Reply, Status
from simnet.transport import Clock
from simnet.units import SECOND_NS

_MS_NS = 1_000_000
_INTEGER_MAX = (1 << 63) - 1


class Refused(Exception):
    """What is asked for makes no sense; its text is the reply."""


NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"


@attrs.frozen
class Command:
    """A method, with how many arguments it takes."""

    method: Callable[..., Reply]
    least: int
    most: int | None

    @classmethod
    def of(cls, method: Callable[..., Reply]) -> Command:
        parameters = list(inspect.signature(method).parameters.values())[1:]
        several = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        named = [each for each in parameters if each.kind is not each.VAR_POSITIONAL]
        least = sum(each.default is each.empty for each in named)
        return cls(method, least, None if several else len(named))

    def accepts(self, arguments: Sequence[bytes]) -> bool:
        return self.least <= len(arguments) and (self.most is None or len(arguments) <= self.most)


_Method = TypeVar("_Method", bound=Callable[..., Reply])


class Commands:
    """Methods by the names that clients call them by."""

    def __init__(self) -> None:
        self._known: dict[bytes, Command] = {}

    def named(self, name: str) -> Callable[[_Method], _Method]:
        def keep(method: _Method) -> _Method:
            self._known[name.encode()] = Command.of(method)
            return method

        return keep

    def __contains__(self, name: bytes) -> bool:
        return name.upper() in self._known

    def call(self, owner: object, request: Sequence[bytes]) -> Reply:
        """What `owner`'s method answers; a `Failure` if there is none, or it takes no such arguments."""
        name, *arguments = request
        shown = name.decode("utf-8", "replace")
        command = self._known.get(name.upper())
        if command is None:
            return Failure(f"ERR unknown command '{shown}'")
        if not command.accepts(arguments):
            return Failure(f"ERR wrong number of arguments for '{shown.lower()}' command")
        try:
            return command.method(owner, *arguments)
        except Refused as refusal:
            return Failure(str(refusal))


def integer(argument: bytes) -> int:
    """A decimal number of 64 bits.  Raises Refused."""
    digits = argument.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20 or not -_INTEGER_MAX - 1 <= int(argument) <= _INTEGER_MAX:
        raise Refused(NOT_AN_INTEGER)
    return int(argument)


class Store:
    """Strings and lists by their keys; `clock` tells when they expire."""

    commands = Commands()

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[bytes, bytes | deque[bytes]] = {}
        self._deadlines_ns: dict[bytes, int] = {}
        self.pushed: list[bytes] = []
        """Keys of lists that have got longer; whoever serves those who wait empties it."""

    # --- keys ------------------------------------------------------------------------------------

    def _value(self, key: bytes) -> bytes | deque[bytes] | None:
        deadline_ns = self._deadlines_ns.get(key)
        if deadline_ns is not None and deadline_ns <= self._clock.monotonic_ns():
            self._drop(key)
        return self._values.get(key)

    def _drop(self, key: bytes) -> bool:
        self._deadlines_ns.pop(key, None)
        return self._values.pop(key, None) is not None

    @commands.named("DEL")
    def delete(self, key: bytes, *more: bytes) -> Reply:
        return sum(self._value(each) is not None and self._drop(each) for each in (key, *more))

    @commands.named("EXISTS")
    def exists(self, key: bytes, *more: bytes) -> Reply:
        return sum(self._value(each) is not None for each in (key, *more))

    @commands.named("TYPE")
    def type_of(self, key: bytes) -> Reply:
        value = self._value(key)
        return Status("none" if value is None else "string" if isinstance(value, bytes) else "list")

    @commands.named("DBSIZE")
    def size(self) -> Reply:
        return sum(self._value(key) is not None for key in list(self._values))

    @commands.named("FLUSHALL")
    def clear(self) -> Reply:
        self._values.clear()
        self._deadlines_ns.clear()
        return OK

    # --- expiry ----------------------------------------------------------------------------------

    @commands.named("EXPIRE")
    def expire(self, key: bytes, seconds: bytes) -> Reply:
        return self._expire(key, integer(seconds) * SECOND_NS)

    @commands.named("PEXPIRE")
    def expire_ms(self, key: bytes, milliseconds: bytes) -> Reply:
        return self._expire(key, integer(milliseconds) * _MS_NS)

    def _expire(self, key: bytes, delay_ns: int) -> int:
        if self._value(key) is None:
            return 0
        if delay_ns > 0:
            self._deadlines_ns[key] = self._clock.monotonic_ns() + delay_ns
        else:
            self._drop(key)
        return 1

    @commands.named("PERSIST")
    def persist(self, key: bytes) -> Reply:
        return int(self._value(key) is not None and self._deadlines_ns.pop(key, None) is not None)

    @commands.named("TTL")
    def seconds_left(self, key: bytes) -> Reply:
        left_ns = self._left_ns(key)
        return left_ns if left_ns < 0 else (left_ns + SECOND_NS // 2) // SECOND_NS

    @commands.named("PTTL")
    def milliseconds_left(self, key: bytes) -> Reply:
        left_ns = self._left_ns(key)
        return left_ns if left_ns < 0 else left_ns // _MS_NS

    def _left_ns(self, key: bytes) -> int:
        """-1 if it does not expire, and -2 if there is none."""
        if self._value(key) is None:
            return -2
        deadline_ns = self._deadlines_ns.get(key)
        return -1 if deadline_ns is None else deadline_ns - self._clock.monotonic_ns()

    # --- strings ---------------------------------------------------------------------------------

    def _string(self, key: bytes) -> bytes | None:
        value = self._value(key)
        if isinstance(value, deque):
            raise Refused(WRONG_TYPE)
        return value

    @commands.named("GET")
    def get(self, key: bytes) -> Reply:
        return self._string(key)

    @commands.named("MGET")
    def get_several(self, key: bytes, *more: bytes) -> Reply:
        values = (self._value(each) for each in (key, *more))
        return [value if isinstance(value, bytes) else None for value in values]

    @commands.named("SET")
    def set(self, key: bytes, value: bytes, *options: bytes) -> Reply:
        """Options: EX seconds, PX milliseconds, NX, XX."""
        waiting, delay_ns, there = list(options), 0, self._value(key) is not None
        while waiting:
            option = waiting.pop(0).upper()
            if option in (b"EX", b"PX") and waiting and not delay_ns:
                delay_ns = integer(waiting.pop(0)) * (SECOND_NS if option == b"EX" else _MS_NS)
                if delay_ns <= 0:
                    raise Refused("ERR invalid expire time in 'set' command")
            elif option not in (b"NX", b"XX"):
                raise Refused(SYNTAX)
            elif there is (option == b"NX"):
                return None
        self._drop(key)
        self._values[key] = value
        if delay_ns:
            self._expire(key, delay_ns)
        return OK

    @commands.named("INCR")
    def increment(self, key: bytes) -> Reply:
        return self._add(key, 1)

    @commands.named("DECR")
    def decrement(self, key: bytes) -> Reply:
        return self._add(key, -1)

    @commands.named("INCRBY")
    def increment_by(self, key: bytes, amount: bytes) -> Reply:
        return self._add(key, integer(amount))

    @commands.named("DECRBY")
    def decrement_by(self, key: bytes, amount: bytes) -> Reply:
        return self._add(key, -integer(amount))

    def _add(self, key: bytes, amount: int) -> int:
        total = integer(self._string(key) or b"0") + amount
        if abs(total) > _INTEGER_MAX:
            raise Refused("ERR increment or decrement would overflow")
        self._values[key] = b"%d" % total
        return total

    # --- lists -----------------------------------------------------------------------------------

    def _list(self, key: bytes) -> deque[bytes]:
        value = self._value(key)
        if isinstance(value, bytes):
            raise Refused(WRONG_TYPE)
        return deque() if value is None else value

    @commands.named("RPUSH")
    def push_right(self, key: bytes, item: bytes, *more: bytes) -> Reply:
        return self._push(key, self._list(key), (item, *more), deque.append)

    @commands.named("LPUSH")
    def push_left(self, key: bytes, item: bytes, *more: bytes) -> Reply:
        return self._push(key, self._list(key), (item, *more), deque.appendleft)

    def _push(
        self,
        key: bytes,
        items: deque[bytes],
        new: Sequence[bytes],
        push: Callable[[deque[bytes], bytes], None],
    ) -> int:
        for item in new:
            push(items, item)
        self._values[key] = items
        self.pushed.append(key)
        return len(items)

    @commands.named("LPOP")
    def pop_left(self, key: bytes) -> bytes | None:
        return self._pop(key, deque.popleft)

    @commands.named("RPOP")
    def pop_right(self, key: bytes) -> bytes | None:
        return self._pop(key, deque.pop)

    def _pop(self, key: bytes, pop: Callable[[deque[bytes]], bytes]) -> bytes | None:
        items = self._list(key)
        if not items:
            return None
        item = pop(items)
        if not items:
            self._drop(key)
        return item

    @commands.named("LLEN")
    def length(self, key: bytes) -> Reply:
        return len(self._list(key))

    @commands.named("LRANGE")
    def range(self, key: bytes, first: bytes, last: bytes) -> Reply:
        items = list(self._list(key))
        begin, end = (
            index if index >= 0 else max(index + len(items), -1) for index in map(integer, (first, last))
        )
        return items[max(begin, 0) : end + 1]
