"""RESP, the protocol of Redis, versions 2 and 3: requests out of a stream of bytes, and replies into bytes.

A request is an array of bulk strings, or a line of words (an inline command, for people with a terminal).  A
stream may come in any pieces: what is not there whole yet is kept.  The specification is
redis.io/docs/latest/develop/reference/protocol-spec.

Owns the format.  What a request means is no matter of this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

LINE_BYTES_MAX = 1 << 16
ARGUMENTS_MAX = 1 << 10
BULK_BYTES_MAX = 1 << 20
_END = b"\r\n"


@attrs.frozen
class Status:
    """A simple string, such as OK."""

    text: str


@attrs.frozen
class Failure:
    """An error: a word in capitals, and what is wrong."""

    text: str


@attrs.frozen
class Push:
    """What nobody has asked for just now; before version 3 an array like any other."""

    items: Sequence[Reply]


@attrs.frozen
class Several:
    """Replies one after the other; without any, the reply comes later."""

    replies: Sequence[Reply] = ()


@attrs.frozen
class NoArray:
    """There is none; before version 3 another thing than `None`, there is no string."""


_Compound: TypeAlias = "Sequence[Reply] | Mapping[bytes, Reply]"
Reply: TypeAlias = "Status | Failure | Push | Several | NoArray | int | bytes | _Compound | None"

OK = Status("OK")


def encode(reply: Reply, version: int = 2) -> bytes:
    """The bytes of a reply in a version of the protocol, 2 or 3."""
    match reply:
        case Status(text):
            return f"+{text}".encode() + _END
        case Failure(text):
            return f"-{text}".encode() + _END
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(reply), reply)
        case None | NoArray():
            return b"_\r\n" if version == 3 else b"$-1\r\n" if reply is None else b"*-1\r\n"
        case Several(replies):
            return b"".join(encode(each, version) for each in replies)
        case Push(items):
            return _several(b">" if version == 3 else b"*", len(items), items, version)
        case Mapping():
            flat = [part for pair in reply.items() for part in pair]
            head, count = (b"%", len(reply)) if version == 3 else (b"*", len(flat))
            return _several(head, count, flat, version)
        case _:
            return _several(b"*", len(reply), reply, version)


def _several(head: bytes, count: int, items: Sequence[Reply], version: int) -> bytes:
    return b"%s%d\r\n" % (head, count) + b"".join(encode(item, version) for item in items)


class ProtocolError(Exception):
    """The stream is no RESP from here on; its text is for the client."""


class Requests:
    """The whole requests of a stream, each a list of arguments, as bytes come in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0  # arguments of the request that is not whole yet
        self._arguments: list[bytes] = []
        self._size: int | None = None  # of the argument that comes next, once that is known

    def __len__(self) -> int:
        """How many bytes wait to become a request."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def __iter__(self) -> Iterator[list[bytes]]:
        """Take out what is whole.  Raises ProtocolError at what is no request."""
        while (request := self.take()) is not None:
            yield request

    def take(self) -> list[bytes] | None:
        """The next request; None if it is not there whole.  Raises as iteration does."""
        while not self._left:
            line = self._line()
            if line is None:
                return None
            if not line.startswith(b"*"):
                if words := line.split():
                    return words
            else:
                self._left = _number(line[1:], ARGUMENTS_MAX, "invalid multibulk length")
        while self._left:
            argument = self._argument()
            if argument is None:
                return None
            self._arguments.append(argument)
            self._left -= 1
        request, self._arguments = self._arguments, []
        return request

    def _argument(self) -> bytes | None:
        if self._size is None:
            line = self._line()
            if line is None:
                return None
            if not line.startswith(b"$"):
                raise ProtocolError(f"Protocol error: expected '$', got '{line[:1].decode('latin-1')}'")
            self._size = _number(line[1:], BULK_BYTES_MAX, "invalid bulk length")
        size = self._size
        if len(self._buffer) < size + len(_END):
            return None
        argument, end = bytes(self._buffer[:size]), self._buffer[size : size + len(_END)]
        if end != _END:
            raise ProtocolError("Protocol error: an argument does not end where it should")
        del self._buffer[: size + len(_END)]
        self._size = None
        return argument

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", 0, LINE_BYTES_MAX)
        if end < 0:
            if len(self._buffer) >= LINE_BYTES_MAX:
                raise ProtocolError("Protocol error: too big inline request")
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line


def _number(digits: bytes, at_most: int, complaint: str) -> int:
    if not digits.isdigit() or int(digits) > at_most:
        raise ProtocolError(f"Protocol error: {complaint}")
    return int(digits)
