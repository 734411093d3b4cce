"""What a loop asks of a channel, and the map that its channels are in.

Owns the contract of a channel and what writing to a map means.  Does not own when anybody is asked.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable


@runtime_checkable
class Channel(Protocol):
    """What a loop asks of the values of its map."""

    def readable(self) -> bool: ...
    def writable(self) -> bool: ...
    def handle_read_event(self) -> None: ...
    def handle_write_event(self) -> None: ...
    def handle_expt_event(self) -> None: ...
    def handle_close(self) -> None: ...
    def handle_error(self) -> None: ...


class Keeper(Protocol):
    """Whoever must know who is in a map."""

    def add(self, fd: int, channel: Any) -> None: ...
    def remove(self, fd: int) -> None: ...


class ChannelMap(dict[int, Any]):
    """The map of a default loop: to write to it is to `add` to the loop, or to `remove` from it."""

    def __init__(self, loop: Keeper) -> None:
        super().__init__()
        self._loop = loop
        self.put, self.drop = super().__setitem__, super().pop  # past the loop, for the loop

    def __setitem__(self, fd: int, channel: Any) -> None:
        self._loop.add(fd, channel)

    def __delitem__(self, fd: int) -> None:
        self.pop(fd)

    def pop(self, fd: int, *default: Any) -> Any:
        channel = self.get(fd)
        if channel is None:
            return self.drop(fd, *default)
        self._loop.remove(fd)
        return channel

    def popitem(self) -> tuple[int, Any]:
        fd = next(reversed(self), None)
        return super().popitem() if fd is None else (fd, self.pop(fd))

    def clear(self) -> None:
        for fd in list(self):
            self.pop(fd)

    def setdefault(self, fd: int, default: Any = None) -> Any:
        if fd not in self:
            self[fd] = default
        return self[fd]

    def update(self, *others: Any, **none: Any) -> None:
        for fd, channel in dict(*others, **none).items():
            self[fd] = channel

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self
