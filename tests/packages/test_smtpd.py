"""smtpd, Python 3.11's own or standard-smtpd from PyPI, unedited, on simnet's asyncore, asked by smtplib."""

from __future__ import annotations

import smtplib
import sys
import threading
import warnings
from contextlib import contextmanager
from unittest import mock

import pytest

from simnet import Network, asyncore, install_asyncore
from simnet.outcomes import EVERY, GENTLE

with warnings.catch_warnings(), install_asyncore(replace=True):
    warnings.simplefilter("ignore", DeprecationWarning)
    smtpd = pytest.importorskip("smtpd", reason="neither Python's smtpd nor standard-smtpd is installed")
del sys.modules["smtpd"]  # others find theirs, with another asyncore

MAIL = "Subject: engines\r\n\r\n" + "".join(f".the {number}th line\r\n" for number in range(500))
RECEIVED = MAIL.replace("\r\n", "\n").rstrip("\n").encode()
STORMS = range(24)


@contextmanager
def serving(network, received):
    """A client of the server's on another host."""
    server, host = network.host("server"), network.host("client")

    class Server(smtpd.SMTPServer):
        def process_message(self, peer, mailfrom, rcpttos, data, **options):
            received.append(data)

    def serve():
        Server(("0.0.0.0", 25), None)
        asyncore.loop()

    server.spawn(serve, daemon=True)
    with host, mock.patch.object(smtplib, "socket", host.modules.socket):
        yield smtplib.SMTP(local_hostname="client", timeout=3600)


def test_what_smtplib_sends_is_received():
    received = []
    network = Network(latency="10ms")
    with serving(network, received) as client:
        client.connect("server", 25)
        client.sendmail("ada@example.org", ["charles@example.org"], MAIL)
        client.quit()
    assert received == [RECEIVED]


def test_on_loopback_too():
    received = []

    class Server(smtpd.SMTPServer):
        def process_message(self, peer, mailfrom, rcpttos, data, **options):
            received.append(data)

    channels = {}
    server = Server(("127.0.0.1", 0), None, map=channels)
    stop = threading.Event()

    def serve():
        while not stop.is_set() and channels:
            asyncore.loop(timeout=0.01, map=channels, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with smtplib.SMTP(*server.socket.getsockname(), local_hostname="client", timeout=10) as client:
            client.sendmail("ada@example.org", ["charles@example.org"], MAIL)
    finally:
        stop.set()
        thread.join(10)
        asyncore.close_all(channels)
    assert received == [RECEIVED]


def attempt(seed, only):
    """What was received in a storm, and what the client was told went wrong, or None."""
    received = []
    with serving(Network(seed=seed, only=only), received) as client:
        try:
            client.connect("server", 25)
            client.sendmail("ada@example.org", ["charles@example.org"], MAIL)
        except (OSError, smtplib.SMTPException) as error:
            return received, error
        finally:
            client.close()
    return received, None


@pytest.mark.parametrize("seed", STORMS)
def test_gentle_weather_changes_nothing(seed):
    assert attempt(seed, GENTLE) == ([RECEIVED], None)


def test_in_a_storm_mail_is_received_whole_or_its_failure_is_reported():
    outcomes = [attempt(seed, EVERY) for seed in STORMS]
    assert all(received in ([], [RECEIVED]) for received, _ in outcomes)
    assert all(received or error for received, error in outcomes)
    assert any(error for _, error in outcomes), "a storm that harms nobody shows nothing"
