"""The table of ports against a plain list of who holds what."""

from __future__ import annotations

import errno
import socket as std

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.units import SECOND_NS
from simnet.virtual.kernel.addresses import ANY, ANY6
from simnet.virtual.kernel.ports import TIME_WAIT_NS, Ports

HERE = "10.0.0.1"


@attrs.define(eq=False)
class Holder:
    family: int = std.AF_INET
    reuse_address: bool = False
    is_listening: bool = False
    is_connection: bool = False
    reuse_port: bool = False
    v6only: bool = False
    shares_port: bool = False
    local: tuple[str, int] = (ANY, 0)
    remote: tuple[str, int] = (ANY, 0)


@pytest.mark.parametrize("first", [32768, 5])
def test_ephemeral_ports_are_all_given_out_once_and_then_there_are_none(first: int) -> None:
    """ip(7), ip_local_port_range."""
    ports, holders = Ports(first, first + 3), [Holder() for _ in range(4)]
    for holder in holders:
        ports.take(holder, ANY, 0, 0)
    assert [holder.local[1] for holder in holders] == list(range(first, first + 4))
    with pytest.raises(OSError, match="in use") as caught:
        ports.take(Holder(), ANY, 0, 0)
    assert caught.value.errno == errno.EADDRINUSE
    ports.release(holders[2])
    again = Holder()
    ports.take(again, ANY, 0, 0)
    assert again.local[1] == first + 2


def test_an_ephemeral_port_is_not_used_again_while_others_are_free() -> None:
    ports, seen = Ports(100, 109), []
    for _ in range(20):
        holder = Holder()
        ports.take(holder, HERE, 0, 0)
        seen.append(holder.local[1])
        ports.release(holder)
    assert seen == [*range(100, 110)] * 2


def test_an_ephemeral_port_is_not_one_in_time_wait() -> None:
    ports, holder = Ports(100, 101), Holder()
    ports.take(holder, HERE, 0, 0)
    ports.linger(holder, 0)
    ports.release(holder)
    for _ in range(3):
        other = Holder()
        ports.take(other, HERE, 0, TIME_WAIT_NS - 1)
        assert other.local[1] == 101
        ports.release(other)


def overlaps(one: Holder, other: Holder) -> bool:
    return one.local[1] == other.local[1] and (
        one.local[0] == other.local[0] or ANY in (one.local[0], other.local[0])
    )


binding = st.tuples(
    st.sampled_from([ANY, HERE, "127.0.0.1"]), st.sampled_from([80, 81]), st.booleans(), st.booleans()
)


@given(st.lists(binding, max_size=12))
def test_two_bindings_conflict_if_they_overlap_unless_both_reuse_and_the_first_does_not_listen(
    program: list[tuple[str, int, bool, bool]],
) -> None:
    """bind(2); inet_csk_bind_conflict.  The model is the sentence."""
    ports, held = Ports(), list[Holder]()
    for address, port, reuse, listens in program:
        holder = Holder(reuse_address=reuse)
        conflict = any(
            overlaps(other, Holder(local=(address, port)))
            and not (other.reuse_address and reuse and not other.is_listening)
            for other in held
        )
        if conflict:
            with pytest.raises(OSError, match="in use"):
                ports.take(holder, address, port, 0)
            continue
        ports.take(holder, address, port, 0)
        held.append(holder)
        if listens and not any(overlaps(other, holder) and other.is_listening for other in held):
            ports.take_to_listen(holder, 0)
            holder.is_listening = True
    assert sorted(map(id, ports.holders())) == sorted(map(id, held))
    for holder in held:
        ports.release(holder)
    assert ports.holders() == []


def test_a_syn_goes_to_the_exact_listener_before_the_wildcard_one() -> None:
    ports, wildcard, exact = Ports(), Holder(reuse_address=True), Holder(reuse_address=True)
    ports.take(wildcard, ANY, 80, 0)
    ports.take(exact, HERE, 80, 0)
    for holder in (wildcard, exact):
        ports.listening(holder)
    assert ports.listener(HERE, 80, 40000) is exact
    assert ports.listener("127.0.0.1", 80, 40000) is wildcard
    ports.not_listening(exact)
    assert ports.listener(HERE, 80, 40000) is wildcard
    assert ports.listener(HERE, 81, 40000) is None


def test_a_syn_of_ipv4_goes_to_a_wildcard_of_its_own_before_one_of_ipv6() -> None:
    """compute_score in inet_hashtables.c; ipv6(7), IPV6_V6ONLY."""
    ports = Ports()
    both, old, only = (Holder(reuse_port=True) for _ in range(3))
    only.v6only = True
    for holder, address in ((both, ANY6), (only, ANY6), (old, ANY)):
        ports.take(holder, address, 80, 0)
        ports.listening(holder)
    assert ports.listener(HERE, 80, 40000) is old
    ports.not_listening(old)
    assert ports.listener(HERE, 80, 40000) is ports.listener(HERE, 80, 40001) is both
    ports.not_listening(both)
    assert ports.listener(HERE, 80, 40000) is None
    assert ports.listener("fd00::1", 80, 40000) is only


