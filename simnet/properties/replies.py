"""Reply k belongs to request k, also if requests before it were cancelled.

Where replies carry no number, their order is all that says what they answer.  A client that gives up on a
request and reads on takes the late reply for the answer to its next one.

Owns the book of who asked what.  What belongs to what is known to the test.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..errors import PropertyViolated, UsageError


class Replies:
    """A book of requests; a test's client says what it asks, gives up and gets.

    Args:
        belongs: called with a request and a reply; whether that is an answer to it.  Without it, they are
            equal.
    """

    def __init__(self, belongs: Callable[[object, object], object] = lambda asked, got: asked == got) -> None:
        self._belongs = belongs
        self._asked: dict[Hashable, object] = {}
        self._over: dict[Hashable, str] = {}

    def asked(self, number: Hashable, request: object) -> None:
        """Request `number` is sent.  Raises UsageError if there was one of that number."""
        if number in self._asked:
            raise UsageError(f"there is a request {number!r} already")
        self._asked[number] = request

    def cancelled(self, number: Hashable) -> None:
        """The client has given up on a request: whatever comes is no reply to it."""
        self._end(number, "was cancelled")

    def got(self, number: Hashable, reply: object) -> None:
        """The client takes `reply` for the answer to a request.

        Raises PropertyViolated if it is none, or if that request was cancelled or has been answered.
        """
        self._end(number, "was answered")
        if not self._belongs(self._asked[number], reply):
            others = [other for other, asked in self._asked.items() if self._belongs(asked, reply)]
            of = f", which answers request {others[0]!r}" if others else ""
            raise PropertyViolated("replies", f"request {number!r} is answered by {reply!r}{of}")

    def _end(self, number: Hashable, how: str) -> None:
        if number not in self._asked:
            raise UsageError(f"there is no request {number!r}")
        if number in self._over:
            raise PropertyViolated(
                "replies", f"request {number!r} {self._over[number]} before, and now {how[4:]}"
            )
        self._over[number] = how
