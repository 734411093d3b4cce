"""What is said of names: the zone of a network, and the hosts file of a host.

Owns records, their edits, and what a test wants to go wrong with them.  Does not own time: how long an
answer takes is said here and waited for by the `resolver`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ...errors import UsageError
from ...units import duration_ns
from .numeric import AF_INET, AF_INET6, ANY, strict, unmapped

NOERROR: Final = "NOERROR"
NXDOMAIN: Final = "NXDOMAIN"
NODATA: Final = "NODATA"
SERVFAIL: Final = "SERVFAIL"
REFUSED: Final = "REFUSED"
TIMEOUT: Final = "timeout"
FAILURES = (NXDOMAIN, NODATA, SERVFAIL, REFUSED, TIMEOUT)
EVERYTHING = "*"

_ALIASES_MAX = 8  # in a row: as many as a name server follows
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class Answer(NamedTuple):
    """What a look-up gives.

    Attributes:
        outcome: NOERROR or one of FAILURES.
        name: the canonical name, where aliases end.
        aliases: the names that led there, the one that was asked for first.
        addresses: of both families, in the order of the zone.
    """

    outcome: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def of(self, family: int) -> list[str]:
        """The addresses of one family."""
        is_wanted = family == AF_INET6
        return [address for address in self.addresses if (":" in address) is is_wanted]


_UNKNOWN = Answer(NXDOMAIN)


class HostsFile:
    """Names and their addresses, in the order in which they were added (hosts(5)).

    Names have no case.  An address leads back to the names that have it.
    """

    def __init__(self, records: dict[str, list[str]] | None = None) -> None:
        self._records = records if records is not None else {}

    def add(self, name: str, *addresses: str) -> None:
        """Give a name one or more addresses, IPv4 or IPv6, after those that it has."""
        if not addresses:
            raise UsageError(f"give at least one address of {name!r}")
        self._check_free(_key(name))
        checked = [address_of_record(address) for address in addresses]
        records = self._records.setdefault(_key(name), [])
        records.extend(address for address in dict.fromkeys(checked) if address not in records)

    def remove(self, name: str, *addresses: str) -> None:
        """Take addresses away from a name; without addresses, all that is said of it."""
        records = self._records.get(_key(name))
        if records is None:
            raise UsageError(f"no name is {name!r}; there are {', '.join(self._records) or 'none'}")
        for address in map(address_of_record, addresses):
            if address not in records:
                raise UsageError(f"{name!r} has no address {address}; it has {', '.join(records)}")
            records.remove(address)
        if not addresses or not records:
            del self._records[_key(name)]

    def find(self, name: str) -> Answer:
        """What is said of a name, as it stands."""
        records = self._records.get(name.lower())
        return _UNKNOWN if records is None else Answer(NOERROR, name.lower(), (), tuple(records))

    def find_back(self, address: str) -> Answer:
        """The names of an address, the first as the canonical one."""
        names = [name for name, records in self._records.items() if address in records]
        return Answer(NOERROR, names[0], tuple(names[1:]), (address,)) if names else _UNKNOWN

    def _check_free(self, key: str) -> None:
        """Raise UsageError if a name cannot have addresses."""


class Zone(HostsFile):
    """The names of a network, as its name server tells them: `Network.names`.

    Every host of the network is in it, with its automatic IPv4 address and those that it was given.  What a
    test changes holds from then on; nothing is cached.  ``net.at("3s").names.add(...)`` changes it later.

    Where a name is wanted, `delay`, `fail` and `heal` also take an address, for its way back to a name, and
    ``"*"`` for everything.
    """

    def __init__(self) -> None:
        super().__init__()
        # Hosts and their one IPv4 address, while nobody has edited the zone; and no name: any address.
        self.plain = {"": ANY[AF_INET]}
        self._is_edited = False
        self._targets: dict[str, str] = {}
        self._pointers: dict[str, str | None] = {}
        self._turns: dict[str, int] = {}
        self._delays_ns: dict[str, int] = {}
        self._failures: dict[str, str] = {}

    # --- records ---------------------------------------------------------------------------------

    def add_host(self, name: str, addresses: list[str], pointer: str) -> None:
        """A host is made: its name leads to `addresses`, and `pointer` only back to its name."""
        key = _key(name)
        self._check_free(key)
        if key in self._records:
            self.add(name, *addresses)
        else:
            self._records[key] = addresses
            if not self._is_edited and len(addresses) == 1:
                self.plain[name] = addresses[0]
        self._pointers[pointer] = key

    def add(self, name: str, *addresses: str) -> None:
        self._edit()
        super().add(name, *addresses)

    def _edit(self) -> None:
        """From now on nothing is plain."""
        self._is_edited = True
        self.plain.clear()

    def alias(self, name: str, target: str) -> None:
        """Make a name an alias (CNAME) of another one, which need not exist."""
        self._edit()
        key = _key(name)
        if key in self._records:
            raise UsageError(f"{name!r} has addresses already, and an alias has none")
        self._targets[key] = _key(target)

    def remove(self, name: str, *addresses: str) -> None:
        """Take addresses away from a name; without addresses, all that is said of it.

        A name that is left without any does not exist: looking it up is NXDOMAIN.
        """
        self._edit()
        if not addresses and self._targets.pop(_key(name), None) is not None:
            return
        super().remove(name, *addresses)

    def reverse(self, address: str, name: str | None) -> None:
        """Say to which name an address leads back (PTR), or that it leads to none.

        Without this it is the first name that was given the address.
        """
        self._pointers[address_of_record(address)] = None if name is None else _key(name)

    def rotate(self, name: str, on: bool = True) -> None:
        """Let the addresses of a name change places from one look-up to the next: the first becomes last.

        The order in which a program sees them is that of RFC 6724 all the same, see `destinations`.
        """
        if on:
            self._turns.setdefault(_key(name), 0)
        else:
            self._turns.pop(_key(name), None)

    def _check_free(self, key: str) -> None:
        if key in self._targets:
            raise UsageError(f"{key!r} is an alias, and cannot have addresses")

    # --- what goes wrong -------------------------------------------------------------------------

    def delay(self, name: str, delay: str | float) -> None:
        """Let every answer about a name take so long; 0 as long as before, which is no time at all."""
        self._edit()
        self._delays_ns[_key_or_everything(name)] = duration_ns(delay)

    def fail(self, name: str, how: str = NXDOMAIN) -> None:
        """Let every look-up of a name fail until `heal`.

        Args:
            how: what the name server says: NXDOMAIN (the name does not exist), NODATA (it has no
                addresses), SERVFAIL or REFUSED; or ``"timeout"``: nothing.
        """
        if how not in FAILURES:
            raise UsageError(f"a look-up cannot fail with {how!r}; it can with {', '.join(FAILURES)}")
        self._edit()
        self._failures[_key_or_everything(name)] = how

    def heal(self, name: str = EVERYTHING) -> None:
        """Undo `delay` and `fail` of a name; of ``"*"``, all that were ever said."""
        for table in (self._delays_ns, self._failures):
            if name == EVERYTHING:
                table.clear()
            else:
                table.pop(_key_or_everything(name), None)

    # --- look-ups --------------------------------------------------------------------------------

    @property
    def is_prompt(self) -> bool:
        """Whether every answer comes at once, and is true."""
        return not self._delays_ns and not self._failures

    def delay_ns(self, name: str) -> int:
        """How long an answer about a name, or an address, takes."""
        return self._delays_ns.get(_plain(name), self._delays_ns.get(EVERYTHING, 0))

    def failure(self, name: str) -> str | None:
        """How every look-up of a name, or an address, fails; None if it does not."""
        return self._failures.get(_plain(name), self._failures.get(EVERYTHING))

    def find(self, name: str) -> Answer:
        """What the name server says of a name, after its delay."""
        failure = self.failure(name)
        if failure is not None:
            return Answer(failure)
        chain = [name.removesuffix(".")]
        while (target := self._targets.get(chain[-1].lower())) is not None and len(chain) <= _ALIASES_MAX:
            chain.append(target)
        *aliases, canonical = chain
        key = canonical.lower()
        if key in self._targets:  # round and round: the server gives up, and says what it has
            return Answer(NODATA, canonical, tuple(aliases))
        records = self._records.get(key)
        if records is None:
            return _UNKNOWN
        return Answer(NOERROR, canonical, tuple(aliases), self._turned(key, records))

    def find_back(self, address: str) -> Answer:
        """What the name server says of an address, after its delay."""
        failure = self.failure(address)
        if failure is not None:
            return Answer(failure)
        if address in self._pointers:
            name = self._pointers[address]
            return _UNKNOWN if name is None else Answer(NOERROR, name, (), (address,))
        found = super().find_back(address)
        return found._replace(aliases=())  # there is one PTR record

    def _turned(self, key: str, records: list[str]) -> tuple[str, ...]:
        turn = self._turns.get(key)
        if turn is None:
            return tuple(records)
        first = turn % len(records)
        self._turns[key] = first + 1
        return (*records[first:], *records[:first])


@lru_cache(maxsize=1024)
def address_of_record(address: str) -> str:
    """An address in its usual spelling; UsageError if it is none that a record can have."""
    found = strict(address) if isinstance(address, str) else None
    if found is None or unmapped(found) != found:
        raise UsageError(f"an address is text like '10.0.0.7' or 'fd00::7', not {address!r}")
    return found


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


@lru_cache(maxsize=1024)  # every network has hosts of the same few names
def _key(name: str) -> str:
    """A name as it is kept: in ASCII (RFC 3490), without case and without the final dot."""
    try:
        key = _plain(name.encode("idna").decode("ascii"))
    except (AttributeError, UnicodeError):
        key = ""
    if not _NAME.fullmatch(key) or len(key) > 253 or strict(key) is not None:
        raise UsageError(
            f"a name has labels of letters, digits, '-' and '_', with dots between, not {name!r}"
        )
    return key


def _key_or_everything(name: str) -> str:
    if name == EVERYTHING:
        return name
    return (strict(name) if isinstance(name, str) else None) or _key(name)
