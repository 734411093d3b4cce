"""AF_UNIX names: paths, abstract names, none at all, and what becomes of them (unix(7))."""

from __future__ import annotations

import socket as std

import pytest

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import not_simulated, pair, unix, unix_bound, unix_connected, unix_listener, unix_pair

KINDS = pytest.mark.parametrize(
    "kind", [std.SOCK_STREAM, std.SOCK_DGRAM], ids=lambda kind: {1: "stream", 2: "datagram"}[kind]
)


@KINDS
def test_a_fresh_socket_has_no_name(machine: Machine, kind: int) -> None:
    """unix(7), unnamed: getsockname() gives an empty path."""
    sock = unix(machine, kind)
    assert sock.getsockname() == ""
    assert outcome(sock.getpeername) == "ENOTCONN"


@KINDS
def test_bind_makes_a_file_and_getsockname_tells_its_path(machine: Machine, kind: int) -> None:
    """unix(7), pathname sockets."""
    path = machine.path()
    assert not machine.modules.os.path.exists(path)
    sock = unix_bound(machine, kind, path)
    assert sock.getsockname() == path
    assert machine.modules.os.path.exists(path)


@KINDS
def test_bind_to_a_path_that_exists_is_eaddrinuse(machine: Machine, kind: int) -> None:
    """bind(2), EADDRINUSE; unix(7): also of a socket that is closed, until somebody unlinks it."""
    sock = unix_bound(machine, kind)
    path = sock.getsockname()
    assert outcome(unix(machine, kind).bind, path) == "EADDRINUSE"
    sock.close()
    assert outcome(unix(machine, kind).bind, path) == "EADDRINUSE"
    machine.modules.os.unlink(path)
    assert outcome(unix(machine, kind).bind, path) == "ok"


@KINDS
def test_a_bound_socket_is_not_bound_again(machine: Machine, kind: int) -> None:
    """bind(2), EINVAL."""
    sock = unix_bound(machine, kind)
    path = sock.getsockname()
    assert outcome(sock.bind, machine.path()) == "EINVAL"
    assert sock.getsockname() == path


@KINDS
def test_bind_in_a_directory_that_is_not_there_is_enoent(machine: Machine, kind: int) -> None:
    """bind(2), ENOENT: a component in the directory prefix does not exist."""
    sock = unix(machine, kind)
    assert outcome(sock.bind, machine.path() + "/missing/socket") == "ENOENT"
    assert sock.getsockname() == ""


@KINDS
def test_connect_to_a_path_that_is_not_there_is_enoent(machine: Machine, kind: int) -> None:
    """connect(2); unix_find_bsd."""
    assert outcome(unix(machine, kind).connect, machine.path()) == "ENOENT"


@KINDS
def test_connect_to_the_path_of_a_closed_socket_is_econnrefused(machine: Machine, kind: int) -> None:
    """connect(2), ECONNREFUSED: the file is there, and no socket behind it."""
    sock = unix_bound(machine, kind)
    path = sock.getsockname()
    sock.close()
    assert outcome(unix(machine, kind).connect, path) == "ECONNREFUSED"


@not_simulated("os.open")
def test_connect_to_a_file_that_is_no_socket_is_econnrefused(machine: Machine) -> None:
    """unix_find_bsd: S_ISSOCK is asked."""
    path = machine.path()
    os = machine.modules.os
    machine.keep_descriptor(os.open(path, os.O_CREAT | os.O_RDWR))
    assert outcome(unix(machine).connect, path) == "ECONNREFUSED"


def test_connect_to_a_socket_that_does_not_listen_is_econnrefused(machine: Machine) -> None:
    """connect(2), ECONNREFUSED: no one listening on the remote address."""
    assert outcome(unix(machine).connect, unix_bound(machine).getsockname()) == "ECONNREFUSED"


