"""Look-ups that no name server is asked for: numbers, localhost, services, flags, and what is refused."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

import pytest

from .machine import Machine

AF_UNSPEC, AF_INET, AF_INET6 = std.AF_UNSPEC, std.AF_INET, std.AF_INET6
STREAM, DGRAM, RAW, SEQPACKET, RDM = (
    std.SOCK_STREAM,
    std.SOCK_DGRAM,
    std.SOCK_RAW,
    std.SOCK_SEQPACKET,
    std.SOCK_RDM,
)
TCP, UDP, SCTP, UDPLITE, ICMP = 6, 17, 132, 136, 1


def names_of(machine: Machine) -> Any:
    """The socket module of a machine, for its functions that look names up."""
    return machine.transport.modules.socket


def look_up(machine: Machine, *arguments: Any, **named: Any) -> Any:
    """The result of getaddrinfo(), or the name of its error."""
    return asked(names_of(machine).getaddrinfo, *arguments, **named)


def asked(call: Any, *arguments: Any, **named: Any) -> Any:
    """What a function returned; or the name of its error, or its text where it has none."""
    try:
        return call(*arguments, **named)
    except std.gaierror as error:
        return next(
            name for name in dir(std) if name.startswith("EAI_") and getattr(std, name) == error.errno
        )
    except OSError as error:
        return str(error)


def addresses(found: Any) -> Any:
    return found if isinstance(found, str) else [entry[4][0] for entry in found]


def kinds(found: Any) -> Any:
    return found if isinstance(found, str) else [(int(entry[1]), entry[2]) for entry in found]


# --- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("1.2", "1.0.0.2"),
        ("1.2.3", "1.2.0.3"),
        ("16909060", "1.2.3.4"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("1.16777215", "1.255.255.255"),
        (b"10.0.0.1", "10.0.0.1"),
        ("255.255.255.255", "255.255.255.255"),
    ],
)
def test_ipv4_numbers_are_read_as_inet_aton_reads_them(machine: Machine, text: Any, address: str) -> None:
    found = look_up(machine, text, 80, type=STREAM)
    assert found == [(AF_INET, STREAM, TCP, "", (address, 80))]


@pytest.mark.parametrize(
    "text",
    ["256.1.1.1", "1.2.3.256", "1.16777216", "4294967296", "1.2.3.4.5", "08.1.1.1", "0x", "127.0.0.1 ", "1.",
     "127.0.0.1%lo", "[::1]", "1:2:3", ":::", "", "<broadcast>", b"\xff", "localhost"],
)  # fmt: skip
def test_what_is_no_number_is_not_known_where_a_number_is_wanted(machine: Machine, text: Any) -> None:
    """getaddrinfo(3), AI_NUMERICHOST."""
    assert look_up(machine, text, 80, flags=std.AI_NUMERICHOST) == "EAI_NONAME"


@pytest.mark.parametrize(
    ("text", "sockaddr"),
    [
        ("::1", ("::1", 80, 0, 0)),
        ("2001:DB8:0:0::0001", ("2001:db8::1", 80, 0, 0)),
        ("::ffff:1.2.3.4", ("::ffff:1.2.3.4", 80, 0, 0)),
        ("::1.2.3.4", ("::1.2.3.4", 80, 0, 0)),
        ("fe80::1%lo", ("fe80::1", 80, 0, 1)),
        ("fe80::1%7", ("fe80::1", 80, 0, 7)),
        ("::1%1", ("::1", 80, 0, 1)),
        ("ff02::1%lo", ("ff02::1", 80, 0, 1)),
    ],
)
def test_ipv6_numbers_are_read_with_their_scope(machine: Machine, text: str, sockaddr: Any) -> None:
    assert look_up(machine, text, 80, type=DGRAM) == [(AF_INET6, DGRAM, UDP, "", sockaddr)]


@pytest.mark.parametrize(
    "text", ["fe80::1%nowhere", "fe80::1%", "::1%lo", "fe80::1%4294967296", "fe80::1%-1"]
)
def test_a_scope_that_does_not_exist_is_not_known(machine: Machine, text: str) -> None:
    """Only link-local addresses name an interface; others have its number."""
    assert look_up(machine, text, 80) == "EAI_NONAME"


def test_a_number_of_the_other_family_is_refused(machine: Machine) -> None:
    assert look_up(machine, "127.0.0.1", 80, AF_INET6) == "EAI_ADDRFAMILY"
    assert look_up(machine, "::1", 80, AF_INET) == "EAI_ADDRFAMILY"
    assert look_up(machine, "::1%nowhere", 80, AF_INET) == "EAI_ADDRFAMILY"


@pytest.mark.parametrize("more", [0, std.AI_ALL, std.AI_NUMERICHOST])
def test_an_ipv4_number_is_mapped_where_that_is_wanted(machine: Machine, more: int) -> None:
    """AI_V4MAPPED, and only for AF_INET6."""
    flags = std.AI_V4MAPPED | more
    assert addresses(look_up(machine, "10.0.0.1", 80, AF_INET6, STREAM, flags=flags)) == ["::ffff:10.0.0.1"]
    assert addresses(look_up(machine, "10.0.0.1", 80, AF_UNSPEC, STREAM, flags=flags)) == ["10.0.0.1"]


def test_a_mapped_number_is_an_ipv4_one_for_those_who_want_it(machine: Machine) -> None:
    assert addresses(look_up(machine, "::ffff:10.0.0.1", 80, AF_INET, STREAM)) == ["10.0.0.1"]


def test_the_canonical_name_of_a_number_is_as_it_was_written_and_comes_once(machine: Machine) -> None:
    found = look_up(machine, "0x7f.1", 80, flags=std.AI_CANONNAME)
    assert [entry[3] for entry in found] == ["0x7f.1", "", ""]


@pytest.fixture
def dual_stack(machine: Machine) -> Machine:
    """A machine with IPv4 and IPv6: what cannot be reached comes last."""
    if machine.name == "real":
        try:
            with std.socket(AF_INET6) as sock:
                sock.bind(("::1", 0))
        except OSError:
            pytest.skip("this computer has no IPv6")
    return machine


# --- no host -------------------------------------------------------------------------------------------


def test_without_a_host_it_is_this_one(dual_stack: Machine) -> None:
    assert addresses(look_up(dual_stack, None, 80, AF_UNSPEC, STREAM)) == ["::1", "127.0.0.1"]
    assert addresses(look_up(dual_stack, None, 80, AF_INET, STREAM)) == ["127.0.0.1"]
    assert addresses(look_up(dual_stack, "*", 80, AF_INET, STREAM)) == ["127.0.0.1"]


def test_a_passive_look_up_without_a_host_is_of_any_address(dual_stack: Machine) -> None:
    """AI_PASSIVE.  RFC 6724, rule 5: :: would be reached from ::1, whose label is another."""
    passive = std.AI_PASSIVE
    assert addresses(look_up(dual_stack, None, 80, type=STREAM, flags=passive)) == ["0.0.0.0", "::"]
    assert addresses(look_up(dual_stack, None, 80, AF_INET6, STREAM, flags=passive)) == ["::"]
    assert addresses(look_up(dual_stack, "127.0.0.1", 80, type=STREAM, flags=passive)) == ["127.0.0.1"]


def test_neither_a_host_nor_a_service_is_nothing_to_look_up(machine: Machine) -> None:
    assert look_up(machine, None, None) == "EAI_NONAME"
    assert look_up(machine, None, None, 99) == "EAI_NONAME"
    assert addresses(look_up(machine, None, "", AF_INET, STREAM)) == ["127.0.0.1"]


def test_localhost_is_this_host(machine: Machine) -> None:
    """RFC 6761, section 6.3.  A hosts file may lead there twice."""
    for name in ("localhost", b"localhost", "LOCALHOST"):
        assert set(addresses(look_up(machine, name, 80, AF_INET, STREAM))) == {"127.0.0.1"}
    assert set(addresses(look_up(machine, "localhost", 80))) <= {"127.0.0.1", "::1"}
    assert names_of(machine).gethostbyname("localhost") == "127.0.0.1"
    assert set(names_of(machine).gethostbyname_ex("localhost")[2]) == {"127.0.0.1"}
    name, aliases, found = names_of(machine).gethostbyaddr("127.0.0.1")
    assert "localhost" in (name, *aliases)
    assert found == ["127.0.0.1"]


# --- hints ---------------------------------------------------------------------------------------------


def test_without_hints_each_address_comes_as_stream_datagram_and_raw(machine: Machine) -> None:
    every = [(STREAM, TCP), (DGRAM, UDP), (RAW, 0)]
    assert kinds(look_up(machine, "127.0.0.1", 80)) == every
    assert kinds(look_up(machine, "127.0.0.1", None)) == every
    assert kinds(look_up(machine, "127.0.0.1", "")) == every


@pytest.mark.parametrize(
    ("type", "protocol", "expected"),
    [
        (STREAM, 0, (STREAM, TCP)),
        (DGRAM, 0, (DGRAM, UDP)),
        (SEQPACKET, 0, (SEQPACKET, SCTP)),
        (0, TCP, (STREAM, TCP)),
        (0, UDP, (DGRAM, UDP)),
        (0, SCTP, (STREAM, SCTP)),
        (0, UDPLITE, (DGRAM, UDPLITE)),
        (STREAM, SCTP, (STREAM, SCTP)),
        (STREAM, UDP, "EAI_SOCKTYPE"),
        (DGRAM, TCP, "EAI_SOCKTYPE"),
        (RDM, 0, "EAI_SOCKTYPE"),
        (99, 0, "EAI_SOCKTYPE"),
        (-1, 0, "EAI_SOCKTYPE"),
        (RAW, 0, "EAI_SERVICE"),
        (0, ICMP, "EAI_SERVICE"),
    ],
)
def test_hints_choose_the_kind_of_socket(
    machine: Machine, type: int, protocol: int, expected: Any
) -> None:  # fmt: skip
    """The table gaih_inet_typeproto in glibc's getaddrinfo.c.  What is raw has no port."""
    found = kinds(look_up(machine, "127.0.0.1", 80, AF_INET, type, protocol))
    assert found == (expected if isinstance(expected, str) else [expected])


