"""What a test says of names, and what programs then learn: addresses, errors, and when."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet import Network, UsageError, dispatcher
from simnet.loop import loop_for
from simnet.trace import Kind

AF_INET, AF_INET6, STREAM = std.AF_INET, std.AF_INET6, std.SOCK_STREAM


class Two:
    """A host that asks, and one that is found."""

    def __init__(self, **options: Any) -> None:
        self.net = Network(**options)
        self.client = self.net.host("client")
        self.server = self.net.host("server", addresses=["192.0.2.7", "2001:db8::7"])
        self.zone = self.net.names
        self.zone.add("client", "fd00::1")
        self.zone.add("server", "fd00::2")

    def addresses(self, name: str, family: int = 0, flags: int = 0) -> Any:
        """What getaddrinfo() says, in its order; or the name of its error."""
        try:
            found = self.client.getaddrinfo(name, 80, family, STREAM, 0, flags)
        except std.gaierror as error:
            known = [eai for eai in dir(std) if eai.startswith("EAI_") and getattr(std, eai) == error.errno]
            return known[0]
        return [entry[4][0] for entry in found]

    def back(self, address: str) -> Any:
        try:
            return self.client.modules.socket.gethostbyaddr(address)[0]
        except std.herror as error:
            return error.args


# --- records -------------------------------------------------------------------------------------------


def test_hosts_know_each_other_with_one_address_and_those_that_they_were_given() -> None:
    """The automatic address of IPv6 leads back to the name, but the name does not lead there."""
    net = Network()
    net.host("server", addresses=["2001:db8::7", "192.0.2.7"])
    module = net.host("client").modules.socket
    found = [entry[4][0] for entry in module.getaddrinfo("server", 80, type=STREAM)]
    assert found == ["10.0.0.1", "192.0.2.7", "2001:db8::7"]
    assert [entry[4][0] for entry in module.getaddrinfo("client", 80, type=STREAM)] == ["10.0.0.2"]
    assert module.gethostbyaddr("fd00::1") == ("server", [], ["fd00::1"])


def test_a_name_is_looked_up_in_both_families() -> None:
    two = Two()
    assert two.addresses("server", AF_INET) == ["10.0.0.2", "192.0.2.7"]
    assert two.addresses("server", AF_INET6) == ["fd00::2", "2001:db8::7"]
    assert two.addresses("client", AF_INET) == ["10.0.0.1"]
    assert two.client.resolve("server") == two.client.resolve(b"server") == "10.0.0.2"
    assert two.client.resolve("server", AF_INET6) == "fd00::2"
    assert two.client.resolve("", AF_INET6) == "::"


def test_each_network_has_names_of_its_own() -> None:
    two, other = Two(), Two()
    two.zone.add("db.example", "10.0.0.2")
    assert two.addresses("db.example") == ["10.0.0.2"]
    assert other.addresses("db.example") == "EAI_NONAME"


def test_a_name_that_was_added_has_its_addresses_until_they_are_removed() -> None:
    two = Two()
    two.zone.add("db.example", "10.0.0.2", "192.0.2.7")
    two.zone.add("DB.example.", "192.0.2.7", "FD00:0::2")
    assert two.addresses("db.example", AF_INET) == ["10.0.0.2", "192.0.2.7"]
    assert two.addresses("Db.Example.", AF_INET6) == ["fd00::2"]
    two.zone.remove("db.example", "10.0.0.2")
    assert two.addresses("db.example", AF_INET) == ["192.0.2.7"]
    two.zone.remove("db.example", "192.0.2.7")
    assert two.addresses("db.example", AF_INET) == "EAI_NODATA"
    two.zone.remove("db.example")
    assert two.addresses("db.example", AF_INET) == "EAI_NONAME"


def test_a_name_has_no_addresses_of_the_other_family() -> None:
    """EAI_NODATA, unless IPv4 ones do as well (AI_V4MAPPED)."""
    two = Two()
    two.zone.add("four.example", "10.0.0.2", "192.0.2.7")
    two.zone.add("six.example", "fd00::2")
    assert two.addresses("four.example", AF_INET6) == "EAI_NODATA"
    assert two.addresses("six.example", AF_INET) == "EAI_NODATA"
    mapped = ["::ffff:10.0.0.2", "::ffff:192.0.2.7"]
    assert two.addresses("four.example", AF_INET6, std.AI_V4MAPPED) == mapped
    assert two.addresses("six.example", AF_INET6, std.AI_V4MAPPED) == ["fd00::2"]
    every = std.AI_V4MAPPED | std.AI_ALL
    assert two.addresses("server", AF_INET6, every) == ["fd00::2", *mapped, "2001:db8::7"]


def test_an_alias_leads_to_the_canonical_name() -> None:
    two = Two()
    two.zone.add("db1.example", "10.0.0.2")
    two.zone.alias("primary.example", "db1.example")
    two.zone.alias("db.example", "primary.example")
    module = two.client.modules.socket
    found = module.getaddrinfo("DB.example", 80, AF_INET, STREAM, 0, std.AI_CANONNAME)
    assert found == [(AF_INET, STREAM, 6, "db1.example", ("10.0.0.2", 80))]
    aliases = ["db.example", "primary.example"]
    assert module.gethostbyname_ex("db.example") == ("db1.example", aliases, ["10.0.0.2"])
    two.zone.alias("db.example", "server")
    assert module.gethostbyname("db.example") == "10.0.0.2"
    two.zone.remove("db.example")
    assert two.addresses("db.example") == "EAI_NONAME"


def test_an_alias_that_leads_nowhere_or_round_is_not_known() -> None:
    two = Two()
    two.zone.alias("lost.example", "nobody.example")
    two.zone.alias("a.example", "b.example")
    two.zone.alias("b.example", "a.example")
    for name in ("lost.example", "a.example"):
        assert two.addresses(name) == "EAI_NONAME"


def test_an_address_leads_back_to_the_first_name_that_was_given_it() -> None:
    two = Two()
    two.zone.add("db.example", "10.0.0.2", "10.9.9.9")
    assert two.back("10.0.0.2") == "server"
    assert two.back("fd00::1") == "client"
    assert two.back("10.9.9.9") == "db.example"
    assert two.back("10.9.9.8") == (1, "Unknown host")
    two.zone.reverse("10.0.0.2", "db.example")
    two.zone.reverse("10.9.9.9", None)
    assert two.back("10.0.0.2") == "db.example"
    assert two.back("10.9.9.9") == (1, "Unknown host")
    call = two.client.modules.socket.getnameinfo
    assert call(("10.0.0.2", 80), 0) == ("db.example", "http")
    assert call(("::ffff:10.0.0.2", 80), std.NI_NUMERICSERV) == ("db.example", "80")
    assert call(("10.9.9.9", 80), 0) == ("10.9.9.9", "http")
    with pytest.raises(std.gaierror) as caught:
        call(("10.9.9.9", 80), std.NI_NAMEREQD)
    assert caught.value.errno == std.EAI_NONAME


def test_the_domain_of_the_host_itself_can_be_left_out() -> None:
    """getnameinfo(3), NI_NOFQDN."""
    net = Network()
    web, call = net.host("web.example"), net.host("db.example").modules.socket.getnameinfo
    net.host("db.example.org")
    assert call((web.address, 80), std.NI_NOFQDN)[0] == "web"
    assert call(("10.0.0.3", 80), std.NI_NOFQDN)[0] == "db.example.org"
    assert call((web.address, 80), 0)[0] == "web.example"


def test_a_fully_qualified_name_has_a_dot() -> None:
    two = Two()
    module = two.client.modules.socket
    assert module.gethostname() == module.getfqdn() == "client"
    two.client.hosts_file.add("client.example", "fd00::1")
    two.client.hosts_file.add("c", "fd00::1")
    assert module.getfqdn() == module.getfqdn(" client ") == "client.example"
    assert module.getfqdn("nobody.example") == "nobody.example"


def test_names_are_looked_up_in_ascii() -> None:
    """RFC 3490."""
    two = Two()
    two.zone.add("bücher.example", "10.0.0.2")
    for name in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example"):
        assert two.addresses(name, AF_INET) == ["10.0.0.2"]


def test_rotated_addresses_take_turns_in_coming_first() -> None:
    two = Two()
    two.zone.rotate("server")
    look_ups = [two.addresses("server", AF_INET) for _ in range(3)]
    one, other = ["10.0.0.2", "192.0.2.7"], ["192.0.2.7", "10.0.0.2"]
    assert look_ups == [one, other, one]
    two.zone.rotate("server", on=False)
    assert [two.addresses("server", AF_INET) for _ in "12"] == [one, one]


# --- hosts files ---------------------------------------------------------------------------------------


def test_a_host_believes_its_hosts_file_first_and_nobody_elses() -> None:
    two = Two()
    two.zone.add("db.example", "10.0.0.2", "fd00::2")
    two.client.hosts_file.add("db.example", "192.0.2.7")
    assert two.addresses("db.example", AF_INET) == ["192.0.2.7"]
    assert two.addresses("db.example") == ["192.0.2.7"]
    assert two.addresses("db.example", AF_INET6) == ["fd00::2"], "of this family the file says nothing"
    assert two.server.resolve("db.example") == "10.0.0.2"
    assert two.back("192.0.2.7") == "db.example"
    two.client.hosts_file.remove("db.example")
    assert two.addresses("db.example", AF_INET) == ["10.0.0.2"]


def test_localhost_stands_in_the_hosts_file() -> None:
    two = Two()
    two.zone.fail("*", "SERVFAIL")
    assert two.addresses("localhost") == ["::1", "127.0.0.1"]
    assert two.back("127.0.0.1") == two.back("::1") == "localhost"
    two.client.hosts_file.remove("localhost", "::1")
    assert two.addresses("localhost", AF_INET) == ["127.0.0.1"]
    assert two.addresses("localhost", AF_INET6) == "EAI_AGAIN"


# --- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "error", "back"),
    [
        ("NXDOMAIN", "EAI_NONAME", (1, "Unknown host")),
        ("NODATA", "EAI_NODATA", (4, "No address associated with name")),
        ("SERVFAIL", "EAI_AGAIN", (2, "Host name lookup failure")),
        ("REFUSED", "EAI_AGAIN", (2, "Host name lookup failure")),
        ("timeout", "EAI_AGAIN", (2, "Host name lookup failure")),
    ],
)
def test_a_look_up_fails_until_it_is_healed(how: str, error: str, back: Any) -> None:
    two = Two()
    two.zone.fail("server", how)
    two.zone.fail("10.0.0.2", how)
    assert two.addresses("server") == error
    assert two.back("10.0.0.2") == back
    assert two.addresses("client") == ["fd00::1", "10.0.0.1"]
    with pytest.raises(std.gaierror) as caught:
        two.client.modules.socket.gethostbyname_ex("server")
    assert (
        str(caught.value)
        == {
            "EAI_NONAME": "[Errno -2] Name or service not known",
            "EAI_NODATA": "[Errno -5] No address associated with hostname",
            "EAI_AGAIN": "[Errno -3] Temporary failure in name resolution",
        }[error]
    )
    two.zone.heal("server")
    assert two.addresses("server", AF_INET) == ["10.0.0.2", "192.0.2.7"]
    assert two.back("10.0.0.2") == back
    two.zone.heal()
    assert two.back("10.0.0.2") == "server"


def test_everything_fails_but_what_is_known_better() -> None:
    two = Two()
    two.zone.fail("*")
    two.zone.fail("server", "SERVFAIL")
    assert two.addresses("client") == "EAI_NONAME"
    assert two.addresses("server") == "EAI_AGAIN"
    assert two.addresses("10.0.0.2") == ["10.0.0.2"]


def test_a_name_server_that_says_nothing_is_asked_twice_for_5_seconds() -> None:
    """resolv.conf(5): 2 attempts x 5 s."""
    two = Two()
    two.zone.fail("server", "timeout")
    assert two.addresses("server") == "EAI_AGAIN"
    assert two.net.now == 10.0


def test_a_name_server_that_comes_back_answers_the_second_attempt() -> None:
    """Asked at 0 s and at 5 s; it is back at 3 s, and takes 200 ms."""
    two = Two()
    two.zone.fail("server", "timeout")
    two.zone.delay("server", "200ms")
    two.net.at("3s").call(two.zone.fail, "server", "NXDOMAIN")
    assert two.addresses("server") == "EAI_NONAME"
    assert two.net.now == 5.2


def test_getnameinfo_says_when_it_cannot_know() -> None:
    two = Two()
    two.zone.fail("10.0.0.2", "SERVFAIL")
    with pytest.raises(std.gaierror) as caught:
        two.client.modules.socket.getnameinfo(("10.0.0.2", 80), 0)
    assert caught.value.errno == std.EAI_AGAIN


# --- time ----------------------------------------------------------------------------------------------


def test_a_look_up_takes_its_delay_and_the_network_runs_meanwhile() -> None:
    two, called = Two(), list[float]()
    two.zone.delay("*", "300ms")
    two.zone.delay("client", 0)
    loop_for(two.server).call_later("100ms", lambda: called.append(two.net.now))
    assert two.addresses("client", AF_INET) == ["10.0.0.1"]
    assert two.net.now == 0.0
    assert two.addresses("server", AF_INET) == ["10.0.0.2", "192.0.2.7"]
    assert (two.net.now, called) == (0.3, [0.1])
    assert two.back("10.0.0.2") == "server"
    assert two.net.now == 0.6
    assert two.addresses("10.0.0.2") == ["10.0.0.2"]
    assert two.net.now == 0.6


def test_an_answer_that_takes_longer_than_all_attempts_comes_too_late() -> None:
    two = Two()
    two.zone.delay("server", "9s")
    assert two.addresses("server", AF_INET) == ["10.0.0.2", "192.0.2.7"]
    assert two.net.now == 9.0
    two.zone.delay("server", "11s")
    assert two.addresses("server", AF_INET) == "EAI_AGAIN"
    assert two.net.now == 19.0


def test_names_change_at_a_moment() -> None:
    two = Two()
    two.net.at("1s").names.add("db.example", "10.0.0.2")
    two.net.at("2s").names.remove("db.example")
    two.net.at("3s").call(two.zone.add, "db.example", "192.0.2.7")
    seen = []
    for time in (0.5, 1.0, 2.0, 3.0):
        two.net.run(until=time)
        seen.append(two.addresses("db.example"))
    assert seen == ["EAI_NONAME", ["10.0.0.2"], "EAI_NONAME", ["192.0.2.7"]]
    with pytest.raises(AttributeError):
        two.net.at("4s").names.subtract("db.example")  # type: ignore[attr-defined]


def test_an_answer_is_what_the_name_server_says_when_it_comes() -> None:
    two = Two()
    two.zone.delay("db.example", "2s")
    two.net.at("1s").names.add("db.example", "10.0.0.2")
    assert two.addresses("db.example") == ["10.0.0.2"]


def test_a_look_up_that_takes_time_in_a_handler_is_not_simulated() -> None:
    two = Two()
    two.zone.delay("server", "300ms")
    with two.client:
        channel = dispatcher()
        channel.create_socket()
        channel.call_later("1s", channel.connect, ("server", 80))
    with pytest.raises(NotImplementedError, match=r"getaddrinfo\(\) that has to wait inside a handler"):
        two.net.run()
    channel.close()


def test_a_look_up_without_delay_works_in_a_handler() -> None:
    two, seen = Two(), list[Any]()
    loop_for(two.client).call_later("1s", lambda: seen.append(two.addresses("server", AF_INET)))
    two.net.run()
    assert seen == [["10.0.0.2", "192.0.2.7"]]


def test_the_trace_has_look_ups_that_fail_or_take_time() -> None:
    two = Two()
    two.addresses("server")
    two.addresses("nobody.example")
    two.zone.delay("*", "300ms")
    two.back("10.0.0.2")
    two.zone.fail("server", "timeout")
    two.addresses("server")
    assert [event[4] for event in two.net.trace.events if event[1] == Kind.HAPPEN] == [
        "client looks up nobody.example: NXDOMAIN",
        "client looks up 10.0.0.2: server after 300ms",
        "client looks up server: timeout after 10s",
    ]


# --- order ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        # Labels: a ULA is reached from a ULA, but so is 2001:db8::7, and that does not match (rule 5).
        (["10.0.0.2", "2001:db8::7", "fd00::2"], ["fd00::2", "10.0.0.2", "2001:db8::7"]),
        # IPv6 before IPv4 (rule 6), IPv4 addresses in the order of the zone (rule 10).
        (["192.0.2.7", "10.0.0.2", "fd00::2"], ["fd00::2", "192.0.2.7", "10.0.0.2"]),
        # Scopes: 127.0.0.1 is of the link and reached from there; smaller scopes first (rule 8).
        (["10.0.0.2", "127.0.0.1"], ["127.0.0.1", "10.0.0.2"]),
        # The longest prefix in common with the source fd00::1 (rule 9): itself, ::3, ::5.
        (["fd00::5", "fd00::3", "fd00::1"], ["fd00::1", "fd00::3", "fd00::5"]),
        # An IPv4 address has nothing in common with the source unless it is the source.
        (["10.0.0.5", "10.0.0.3", "10.0.0.1"], ["10.0.0.1", "10.0.0.5", "10.0.0.3"]),
        # Nobody has 203.0.113.9: connect() would say ENETUNREACH (rule 1).
        (["203.0.113.9", "10.0.0.2"], ["10.0.0.2", "203.0.113.9"]),
        (["203.0.113.9", "fd99::9", "203.0.113.1"], ["fd99::9", "203.0.113.9", "203.0.113.1"]),
    ],
)
def test_addresses_come_in_the_order_of_rfc_6724(added: list[str], expected: list[str]) -> None:
    two = Two()
    two.net.host("third", addresses=["10.0.0.5", "fd00::5"])
    two.zone.add("many.example", *added)
    assert two.addresses("many.example") == expected


def test_a_host_with_a_global_address_prefers_global_ones() -> None:
    """RFC 6724: the source of 2001:db8::7 is then 2001:db8::1, which has its label."""
    net = Network()
    net.host("server", addresses=["2001:db8::7"])
    net.names.add("server", "fd00::1")
    client = net.host("client", addresses=["2001:db8::1"])
    assert client.source_address("2001:db8::7") == "2001:db8::1"
    assert client.source_address("fd00::1") == "fd00::2"
    found = client.getaddrinfo("server", 80, type=STREAM)
    assert [entry[4][0] for entry in found] == ["fd00::1", "2001:db8::7", "10.0.0.1"]


# --- what cannot mean anything -------------------------------------------------------------------------


def test_mistakes_in_a_zone_are_told() -> None:
    zone = Network().names
    zone.add("db.example", "10.0.0.2")
    zone.alias("alias.example", "db.example")
    for wrong in ("", "a b", "a..b", "10.0.0.1", "::1", "x" * 64, "*", "-x", "a/b", 7):
        with pytest.raises(UsageError, match="a name has labels"):
            zone.add(wrong, "10.0.0.2")  # type: ignore[arg-type]
    for address in ("x", "1.2", "10.0.0.256", "fe80::1%lo", "::ffff:10.0.0.1", 7):
        with pytest.raises(UsageError, match="an address is text like"):
            zone.add("db.example", address)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"give at least one address of 'x\.example'"):
        zone.add("x.example")
    with pytest.raises(UsageError, match=r"no name is 'x\.example'; there are db\.example"):
        zone.remove("x.example")
    with pytest.raises(UsageError, match=r"'db\.example' has no address 10\.0\.0\.3; it has 10\.0\.0\.2"):
        zone.remove("db.example", "10.0.0.3")
    with pytest.raises(UsageError, match=r"'alias\.example' is an alias"):
        zone.add("alias.example", "10.0.0.2")
    with pytest.raises(UsageError, match=r"'db\.example' has addresses already"):
        zone.alias("db.example", "alias.example")
    with pytest.raises(UsageError, match="cannot fail with 'EAI_AGAIN'; it can with NXDOMAIN, NODATA"):
        zone.fail("db.example", "EAI_AGAIN")
    with pytest.raises(UsageError, match="duration"):
        zone.delay("db.example", "soon")
