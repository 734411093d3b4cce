"""A receive buffer: bytes in the order they came, taken in any amount."""

from __future__ import annotations

from collections import deque


class ByteQueue:
    """A FIFO of bytes that never copies what fits: whole pieces go out as the objects that came in."""

    __slots__ = ("_pieces", "_skip", "size")

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = deque(pieces)
        self._skip = 0  # bytes of the first piece that are taken already
        self.size = sum(map(len, pieces))

    def __len__(self) -> int:
        return self.size

    def append(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)

    def take(self, count: int) -> bytes:
        """Remove and return the first `count` bytes, or all if there are fewer."""
        pieces, skip = self._pieces, self._skip
        taken = []
        want = min(count, self.size)
        self.size -= want
        while want:
            piece = pieces[0]
            rest = len(piece) - skip
            if rest > want:
                taken.append(piece[skip : skip + want])
                skip += want
                break
            taken.append(piece[skip:] if skip else piece)
            pieces.popleft()
            want -= rest
            skip = 0
        self._skip = skip
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def peek(self, count: int) -> bytes:
        """The first `count` bytes, left where they are."""
        parts, skip, want = [], self._skip, min(count, self.size)
        for piece in self._pieces:
            if want <= 0:
                break
            parts.append(piece[skip : skip + want])
            want -= len(parts[-1])
            skip = 0
        return b"".join(parts)


def flip(data: bytes, bit: int) -> bytes:
    """`data` with one bit the other way round; bit 0 is the lowest of the first byte."""
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