def test_a_raw_socket_has_the_protocol_of_the_hints_and_no_port(machine: Machine) -> None:
    assert kinds(look_up(machine, "127.0.0.1", None, type=RAW, proto=ICMP)) == [(RAW, ICMP)]
    assert kinds(look_up(machine, "127.0.0.1", None, proto=ICMP)) == [(RAW, ICMP)]
    assert kinds(look_up(machine, "127.0.0.1", None, type=RAW, proto=TCP)) == [(RAW, TCP)]


def test_a_family_that_is_not_of_the_internet_is_refused(machine: Machine) -> None:
    for family in (std.AF_UNIX, std.AF_NETLINK, 99, -1):
        assert look_up(machine, "127.0.0.1", 80, family) == "EAI_FAMILY"


def test_flags_that_do_not_exist_or_make_no_sense_are_refused(machine: Machine) -> None:
    for flags in (0x800, 0x1000, -1):
        assert look_up(machine, "127.0.0.1", 80, flags=flags) == "EAI_BADFLAGS"
    assert look_up(machine, None, 80, flags=std.AI_CANONNAME) == "EAI_BADFLAGS"


def test_an_error_of_the_hints_comes_before_one_of_the_host(machine: Machine) -> None:
    numeric = std.AI_NUMERICHOST
    assert look_up(machine, "localhost", 80, type=99, flags=numeric) == "EAI_SOCKTYPE"
    assert look_up(machine, "localhost", "-1", flags=numeric) == "EAI_SERVICE"
    assert look_up(machine, "localhost", "-1", 99, flags=numeric) == "EAI_FAMILY"
    assert look_up(machine, "localhost", "x", 99, flags=numeric | std.AI_NUMERICSERV) == "EAI_FAMILY"
    assert look_up(machine, "localhost", "x", 0, 99, flags=numeric | std.AI_NUMERICSERV) == "EAI_NONAME"


