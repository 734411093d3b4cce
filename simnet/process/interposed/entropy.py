"""Generators that are made without a seed: in a process they draw theirs from the host.

The functions of `random` and `os.urandom` are of the table in `functions`; `secrets`, `uuid.uuid4` and
`random.SystemRandom` come to the latter.  What a host draws depends on its name alone, not on a storm's seed:
the script of a run repeats it.

A generator that a module has made when it was imported, as a global, in a class or as a default of an
argument, was seeded before there was a host, and goes on from run to run.  In its place a process finds one
of its host, which the host has seeded; so a seed that the module itself gave does not count there.

`tempfile` has one generator of names, which goes on from run to run as well: each host has its own.

Owns `random.Random.seed`, kept generators, and names of `tempfile`.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..process import running

if TYPE_CHECKING:
    from ...virtual.host import Host

DRAWS = (
    "random uniform triangular randint choice randrange sample shuffle choices normalvariate lognormvariate "
    "expovariate vonmisesvariate gammavariate gauss betavariate binomialvariate paretovariate weibullvariate "
    "getstate setstate getrandbits randbytes seed"
)
"""What a generator can be asked; `random` has the same names as functions."""

_seed = random.Random.seed


def _seed_in_a_process(self: random.Random, a: Any = None, version: int = 2) -> None:
    process = running()
    if a is None and process is not None:
        a = process.host.entropy.getrandbits(256)
    _seed(self, a, version)


class KeptGenerator(random.Random):
    """Stands for a generator that was made before: in a process it asks the host's own."""

    def __init__(self, original: random.Random) -> None:
        self._before = self.__wrapped__ = original
        self._of_hosts: WeakKeyDictionary[Host, random.Random] = WeakKeyDictionary()

    def _asked(self) -> random.Random:
        process = running()
        if process is None:
            return self._before
        found = self._of_hosts.get(process.host)
        if found is None:
            found = self._of_hosts[process.host] = random.Random(process.host.entropy.getrandbits(256))
        return found

    def __reduce__(self) -> Any:
        return self._asked().__reduce__()


def _asks(name: str) -> Callable[..., Any]:
    def method(self: KeptGenerator, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._asked(), name)(*args, **kwargs)

    method.__name__ = method.__qualname__ = name
    return method


for _name in DRAWS.split():
    if hasattr(random, _name):
        setattr(KeptGenerator, _name, _asks(_name))


_tempfile: Any = tempfile
_names: WeakKeyDictionary[Host, Any] = WeakKeyDictionary()


def _candidate_names(host: Host, original: Any) -> Any:
    if host not in _names:
        _names[host] = _tempfile._RandomNameSequence()
    return _names[host]


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {_tempfile._get_candidate_names: _candidate_names}


def change() -> Callable[[], None]:
    """Let generators be seeded by the host; returns what undoes it."""
    random.Random.seed = _seed_in_a_process  # type: ignore[method-assign]

    def undo() -> None:
        random.Random.seed = _seed  # type: ignore[method-assign]

    return undo