def test_connect_to_a_socket_of_another_type_is_eprototype(machine: Machine) -> None:
    """connect(2), EPROTOTYPE: a datagram socket and a stream socket."""
    listener, datagram = unix_listener(machine), unix_bound(machine, std.SOCK_DGRAM)
    assert outcome(unix(machine, std.SOCK_DGRAM).connect, listener.getsockname()) == "EPROTOTYPE"
    assert outcome(unix(machine).connect, datagram.getsockname()) == "EPROTOTYPE"


@KINDS
def test_connect_to_an_empty_name_is_einval(machine: Machine, kind: int) -> None:
    """unix_validate_addr: there is nothing behind the family."""
    assert outcome(unix(machine, kind).connect, "") == "EINVAL"


@KINDS
def test_a_path_longer_than_107_bytes_is_refused_before_the_kernel_is_asked(
    machine: Machine, kind: int
) -> None:
    """unix(7): sun_path has 108 bytes; the socket module wants room for the terminating null byte."""
    with pytest.raises(OSError, match="AF_UNIX path too long"):
        unix(machine, kind).bind("/" + "x" * 108)


@KINDS
def test_binding_to_the_empty_name_gives_an_abstract_one_of_five_digits(machine: Machine, kind: int) -> None:
    """unix(7), autobind: a null byte and 5 bytes of [0-9a-f]."""
    first, second = unix(machine, kind), unix(machine, kind)
    assert outcome(first.bind, "") == "ok"
    assert outcome(second.bind, "") == "ok"
    name = first.getsockname()
    assert len(name) == 6
    assert name[:1] == b"\0"
    assert int(name[1:], 16) >= 0
    assert name != second.getsockname()


@KINDS
def test_binding_a_bound_socket_to_the_empty_name_leaves_its_name(machine: Machine, kind: int) -> None:
    """unix_autobind: there is a name already, and that is no error."""
    sock = unix_bound(machine, kind)
    path = sock.getsockname()
    assert outcome(sock.bind, "") == "ok"
    assert sock.getsockname() == path


@KINDS
def test_a_socket_has_one_name_whether_path_or_abstract(machine: Machine, kind: int) -> None:
    """unix_bind_bsd, unix_bind_abstract: EINVAL where there is an address already; a name in vain is free."""
    for first in (machine.path, machine.abstract):
        for second in (machine.path, machine.abstract):
            sock, vain = unix_bound(machine, kind, first()), second()
            name = sock.getsockname()
            assert outcome(sock.bind, vain) == "EINVAL"
            assert sock.getsockname() == name
            assert outcome(unix(machine, kind).bind, vain) == "ok"


def test_abstract_names_are_bytes_that_begin_with_null(machine: Machine) -> None:
    """unix(7), abstract; the socket module tells them as bytes."""
    name = machine.abstract()
    listener = unix_listener(machine, name=name)
    assert listener.getsockname() == name.encode()
    opener, accepted = unix_pair(machine, listener)
    assert opener.getpeername() == accepted.getsockname() == name.encode()


def test_abstract_names_are_no_files_and_go_with_their_socket(machine: Machine) -> None:
    """unix(7): the abstract name disappears when all open references to the socket are closed."""
    name = machine.abstract()
    listener = unix_listener(machine, name=name)
    assert outcome(unix(machine).bind, name) == "EADDRINUSE"
    listener.close()
    assert outcome(unix(machine).connect, name) == "ECONNREFUSED"
    assert outcome(unix(machine).bind, name) == "ok"


def test_a_stream_and_a_datagram_socket_may_have_the_same_abstract_name(machine: Machine) -> None:
    """unix_find_by_name in net/unix/af_unix.c hashes the type with the name."""
    name = machine.abstract()
    unix_bound(machine, std.SOCK_STREAM, name)
    assert outcome(unix(machine, std.SOCK_DGRAM).bind, name) == "ok"