# --- ports and services --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "port"),
    [(80, 80), (0, 0), ("80", 80), (b"80", 80), (" 80", 80), ("+80", 80), ("0080", 80), ("80\0x", 80),
     ("", 0), (None, 0), (65536, 0), (70000, 4464), (2**32 + 80, 80), (-(2**63), 0), ("-4294967216", 80)],
)  # fmt: skip
def test_a_port_is_read_by_strtoul_and_its_lower_16_bits_count(
    machine: Machine, service: Any, port: int
) -> None:
    assert look_up(machine, "127.0.0.1", service, type=STREAM)[0][4] == ("127.0.0.1", port)


@pytest.mark.parametrize(
    "service", [-1, 2**31, "-1", "99999999999999999999", "80 ", "0x50", "nowhere", "ü", " "]
)
def test_what_is_neither_a_port_nor_a_service_is_not_supported(machine: Machine, service: Any) -> None:
    for type in (0, STREAM, DGRAM):
        assert look_up(machine, "127.0.0.1", service, type=type) == "EAI_SERVICE"


def test_a_service_by_name_is_not_known_where_a_number_is_wanted(machine: Machine) -> None:
    """AI_NUMERICSERV.  A number that is none of a port is still a number."""
    for service, error in (("http", "EAI_NONAME"), ("80 ", "EAI_NONAME"), ("-1", "EAI_SERVICE")):
        assert look_up(machine, "127.0.0.1", service, type=STREAM, flags=std.AI_NUMERICSERV) == error


