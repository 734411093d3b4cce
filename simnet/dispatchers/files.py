"""A dispatcher of a file: pipes, FIFOs, terminals, whatever has a descriptor and is no socket.

As asyncore's, it reads and writes a duplicate: the descriptor that it was given stays the program's, who
closes it.  Whoever forgets to, keeps a pipe open, and its other end waits for an end that never comes.

* The end of a pipe, when the last writer is gone, is told as that of a connection: `recv` returns b"" and
  calls `handle_close`.
* The writing end of a pipe is told at once by `handle_close` when the last reader is gone, also while it has
  nothing to write.
* A regular file is ready always, as select(2) and poll(2) say.  A channel that neither reads it to its end
  nor closes makes its loop spin.

Owns the file in the shape of a socket.  Everything else is the dispatcher's.
"""

from __future__ import annotations

import fcntl
import os as std
from typing import Any

from ..transport import Transport
from .dispatcher import dispatcher

_ACCESS = std.O_RDONLY | std.O_WRONLY | std.O_RDWR


class file_wrapper:
    """A duplicate of a descriptor, with the methods of a socket that dispatchers use.

    Args:
        fd: an open descriptor of the machine.
        modules: the machine's modules (`Transport.modules`).

    Raises OSError(EBADF) if it is not open.
    """

    def __init__(self, fd: int, modules: Any) -> None:
        self._os = modules.os
        self.fd: int = self._os.dup(fd)
        self.is_write_only = modules.fcntl.fcntl(self.fd, fcntl.F_GETFL) & _ACCESS == std.O_WRONLY

    def __repr__(self) -> str:
        return f"<file_wrapper fd={self.fd}>"

    def fileno(self) -> int:
        return self.fd

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        return self._os.read(self.fd, size)  # type: ignore[no-any-return]

    def send(self, data: Any, flags: int = 0, /) -> int:
        return self._os.write(self.fd, data)  # type: ignore[no-any-return]

    read, write = recv, send

    def setblocking(self, flag: bool, /) -> None:
        """For the file, which the descriptor that was duplicated shares (dup(2))."""
        self._os.set_blocking(self.fd, flag)

    def getsockopt(self, level: int, option: int, /) -> int:
        """A file has no option but the error that waits (SO_ERROR), and no error waits."""
        return 0

    def close(self) -> None:
        """Close the duplicate.  A second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            self._os.close(fd)


class file_dispatcher(dispatcher):
    """A file with handlers.

    Args:
        fd: a descriptor, or anything with a `fileno`; it is duplicated, and becomes non-blocking.
        map: as for `dispatcher`.
        transport: as for `dispatcher`; the descriptor is one of that machine.
    """

    def __init__(
        self, fd: Any, map: dict[int, Any] | None = None, transport: Transport | None = None
    ) -> None:
        super().__init__(None, map, transport)
        self.connected = True
        self.set_file(fd if isinstance(fd, int) else fd.fileno())

    def set_file(self, fd: int) -> None:
        """Use a duplicate of this descriptor, and join the map."""
        file = file_wrapper(fd, self._transport.modules)
        file.setblocking(False)
        self.set_socket(file)

    def handle_read_event(self) -> None:
        """There is something to read, or the end; of a writing end: that nobody reads any more."""
        if self.socket.is_write_only:
            self.handle_close_event()
        else:
            super().handle_read_event()