def test_listeners_that_share_a_port_are_chosen_by_the_port_of_the_opener() -> None:
    """socket(7), SO_REUSEPORT: two listeners, four openers, two each."""
    ports, one, other = Ports(), Holder(reuse_port=True), Holder(reuse_port=True)
    for holder in (one, other):
        ports.take(holder, HERE, 80, 0)
        ports.listening(holder)
    assert [ports.listener(HERE, 80, port) is one for port in (1000, 1001, 1002, 1003)] == [
        True, False, True, False]  # fmt: skip


def test_connections_share_ephemeral_ports_if_they_go_to_different_places() -> None:
    """__inet_hash_connect: what bind() took is nobody else's."""
    ports = Ports(100, 102)
    bound = Holder()
    ports.take(bound, HERE, 0, 0)
    places = [("10.0.0.2", 80), ("10.0.0.2", 80), ("10.0.0.2", 81), ("10.0.0.3", 80)]
    taken = []
    for place in places:
        holder = Holder(shares_port=True, is_connection=True)
        ports.take_to_connect(holder, HERE, place, 0)
        holder.remote = place
        taken.append(holder.local[1])
    assert taken == [101, 102, 101, 101]
    with pytest.raises(OSError, match="assign") as caught:
        ports.take_to_connect(Holder(), HERE, ("10.0.0.2", 80), 0)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    elsewhere = Holder()
    ports.take(elsewhere, "127.0.0.1", 0, 0)  # bind(0) takes one that is free at its address
    assert elsewhere.local[1] == 100


def test_an_ephemeral_port_serves_the_same_place_again_a_second_after_time_wait_began_on_loopback_only() -> (
    None
):
    """tcp_tw_reuse is 2: of loopback connections only, with timestamps that are a second older."""
    for place, reusable in (("127.0.0.1", 80), True), (("10.0.0.2", 80), False):
        ports, holder = Ports(100, 100), Holder(shares_port=True, remote=place)
        ports.take_to_connect(holder, HERE, place, 0)
        ports.linger(holder, 0)
        ports.release(holder)
        for now_ns, free in ((SECOND_NS - 1, False), (SECOND_NS, reusable), (TIME_WAIT_NS, True)):
            again = Holder()
            try:
                ports.take_to_connect(again, HERE, place, now_ns)
            except OSError:
                assert not free
            else:
                assert free
                ports.release(again)


def test_a_port_that_only_sockets_with_reuse_port_have_had_lets_in_another_without_a_look() -> None:
    """sk_reuseport_match, measured on Linux 6.18: the third bind() succeeds beside one without the option."""
    ports = Ports()
    plain = Holder(reuse_address=True, family=std.AF_INET6)
    both = Holder(reuse_address=True, reuse_port=True, family=std.AF_INET6)
    late = Holder(reuse_port=True, family=std.AF_INET6)
    ports.take(plain, "::1", 80, 0)
    with pytest.raises(OSError, match="in use"):
        ports.take(late, "::1", 80, 0)
    ports.take(both, ANY6, 80, 0)
    ports.release(both)
    ports.take(late, "::1", 80, 0)
    for holder in (plain, late):
        ports.release(holder)
    ports.take(plain, "::1", 80, 0)  # with the last one the memory went
    with pytest.raises(OSError, match="in use"):
        ports.take(Holder(reuse_port=True, family=std.AF_INET6), "::1", 80, 0)


def test_time_wait_bars_a_port_for_60_seconds_and_not_a_pair_of_addresses() -> None:
    """TCP_TIMEWAIT_LEN; tcp_twsk_unique."""
    ports, holder = Ports(), Holder(reuse_address=True, is_connection=True)
    ports.take(holder, HERE, 1000, 0)
    holder.remote = ("10.0.0.2", 80)
    again = Holder(reuse_address=True, local=(HERE, 1000))
    assert ports.has_pair(again, ("10.0.0.2", 80))
    assert not ports.has_pair(again, ("10.0.0.3", 80))
    ports.linger(holder, 0)
    ports.release(holder)
    assert not ports.has_pair(again, ("10.0.0.2", 80))
    assert ports.conflicts(Holder(), HERE, 1000, TIME_WAIT_NS - 1)
    assert not ports.conflicts(Holder(), HERE, 1000, TIME_WAIT_NS)


def test_time_waits_that_are_over_are_forgotten() -> None:
    """A server that closes first leaves one a connection."""
    ports, holder = Ports(), Holder(local=(HERE, 80))
    for second in range(1000):
        ports.linger(holder, second * 1_000_000_000)
    assert len(ports.time_waits(1000 * 1_000_000_000)) == 59
    assert sum(map(len, ports._waiting.values())) == 60