@pytest.fixture
def services(machine: Machine) -> Any:
    """A machine that has the usual file of services."""
    if isinstance(asked(names_of(machine).getservbyname, "http"), str):
        pytest.skip("this computer has no /etc/services")
    return machine


def test_a_service_by_name_comes_with_the_protocols_that_it_has(services: Machine) -> None:
    tcp, udp = ("127.0.0.1", 80), ("127.0.0.1", 123)
    assert look_up(services, "127.0.0.1", "http") == [(AF_INET, STREAM, TCP, "", tcp)]
    assert look_up(services, "127.0.0.1", b"www") == [(AF_INET, STREAM, TCP, "", tcp)]
    assert look_up(services, "127.0.0.1", "ntp") == [(AF_INET, DGRAM, UDP, "", udp)]
    assert kinds(look_up(services, "127.0.0.1", "domain")) == [(STREAM, TCP), (DGRAM, UDP)]
    assert look_up(services, "127.0.0.1", "http", type=DGRAM) == "EAI_SERVICE"
    assert look_up(services, "127.0.0.1", "HTTP") == "EAI_SERVICE"


def test_services_lead_to_ports_and_back(services: Machine) -> None:
    """services(5)."""
    names = names_of(services)
    expected = {"http": 80, "https": 443, "ssh": 22, "smtp": 25, "telnet": 23, "ftp": 21, "pop3": 110,
                "imaps": 993, "ldap": 389, "echo": 7, "discard": 9, "daytime": 13, "domain": 53}  # fmt: skip
    assert {name: names.getservbyname(name) for name in expected} == expected
    assert {names.getservbyport(port, "tcp"): port for port in expected.values()} == expected
    assert names.getservbyname("domain", "udp") == 53
    assert (names.getservbyport(514, "tcp"), names.getservbyport(514, "udp")) == ("shell", "syslog")
    for arguments in (("nowhere",), ("http", "sctp"), ("http", "TCP"), ("HTTP",)):
        assert asked(names.getservbyname, *arguments) == "service/proto not found"
    for numbers in ((54321,), (80, "sctp")):
        assert asked(names.getservbyport, *numbers) == "port/proto not found"


