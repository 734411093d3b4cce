"""The queue of what will happen: ordered by virtual time, and by the order of planning within an instant.

An entry is ``(time_ns, sequence, target, item)``; when its time has come, `item` arrives at `target`.
Sequence numbers are unique, so entries never compare beyond them and ties are never random.

Traffic over a link of one constant latency is already in order, because the clock is: it goes into a
*lane*, a plain deque, which costs a fraction of a heap.  Everything else goes to the heap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol, TypeAlias


class Target(Protocol):
    """Where entries arrive."""

    def arrive(self, item: Any) -> None: ...


Entry: TypeAlias = "tuple[int, int, Target, Any]"


class Schedule:
    """Entries in order of (time, sequence)."""

    __slots__ = ("_heap", "_lanes", "lanes", "sequence")

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._lanes: dict[int, deque[Entry]] = {}
        self.lanes: list[deque[Entry]] = []
        self.sequence: Callable[[], int] = count().__next__

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self.lanes))

    def lane(self, latency_ns: int) -> deque[Entry]:
        """The lane of entries that are always planned `latency_ns` ahead of the clock."""
        lane = self._lanes.get(latency_ns)
        if lane is None:
            lane = self._lanes[latency_ns] = deque()
            self.lanes.append(lane)
        return lane

    def plan(self, time_ns: int, target: Target, item: Any = None) -> None:
        """Let `item` arrive at `target` at `time_ns`."""
        heappush(self._heap, (time_ns, self.sequence(), target, item))

    def next_time(self) -> int | None:
        """When the next entry is due; None if there is none."""
        head = self._head()
        return head[0][0] if head else None

    def pop(self) -> Entry:
        """Take the next entry, which must exist."""
        head = self._head()
        assert head, "nothing is planned"
        return heappop(head) if head is self._heap else head.popleft()  # type: ignore[union-attr,arg-type]

    def extract(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """Take out every entry that is `wanted`, in order."""
        taken = []
        for queue in (self._heap, *self.lanes):
            keep = []
            for entry in queue:
                (taken if wanted(entry) else keep).append(entry)
            queue.clear()
            queue.extend(sorted(keep))
        return sorted(taken)

    def _head(self) -> list[Entry] | deque[Entry] | None:
        """The queue whose first entry is next."""
        best: list[Entry] | deque[Entry] | None = self._heap or None
        for lane in self.lanes:
            if lane and (best is None or lane[0] < best[0]):
                best = lane
        return best
