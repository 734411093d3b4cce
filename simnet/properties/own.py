"""What a test knows of its program: what holds always, what comes to hold, and what must be seen to happen.

Owns the three words of temporal logic that tests need.  When a network asks is its `engine`'s business.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import PropertyViolated
from ..timers import name_of
from ..units import duration_ns, seconds
from ..virtual import Network

listeners: list[Callable[[str, bool], object]] = []
"""Called with what is said to be seen `sometimes`, and whether it is: how a test runner learns of it."""


def always(net: Network, condition: Callable[[], object], says: str | None = None) -> None:
    """From now on `condition()` is true after every moment at which anything happens.

    Args:
        says: what it means, in words: the name of the property.  Without it, the name of the function.

    It is asked at network level, where no host is current.  Said while time passes, it counts from the next
    `Network.run` on.  `Network.run` raises PropertyViolated at the first moment at which it is not true, and
    whatever `condition` raises itself.
    """
    name = says or name_of(condition)

    def check() -> None:
        if not condition():
            raise PropertyViolated(name, f"not true at t={seconds(net.now_ns)}\n{net.netstat()}")

    net.invariants.append(check)


def eventually(
    net: Network, condition: Callable[[], object], within: str | float, says: str | None = None
) -> None:
    """Let the network clear up (`Network.clear_up`), and require that `condition()` comes true.

    First comes the phase in which anything may happen, and only what is `always` true is required.  Then
    nothing goes wrong any more, and whatever is due has to happen.

    Args:
        within: how much virtual time it may take, in seconds or as text with a unit.
        says: as for `always`.

    Raises PropertyViolated if it is not true by then, or never can be.
    """
    since_ns = net.now_ns
    net.clear_up()
    if not net.wait("eventually", condition, since_ns + duration_ns(within)):
        raise PropertyViolated(
            says or name_of(condition),
            f"not true within {within} of t={seconds(since_ns)}, when all cleared up\n{net.netstat()}",
        )


def sometimes(net: Network, says: str, condition: object = True) -> None:
    """Note that something worth testing happens, if `condition` is true.

    A search that never gets there has not tested what it is believed to test.  `simnet fuzz` says at its end
    which of these were never true in any run, and pytest which were not in any test.

    Args:
        says: what happens, in words: ``"a reply came late"``.
    """
    is_true = bool(condition)
    net.seen_sometimes[says] = net.seen_sometimes.get(says, False) or is_true
    for listener in listeners:
        listener(says, is_true)