def test_protocols_have_numbers(services: Machine) -> None:
    """protocols(5)."""
    expected = {"ip": 0, "icmp": 1, "tcp": 6, "TCP": 6, "udp": 17, "ipv6": 41, "ipv6-icmp": 58, "sctp": 132}
    assert {name: names_of(services).getprotobyname(name) for name in expected} == expected
    for name in ("nothing", "Tcp", ""):
        assert asked(names_of(services).getprotobyname, name) == "protocol not found"


# --- gethostbyname() and its kin -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "address"),
    [("127.0.0.1", "127.0.0.1"), (bytearray(b"10.0.0.1"), "10.0.0.1"), ("127.1", "127.0.0.1"),
     ("", "0.0.0.0"), ("<broadcast>", "255.255.255.255"), ("::ffff:1.2.3.4", "1.2.3.4")],
)  # fmt: skip
def test_gethostbyname_knows_numbers_and_two_words(machine: Machine, name: Any, address: str) -> None:
    assert names_of(machine).gethostbyname(name) == address


def test_gethostbyname_is_for_ipv4(machine: Machine) -> None:
    for call in (
        names_of(machine).gethostbyname,
        names_of(machine).gethostbyname_ex,
    ):
        assert asked(call, "::1") == "EAI_ADDRFAMILY"


def test_gethostbyname_ex_of_a_number_is_the_number(machine: Machine) -> None:
    assert names_of(machine).gethostbyname_ex("127.1") == ("127.1", [], ["127.0.0.1"])


def test_the_fully_qualified_name_of_nothing_is_the_own_one(machine: Machine) -> None:
    names = names_of(machine)
    assert names.getfqdn() == names.getfqdn("") == names.getfqdn("0.0.0.0") == names.getfqdn("::")


# --- getnameinfo() -------------------------------------------------------------------------------------

NUMBERS = std.NI_NUMERICHOST | std.NI_NUMERICSERV


@pytest.mark.parametrize(
    ("sockaddr", "expected"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", "80")),
        (("1.2", 65536), ("1.0.0.2", "0")),
        (("127.0.0.1", 99999), ("127.0.0.1", "34463")),
        (("::1", 80), ("::1", "80")),
        (("::1", 80, 5), ("::1", "80")),
        (("fe80::1", 80, 0, 1), ("fe80::1%lo", "80")),
        (("fe80::1", 80, 0, 77), ("fe80::1%77", "80")),
        (("2001:db8::1", 80, 0, 1), ("2001:db8::1%1", "80")),
        (("fe80::1%lo", 80, 0, 0), ("fe80::1", "80")),
        (("::1", 80, 0, 2**32), ("::1", "80")),
        (("localhost", 80), "EAI_NONAME"),
        (("", 80), "EAI_NONAME"),
        (("127.0.0.1", -1), "EAI_SERVICE"),
    ],
)
def test_getnameinfo_writes_numbers(machine: Machine, sockaddr: Any, expected: Any) -> None:
    assert asked(names_of(machine).getnameinfo, sockaddr, NUMBERS) == expected


def test_a_name_that_is_required_cannot_be_a_number(machine: Machine) -> None:
    """getnameinfo(3), NI_NAMEREQD."""
    required = NUMBERS | std.NI_NAMEREQD
    assert asked(names_of(machine).getnameinfo, ("127.0.0.1", 80), required) == "EAI_NONAME"


def test_getnameinfo_refuses_flags_that_do_not_exist(machine: Machine) -> None:
    for flags in (0x1000, -1):
        assert asked(names_of(machine).getnameinfo, ("127.0.0.1", 80), flags) == "EAI_BADFLAGS"


def test_a_service_has_its_name_by_protocol(services: Machine) -> None:
    """getnameinfo(3), NI_DGRAM."""
    call, flags = names_of(services).getnameinfo, std.NI_NUMERICHOST
    assert call(("127.0.0.1", 514), flags)[1] == "shell"
    assert call(("127.0.0.1", 514), flags | std.NI_DGRAM)[1] == "syslog"
    assert call(("127.0.0.1", 54321), flags)[1] == "54321"


