"""The descriptors of a host: the lowest free number first, and the file behind each.

They are small numbers until a process runs on the host.  In a process they come into the hands of code that
knows nothing of a host, such as a file object made in C, which closes its number when the garbage collector
finds it.  What is no descriptor of this computer whatever happens can neither close nor read one of its own:
so from then on numbers begin at a `base` above all that this computer can have.

Owns numbers and limits.  What a file does is the business of its kind.
"""

from __future__ import annotations

import errno
import os
from heapq import heapify, heappop, heappush
from typing import Protocol
from weakref import ref

from ...garbage import collector
from ...transport import HOSTED
from .file import File

DESCRIPTORS_MAX = 1024  # RLIMIT_NOFILE, as most systems set it
FIRST = 3  # 0, 1 and 2 are the standard streams

_TABLE, _TABLES = 100_000, 1_400
"""So many numbers for each table, and so many tables before the first numbers are used again: what the
programs of one host, or those before a crash, have left behind closes nothing of another."""


class Holder(Protocol):
    """An object of the program that has a descriptor and knows the file behind it."""

    def lose_descriptor(self, fd: int) -> None:
        """The descriptor was closed by somebody else, and may become another file's."""

    def outlive_process(self, fd: int) -> None:
        """The process that had the descriptor has ended; the object is one of a closed file."""


class Descriptors:
    """The table of one host, from one start of it to the next."""

    __slots__ = (
        *("_files", "_free", "_holders", "_inheritable", "_next", "_owners"),
        *("base", "is_gone", "limit", "system_limit"),
    )

    def __init__(self, limit: int = DESCRIPTORS_MAX, system_limit: int | None = None) -> None:
        self.limit = limit
        self.base = 0
        self.system_limit = system_limit
        self.is_gone = False  # the host has crashed: to close a descriptor of it means nothing
        self._files: dict[int, File] = {}
        self._free: list[int] = []  # below _next
        self._next = FIRST
        self._inheritable: set[int] = set()
        self._holders: dict[int, tuple[ref[Holder], ...]] = {}
        self._owners: dict[int, object] = {}  # the processes that have opened them

    def count_from(self, nth: int) -> None:
        """From now on numbers are above all that this computer can have, as the `nth` table of a network."""
        self.base = HOSTED + nth % _TABLES * _TABLE
        self._free, self._next = [], self.base + FIRST

    def is_foreign(self, fd: int) -> bool:
        """Whether it is a number of another host, or of an earlier life of this one."""
        return fd >= HOSTED and not 0 <= fd - self.base < _TABLE

    def check(self) -> None:
        """Raise OSError: EMFILE if the process has no descriptor left, ENFILE if the host has none."""
        if (self._free[0] if self._free else self._next) - self.base >= self.limit:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if self.system_limit is not None and len(self._files) >= self.system_limit:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    def open(self, file: File) -> int:
        """The lowest free descriptor, as POSIX demands."""
        if self._free:
            fd = heappop(self._free)
        else:
            fd, self._next = self._next, self._next + 1
        self._files[fd] = file
        file.references += 1
        if self.base:
            self._note_owner(fd, file)
        return fd

    def _note_owner(self, fd: int, file: File) -> None:
        process = file.net.process
        if process is not None:
            self._owners[fd] = process.leader

    def open_both(self, first: File, second: File) -> tuple[int, int]:
        """Two files that come into being together, or not at all."""
        self.check()
        fd = self.open(first)
        try:
            self.check()
        except OSError:
            self.close(fd)
            raise
        return fd, self.open(second)

    def open_at(self, file: File, fd: int) -> None:
        """Under a number that the program chose; whatever was there is closed (dup2(2))."""
        if 0 <= fd < self.base:
            raise NotImplementedError(f"dup2() to {fd}, which is a number of this computer, is not simulated")
        if not 0 <= fd - self.base < self.limit:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        file.hold()  # first: what is closed may be the same file
        if fd in self._files:
            self.close(fd)
        if fd in self._free:
            self._free.remove(fd)
            heapify(self._free)
        while self._next <= fd:
            if self._next != fd:
                heappush(self._free, self._next)
            self._next += 1
        self._files[fd] = file
        if self.base:
            self._note_owner(fd, file)

    def open_from(self, file: File, lowest: int) -> int:
        """The lowest free descriptor from `lowest` on (F_DUPFD in fcntl(2))."""
        if lowest >= HOSTED:
            lowest -= self.base
        if not 0 <= lowest < self.limit:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fd = self.base + max(lowest, FIRST)
        while fd in self._files:
            fd += 1
        if fd - self.base >= self.limit:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.open_at(file, fd)
        return fd

    def duplicate(self, fd: int) -> int:
        """One more descriptor of the file behind `fd` (dup(2))."""
        file = self.of(fd)
        self.check()
        return self.open(file)

    def close(self, fd: int, closer: Holder | None = None) -> None:
        """close(2); every holder but the one who closes is told."""
        if collector.is_at_work and self.base and fd in self._files:
            collector.leave(self, fd)
            return
        file = self._files.pop(fd, None)
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        for reference in self._holders.pop(fd, ()):
            holder = reference()
            if holder is not None and holder is not closer:
                holder.lose_descriptor(fd)
        self._inheritable.discard(fd)
        if fd >= self.base:
            heappush(self._free, fd)
        self._owners.pop(fd, None)
        file.drop()

    def close_those_of(self, process: object) -> None:
        """What the kernel does for a process that has ended: close what it has opened, the lowest first."""
        for fd in sorted(fd for fd, owner in self._owners.items() if owner is process):
            for reference in self._holders.pop(fd, ()):
                if (holder := reference()) is not None:
                    holder.outlive_process(fd)
            self.close(fd)

    def hold(self, fd: int, holder: Holder) -> None:
        """Tell `holder` if somebody else closes `fd`."""
        holders = self._holders
        holders[fd] = (*holders[fd], ref(holder)) if fd in holders else (ref(holder),)

    def get(self, fd: int) -> File | None:
        """The file behind `fd`."""
        return self._files.get(fd)

    def of(self, fd: int) -> File:
        """The file behind `fd`, or OSError(EBADF)."""
        file = self._files.get(fd)
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return file

    def items(self) -> list[tuple[int, File]]:
        """Descriptors and files, in order of descriptors."""
        return sorted(self._files.items())

    def is_inheritable(self, fd: int) -> bool:
        """Whether a program that is executed would get it: Python opens none that is (PEP 446)."""
        self.of(fd)
        return fd in self._inheritable

    def set_inheritable(self, fd: int, flag: bool) -> None:
        self.of(fd)
        (self._inheritable.add if flag else self._inheritable.discard)(fd)

    def vanish(self) -> None:
        """The host crashed, and its files have vanished."""
        self._files.clear()
        self._owners.clear()
        self.is_gone = True
