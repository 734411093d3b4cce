"""Control messages of AF_UNIX sockets: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS); unix(7).

A descriptor travels as the open file description behind it, which is held open on its way; the receiver gets
a new number for it.  Every program of a host is process 1 and root, as in a container.

Owns what is read from and written into control messages (net/core/scm.c).

Simplified: a ring of sockets that are under way inside one another is never freed (unix_gc).
"""

from __future__ import annotations

import errno
import os
import struct
from array import array
from typing import TYPE_CHECKING, Any

import attrs

from .. import linux as std
from .control import ControlRoom
from .file import File

if TYPE_CHECKING:
    from ..host import Host

PROCESS_ID, USER_ID, GROUP_ID = 1, 0, 0
RIGHTS_MAX = 253  # SCM_MAX_FD

_UCRED = "iII"
OWN_CREDENTIALS = struct.pack(_UCRED, PROCESS_ID, USER_ID, GROUP_ID)
NO_PEER = struct.pack(_UCRED, 0, 0xFFFF_FFFF, 0xFFFF_FFFF)
"""What SO_PEERCRED says where there is no peer."""

NOBODY = struct.pack(_UCRED, 0, 0, 0)
"""Whose credentials come with the end of a stream."""

UNKNOWN = struct.pack(_UCRED, 0, 65_534, 65_534)
"""Credentials that were not recorded: no process, and the overflow IDs."""

_INT_BYTES = 4
_SOL, _RIGHTS, _CREDENTIALS = int(std.SOL_SOCKET), int(std.SCM_RIGHTS), 2
_CTRUNC, _CLOEXEC = int(std.MSG_CTRUNC), int(getattr(std, "MSG_CMSG_CLOEXEC", 0x4000_0000))


@attrs.define(eq=False)
class Outgoing:
    """What a message carries besides its bytes (struct scm_cookie); each of the files is held."""

    files: list[File] = attrs.Factory(list)
    credentials: bytes | None = None

    def take_files(self) -> list[File]:
        """The files, for the first piece of the message."""
        files, self.files = self.files, []
        return files

    def drop(self) -> None:
        """Close what was not sent."""
        for file in self.take_files():
            file.drop()


def sent(host: Host, control: list[tuple[int, int, Any]]) -> Outgoing:
    """Read the control messages of sendmsg(2) (__scm_send); raises EINVAL, EBADF or ESRCH."""
    outgoing = Outgoing()
    try:
        for level, kind, content in control:
            if level != std.SOL_SOCKET:
                continue
            data = bytes(memoryview(content).cast("B"))
            if kind == _RIGHTS:
                _hold(host, data, outgoing.files)
            elif kind == _CREDENTIALS:
                outgoing.credentials = _checked(data)
            else:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    except OSError:
        outgoing.drop()
        raise
    return outgoing


def _hold(host: Host, data: bytes, files: list[File]) -> None:
    """Find the files behind descriptors (scm_fp_copy)."""
    numbers = array("i", data[: len(data) - len(data) % _INT_BYTES])
    if len(files) + len(numbers) > RIGHTS_MAX:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    for number in numbers:
        file = host.descriptors.of(number)
        file.hold()
        files.append(file)


def _checked(data: bytes) -> bytes:
    """Credentials that a program claims to have: root may claim any of a process that there is."""
    if len(data) != len(OWN_CREDENTIALS):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    process, user, group = struct.unpack(_UCRED, data)
    if process != PROCESS_ID:
        raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
    if 0xFFFF_FFFF in (user, group):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return data


def received(
    host: Host, files: list[File], credentials: bytes | None, room: int, flags: int
) -> tuple[list[tuple[int, int, bytes]], int]:
    """The control messages for who receives, and what is added to the flags of the message (scm_recv_unix).

    `files` are held, and are given to the program or closed; `credentials` are None if it wants none.
    """
    control = ControlRoom(room)
    control.flags = flags & _CLOEXEC
    if credentials is not None:
        control.put(_SOL, _CREDENTIALS, credentials)
    if files:
        numbers = _install(host, files[: control.data_bytes // _INT_BYTES], flags)
        if numbers:
            control.put(_SOL, _RIGHTS, numbers.tobytes())
        if len(numbers) < len(files):
            control.flags |= _CTRUNC
        for file in files:
            file.drop()
    return control.messages, control.flags


def _install(host: Host, files: list[File], flags: int) -> array[int]:
    """New descriptors, as many as the program may have (scm_detach_fds)."""
    numbers = array("i")
    for file in files:
        try:
            host.descriptors.check()
        except OSError:
            break
        number = host.descriptors.open(file)
        host.descriptors.set_inheritable(number, not flags & _CLOEXEC)
        numbers.append(number)
    return numbers
