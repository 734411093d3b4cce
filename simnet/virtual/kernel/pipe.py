"""Pipes (pipe(7)): two files, and between them a ring of slots with a page each.

Follows fs/pipe.c, and so a program sees what pages do: up to PIPE_BUF bytes are written whole or not at all,
a write goes into the last page if its odd part fits there, and a pipe may be full with far fewer bytes than
it has room for.

Owns both ends.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from ...transport import ERR, HUP, IN, OUT
from .file import DATA, FIONREAD, SPACE, File

if TYPE_CHECKING:
    from ..host import Host

PIPE_BUF = PAGE_BYTES = 4096
SLOTS = 16  # PIPE_DEF_BUFFERS: 64 KiB
SIZE_MAX = 1 << 20  # /proc/sys/fs/pipe-max-size


class Ring:
    """The pages between two ends."""

    __slots__ = ("_pages", "_taken", "slots")

    def __init__(self) -> None:
        self.slots = SLOTS
        self._pages: deque[bytearray] = deque()
        self._taken = 0  # of the first page

    def __len__(self) -> int:
        """How many bytes there are."""
        return sum(map(len, self._pages)) - self._taken

    @property
    def is_empty(self) -> bool:
        return not self._pages

    @property
    def is_full(self) -> bool:
        return len(self._pages) >= self.slots

    def put(self, data: memoryview) -> int:
        """Store what there is room for (pipe_write); how many bytes that was."""
        odd = len(data) % PAGE_BYTES
        stored = 0
        if odd and self._pages and len(self._pages[-1]) + odd <= PAGE_BYTES:
            self._pages[-1] += data[:odd]
            stored = odd
        while stored < len(data) and not self.is_full:
            self._pages.append(bytearray(data[stored : stored + PAGE_BYTES]))
            stored += len(self._pages[-1])
        return stored

    def take(self, size: int) -> bytes:
        """The first `size` bytes, or all if there are fewer."""
        taken = bytearray()
        while self._pages and len(taken) < size:
            page = self._pages[0]
            piece = page[self._taken : self._taken + size - len(taken)]
            taken += piece
            self._taken += len(piece)
            if self._taken == len(page):
                self._pages.popleft()
                self._taken = 0
        return bytes(taken)

    def resize(self, size: int) -> int:
        """F_SETPIPE_SZ: whole pages, a power of two of them; EBUSY if what there is needs more.

        EPERM beyond what programs without privileges may ask for.
        """
        slots = 1
        while slots * PAGE_BYTES < size:
            slots *= 2
        if slots > self.slots and slots * PAGE_BYTES > SIZE_MAX:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        if slots < len(self._pages):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.slots = slots
        return slots * PAGE_BYTES


class PipeEnd(File):
    """One end of a pipe; `other` is None when the last descriptor of the other end is gone."""

    __slots__ = ("_calls", "other", "ring")

    file_type = stat.S_IFIFO | 0o600

    def __init__(self, host: Host, ring: Ring) -> None:
        super().__init__(host)
        self.ring = ring
        self.other: PipeEnd | None = None
        self._calls = 0

    @property
    def touched(self) -> int:
        return self._calls

    @property
    def state_name(self) -> str:
        return "FIFO"

    @property
    def is_over(self) -> bool:
        return self.other is None

    def readable_bytes(self) -> int:
        return len(self.ring)

    def ioctl(self, request: int) -> int:
        return len(self.ring) if request == FIONREAD else super().ioctl(request)

    @property
    def capacity_bytes(self) -> int:
        return self.ring.slots * PAGE_BYTES

    def resize(self, size: int) -> int:
        """Give the pipe another size in bytes; the size that it has then (F_SETPIPE_SZ in fcntl(2))."""
        was_full = self.ring.is_full
        size = self.ring.resize(size)
        if was_full and not self.ring.is_full:
            self._wake_writer()
        return size

    @abstractmethod
    def _wake_writer(self) -> None:
        """There is room again."""

    def close(self) -> None:
        """The other end learns that nobody is left at this one (pipe_release)."""
        self.watchers = ()
        if self.other is not None:
            self.other.other = None
            self.other.wake()

    def vanish(self) -> None:
        self.watchers = ()


class ReadEnd(PipeEnd):
    """The end to read from."""

    __slots__ = ()

    access = os.O_RDONLY

    def poll_mask(self) -> int:
        return (0 if self.ring.is_empty else IN) | (HUP if self.other is None else 0)

    def read(self, size: int) -> bytes:
        """What there is; b"" at the end of the stream, EAGAIN before (pipe_read)."""
        self._calls += 1
        was_full = self.ring.is_full
        data = self.ring.take(size)
        if was_full and not self.ring.is_full:
            self._wake_writer()
        if not data and size and self.other is not None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return data

    def _wake_writer(self) -> None:
        if self.other is not None:
            self.other.wake(SPACE)


class WriteEnd(PipeEnd):
    """The end to write to."""

    __slots__ = ()

    access = os.O_WRONLY

    def poll_mask(self) -> int:
        return (0 if self.ring.is_full else OUT) | (ERR if self.other is None else 0)

    def write(self, data: memoryview) -> int:
        """How many bytes were written; EPIPE if nobody can ever read them, EAGAIN if there is no room."""
        self._calls += 1
        if not data:
            return 0
        if self.other is None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        written = self.ring.put(data)
        self.other.wake(DATA)  # also where nothing was written, as who polls a pipe can tell
        if not written:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return written

    def _wake_writer(self) -> None:
        self.wake(SPACE)


def make_pipe(host: Host, is_nonblocking: bool = False) -> tuple[ReadEnd, WriteEnd]:
    """pipe(2): what is written to the second end can be read from the first."""
    ring = Ring()
    reader, writer = ReadEnd(host, ring), WriteEnd(host, ring)
    reader.other, writer.other = writer, reader
    reader.is_nonblocking = writer.is_nonblocking = is_nonblocking
    return reader, writer