def test_every_byte_of_an_abstract_name_counts(machine: Machine) -> None:
    """unix(7): null bytes have no special significance."""
    name = machine.abstract()
    listener = unix_listener(machine, name=name + "\0tail")
    assert outcome(unix(machine).connect, name) == "ECONNREFUSED"
    assert outcome(unix(machine).connect, name + "\0tail") == "ok"
    assert listener.getsockname() == (name + "\0tail").encode()


def test_a_path_may_be_given_as_bytes(machine: Machine) -> None:
    """The socket module takes str, in the file system's encoding, and bytes."""
    path = machine.path()
    listener = unix_listener(machine, name=path.encode())
    assert listener.getsockname() == path
    assert outcome(unix(machine).connect, path.encode()) == "ok"


def test_the_accepted_end_has_the_name_of_the_listener_and_the_opener_has_none(machine: Machine) -> None:
    """unix_stream_connect: the new socket shares the listener's address."""
    listener = unix_listener(machine)
    opener, accepted = unix_pair(machine, listener)
    path = listener.getsockname()
    assert (opener.getsockname(), opener.getpeername()) == ("", path)
    assert (accepted.getsockname(), accepted.getpeername()) == (path, "")


def test_accept_of_an_unnamed_peer_gives_an_empty_address(machine: Machine) -> None:
    """accept(2); unix(7), unnamed."""
    listener = unix_listener(machine)
    unix_connected(machine, listener)
    accepted, address = listener.accept()
    machine.keep(accepted)
    assert address == ""


def test_an_opener_that_is_bound_shows_its_name_to_the_other_end(machine: Machine) -> None:
    """getpeername(2)."""
    listener, opener = unix_listener(machine), unix_bound(machine)
    opener.connect(listener.getsockname())
    accepted, address = listener.accept()
    machine.keep(accepted)
    assert address == accepted.getpeername() == opener.getsockname()


@KINDS
def test_the_ends_of_a_socketpair_have_no_names(machine: Machine, kind: int) -> None:
    """socketpair(2): unnamed."""
    for sock in pair(machine, kind):
        assert sock.getsockname() == sock.getpeername() == ""


def test_unlinking_a_path_disturbs_no_connection(machine: Machine) -> None:
    """unlink(2): the name is removed, and processes that have the socket may go on using it."""
    listener = unix_listener(machine)
    one, other = unix_pair(machine, listener)
    waiting = unix_connected(machine, listener)
    path = listener.getsockname()
    machine.modules.os.unlink(path)
    assert outcome(unix(machine).connect, path) == "ENOENT"
    assert one.send(b"x") == 1
    assert other.recv(1) == b"x"
    assert machine.mask(listener) == "IN"
    assert machine.mask(waiting) == "OUT"
    assert listener.getsockname() == path
    assert machine.keep(listener.accept()[0]).getsockname() == path


def test_a_path_that_was_bound_anew_leads_to_the_new_socket(machine: Machine) -> None:
    """What a server does that is started again: unlink, bind, listen."""
    old = unix_listener(machine)
    path = old.getsockname()
    machine.modules.os.unlink(path)
    new = unix_listener(machine, name=path)
    unix_connected(machine, new)
    assert machine.poll_mask(new) == IN
    assert machine.poll_mask(old) == 0


def test_bind_after_connect_is_allowed(machine: Machine) -> None:
    """unix_bind asks for an address of its own, not for a peer; the peer sees the name from then on."""
    opener, accepted = unix_pair(machine)
    path = machine.path()
    assert outcome(opener.bind, path) == "ok"
    assert opener.getsockname() == accepted.getpeername() == path
    assert machine.poll_mask(opener) == OUT


def test_names_outlive_the_peer(machine: Machine) -> None:
    """unix_release_sock: the peer's address is kept as long as the connection is referred to."""
    listener = unix_listener(machine)
    opener, accepted = unix_pair(machine, listener)
    accepted.close()
    assert opener.getpeername() == listener.getsockname()
