"""Sockets as files: makefile(), and who keeps the descriptor open (the socket module)."""

from __future__ import annotations

import socket as std

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import fill

FIN_SEEN = IN | OUT | RDHUP


def test_a_file_of_a_non_blocking_socket_reads_none_when_there_is_nothing(machine: Machine) -> None:
    """io.RawIOBase.read: None if no bytes are available; so says a buffered reader too."""
    one, other = machine.pair()
    raw = other.makefile("rb", buffering=0)
    assert raw.read(10) is None
    one.send(b"abc")
    machine.wait_for(other, IN | OUT)
    assert raw.read(10) == b"abc"
    with other.makefile("rb") as buffered:
        assert buffered.read(10) is None
    raw.close()


def test_a_file_keeps_the_socket_open(machine: Machine) -> None:
    """socket.makefile: close() of the socket waits for its files."""
    one, other = machine.pair()
    raw = other.makefile("rwb", buffering=0)
    number = other.fileno()
    other.close()
    assert raw.fileno() == number
    assert raw.write(b"x") == 1
    assert machine.eventually(lambda: outcome(one.recv, 10) == b"x")
    assert machine.mask(one) == "OUT"
    raw.close()
    machine.wait_for(one, FIN_SEEN)


def test_closing_the_file_keeps_the_socket_open(machine: Machine) -> None:
    """socket.makefile: the file and the socket are closed separately."""
    one, other = machine.pair()
    with other.makefile("wb") as file:
        file.write(b"line\n")
    assert machine.eventually(lambda: outcome(one.recv, 10) == b"line\n")
    assert other.send(b"more") == 4


def test_a_buffered_file_sends_when_it_is_flushed(machine: Machine) -> None:
    """io.BufferedWriter."""
    one, other = machine.pair()
    file = other.makefile("wb")
    file.write(b"abc")
    assert machine.mask(one) == "OUT"
    file.flush()
    machine.wait_for(one, IN | OUT)
    assert one.recv(10) == b"abc"
    file.close()


def test_a_file_in_text_reads_lines(machine: Machine) -> None:
    """socket.makefile: mode, encoding and newline as of open()."""
    one, other = machine.pair()
    one.send("größe\r\nnext\n".encode())
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, FIN_SEEN)
    other.setblocking(True)
    with other.makefile("r", encoding="utf-8") as file:
        assert file.readlines() == ["größe\n", "next\n"]


def test_a_raw_file_that_cannot_write_returns_none(machine: Machine) -> None:
    """io.RawIOBase.write: None if not even one byte could be written."""
    one, _ = machine.pair()
    fill(machine, one)
    raw = one.makefile("wb", buffering=0)
    assert raw.write(b"x") is None
    raw.close()


def test_a_file_has_the_modes_of_makefile_only(machine: Machine) -> None:
    """socket.makefile: r, w, b and their combinations."""
    one, _ = machine.pair()
    for mode, readable, writable in (("rb", True, False), ("wb", False, True), ("rwb", True, True)):
        raw = one.makefile(mode, buffering=0)
        assert (raw.readable(), raw.writable()) == (readable, writable)
        raw.close()
    with pytest.raises(ValueError, match="invalid mode"):
        one.makefile("a")
