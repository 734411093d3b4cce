"""What two machines cannot have in common, and the names that stand for it.

Owns everything that is put aside before two kernels are compared.  `RULES` is the whole list, each with its
reason; the documentation shows it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Any

RULES = {
    "ports that the kernel chose": "Linux draws them at random; they are called e1, e2, ... in the order in "
    "which they appear, so which of them are equal is still compared",
    "explicit ports": "each run has fresh ones, because TIME_WAIT keeps a port for a minute; they are called "
    "by the names that the program has for them",
    "names that the kernel chose for AF_UNIX sockets": "drawn at random too; called a1, a2, ...",
    "descriptor numbers": "counted from the first that the program gets, because the process has others "
    "open; that the lowest free one is taken is still compared",
    "buffer sizes": "the defaults depend on memory and on traffic; programs stay far below them, but for "
    "`fill`, which sends until nothing more is taken and says only that. After it amounts are called none or "
    "some, and what reads is a `drain`, which reads all there is and says only how it ended",
    "partial counts": "follow from buffer sizes",
    "bytes that nobody has written": "with MSG_TRUNC the interpreter returns as many bytes as the kernel "
    "counted, though fewer were copied, and none from TCP: what they are is what the memory held; their "
    "number is compared",
    "time": "a busy computer may deliver late; a difference in readiness counts if it is still there after a "
    "quarter of a second, and a difference of any kind if it comes back when the program is run again. "
    "Nothing that takes a second or more, as a retransmission does, is compared",
    "AF_UNIX sockets in messages": "are not sent: what nobody can reach any more is freed whenever the "
    "kernel's garbage collector comes to it; descriptors of other kinds are",
    "the words of an exception": "errno and type are compared, the text is not",
}

ERRNO_NAMES = {**errno.errorcode} | {errno.EOPNOTSUPP: "EOPNOTSUPP"}  # of two names for 95, that of sockets

_AUTOBOUND = re.compile(rb"\x00[0-9a-f]{5}")


class Names:
    """The names for what differs between machines, as one run of a program meets it."""

    def __init__(self, ports: dict[str, int], first_descriptor: int) -> None:
        self._ports: dict[int, str | int] = {number: name for name, number in ports.items()}
        self._ports[0] = 0
        self._chosen = 0
        self._autobound: dict[bytes, str] = {}
        self.first_descriptor = first_descriptor

    def port(self, number: int) -> str | int:
        name = self._ports.get(number)
        if name is None:
            self._chosen += 1
            name = self._ports[number] = f"e{self._chosen}"
        return name

    def address(self, address: Any) -> Any:
        """An address of any family with names in it; anything else as it is."""
        if isinstance(address, tuple) and len(address) >= 2:
            return (address[0], self.port(address[1]), *address[2:])
        if isinstance(address, bytes) and _AUTOBOUND.fullmatch(address):
            return self._autobound.setdefault(address, f"a{len(self._autobound) + 1}")
        return address

    def descriptor(self, number: int) -> int:
        return number if number < 0 else number - self.first_descriptor


class NotSimulated(Exception):
    """A virtual machine says that it does not simulate this call."""


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returned, or the name of the errno or exception that it raised."""
    try:
        result = call(*arguments)
    except OSError as error:
        return ERRNO_NAMES.get(error.errno or 0, type(error).__name__)
    except NotImplementedError as error:
        raise NotSimulated(str(error)) from None
    except (ValueError, TypeError, OverflowError) as error:
        return type(error).__name__
    return "ok" if result is None else result