@pytest.mark.parametrize(
    ("sockaddr", "error"),
    [
        ("127.0.0.1", TypeError),
        (["127.0.0.1", 80], TypeError),
        (("127.0.0.1",), TypeError),
        (("127.0.0.1", "80"), TypeError),
        ((b"127.0.0.1", 80), TypeError),
        (("::1", 80, 0, 0, 0), TypeError),
        (("::1", 80, "0"), TypeError),
        (("::1", 80, 0x100000), OverflowError),
        (("127.0.0.1", 2**31), OverflowError),
        (("127.0.0.1\0", 80), ValueError),
        (("127.0.0.1", 80, 0), OSError),
    ],
)
def test_getnameinfo_refuses_what_is_no_address(
    machine: Machine, sockaddr: Any, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        names_of(machine).getnameinfo(sockaddr, NUMBERS)
    assert type(caught.value) is error


# --- arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((7, 80), TypeError),
        ((bytearray(b"127.0.0.1"), 80), TypeError),
        (("127.0.0.1", 80, "x"), TypeError),
        (("127.0.0.1", 80, 0, 1.0), TypeError),
        (("127.0.0.1", 80, 2**40), OverflowError),
        (("127.0.0.1", True), OSError),
        (("127.0.0.1", 80.0), OSError),
        (("a..b", 80), UnicodeError),
        (("x" * 64, 80), UnicodeError),
    ],
)
def test_getaddrinfo_refuses_arguments_of_another_type(
    machine: Machine, arguments: Any, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        names_of(machine).getaddrinfo(*arguments)
    assert caught.value.__class__ in (error, UnicodeEncodeError)


def test_gethostbyname_refuses_arguments_of_another_type(machine: Machine) -> None:
    for call in (
        names_of(machine).gethostbyname,
        names_of(machine).gethostbyname_ex,
        names_of(machine).gethostbyaddr,
    ):
        for wrong in (7, None, "a\0b", b"a\0b"):
            with pytest.raises(TypeError):
                call(wrong)
    with pytest.raises(OSError, match="wildcard resolved to multiple address"):
        names_of(machine).gethostbyaddr("")


def test_services_refuse_arguments_of_another_type(machine: Machine) -> None:
    names = names_of(machine)
    for call, arguments, error in (
        (names.getservbyname, (b"http",), TypeError),
        (names.getservbyname, ("http", None), TypeError),
        (names.getservbyname, ("http\0",), ValueError),
        (names.getservbyport, ("80",), TypeError),
        (names.getservbyport, (65536,), OverflowError),
        (names.getservbyport, (-1,), OverflowError),
        (names.getprotobyname, (6,), TypeError),
    ):
        with pytest.raises(error):
            call(*arguments)


def test_the_results_have_the_enumerations_of_the_socket_module(machine: Machine) -> None:
    family, type, *_ = names_of(machine).getaddrinfo("::1", 80, type=STREAM)[0]
    assert (family.name, type.name) == ("AF_INET6", "SOCK_STREAM")


# --- interfaces ----------------------------------------------------------------------------------------


def test_interfaces_have_names_and_indexes(machine: Machine) -> None:
    """if_nameindex(3); lo is the first everywhere."""
    names = names_of(machine)
    assert (1, "lo") in names.if_nameindex()
    assert names.if_nametoindex("lo") == names.if_nametoindex(b"lo") == 1
    assert names.if_indextoname(1) == "lo"
    for index in (0, 999_999):
        with pytest.raises(OSError) as caught:
            names.if_indextoname(index)
        assert caught.value.errno == errno.ENXIO
    assert asked(names.if_nametoindex, "nowhere") == "no interface with this name"


def test_interfaces_refuse_arguments_of_another_type(machine: Machine) -> None:
    names = names_of(machine)
    for call, wrong, error in (
        (names.if_nametoindex, 7, TypeError),
        (names.if_nametoindex, "l\0o", ValueError),
        (names.if_indextoname, "1", TypeError),
        (names.if_indextoname, -1, OverflowError),
        (names.if_indextoname, 2**64, OverflowError),
    ):
        with pytest.raises(error):
            call(wrong)
