"""pyftpdlib, unedited, on simnet's asyncore: Python's ftplib is served on loopback and on a virtual network,
and pyftpdlib's own tests have the outcomes that they have with the asyncore they were written for."""

from __future__ import annotations

import ftplib
import importlib.util
import io
import logging
import warnings
from contextlib import contextmanager
from unittest import mock

import pytest

from simnet import Network
from simnet.outcomes import EVERY, GENTLE
from tests.packages import own_suite

pytest.importorskip("pyftpdlib", reason="the extra `packages` is not installed")
from tests.packages import ftp  # imports pyftpdlib

CONTENT = bytes(range(256)) * 1000
STORMS = range(24)


@pytest.fixture(autouse=True)
def quiet():
    """pyftpdlib configures logging to stderr unless somebody has."""
    logger = logging.getLogger("pyftpdlib")
    handler, propagates = logging.NullHandler(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    yield
    logger.removeHandler(handler)
    logger.propagate = propagates


@contextmanager
def client_on(host):
    """ftplib, asking a virtual host."""
    with host, mock.patch.object(ftplib, "socket", host.modules.socket):
        yield ftplib.FTP()


@contextmanager
def on_loopback(folder):
    with ftp.served_on_loopback(folder) as address, ftplib.FTP() as client:
        client.connect(*address, timeout=10)
        yield client


@contextmanager
def on_the_virtual_network(folder):
    network = Network(latency="10ms")
    server, host = network.host("server"), network.host("client")
    server.spawn(ftp.serve, folder, daemon=True)
    with client_on(host) as client, client:
        client.connect("server", 21, timeout=10)
        yield client


@pytest.fixture(params=[on_loopback, on_the_virtual_network])
def client(request, tmp_path):
    """A client that has logged in."""
    with request.param(tmp_path) as made:
        assert made.login(ftp.USER, ftp.PASSWORD) == "230 Login successful."
        yield made


def fetched(client, name, rest=None):
    received = []
    assert client.retrbinary(f"RETR {name}", received.append, rest=rest) == "226 Transfer complete."
    return b"".join(received)


@pytest.mark.parametrize("passive", [True, False])
def test_what_was_uploaded_is_listed_and_comes_back(client, tmp_path, passive):
    client.set_pasv(passive)
    assert client.storbinary("STOR analysis", io.BytesIO(CONTENT)) == "226 Transfer complete."
    assert (tmp_path / "analysis").read_bytes() == CONTENT
    assert client.nlst() == ["analysis"]
    assert [(name, facts["size"]) for name, facts in client.mlsd()] == [("analysis", str(len(CONTENT)))]
    assert fetched(client, "analysis") == CONTENT
    assert client.quit() == "221 Goodbye."


def test_a_download_is_resumed_where_it_ended(client, tmp_path):
    (tmp_path / "analysis").write_bytes(CONTENT)
    assert fetched(client, "analysis", rest=100_000) == CONTENT[100_000:]


def test_an_upload_is_resumed_where_it_ended(client, tmp_path):
    (tmp_path / "analysis").write_bytes(CONTENT[:100_000])
    done = client.storbinary("STOR analysis", io.BytesIO(CONTENT[100_000:]), rest=100_000)
    assert done == "226 Transfer complete."
    assert (tmp_path / "analysis").read_bytes() == CONTENT


def test_lines_are_transferred_as_text(client, tmp_path):
    client.storlines("STOR notes", io.BytesIO(b"one\ntwo\n"))
    assert (tmp_path / "notes").read_bytes() == b"one\ntwo\n"
    lines = []
    client.retrlines("RETR notes", lines.append)
    assert lines == ["one", "two"]


def test_a_file_that_is_not_there_is_refused_and_the_session_goes_on(client):
    with pytest.raises(ftplib.error_perm, match=r"^550 No such file"):
        client.retrbinary("RETR nothing", bytes)
    assert client.pwd() == "/"


def test_to_log_in_takes_the_round_trips_that_it_takes(tmp_path):
    network = Network(latency="10ms")
    server, host = network.host("server"), network.host("client")
    server.spawn(ftp.serve, tmp_path, daemon=True)
    with client_on(host) as client, client:
        client.connect("server", 21)
        client.login(ftp.USER, ftp.PASSWORD)
        # SYN, SYN+ACK, ACK, greeting; USER and its answer; PASS and its answer: 8 x 10 ms.
        assert network.now == 0.080


def test_an_idle_client_is_disconnected_by_pyftpdlibs_own_timer(tmp_path):
    network = Network(latency="10ms")
    server, host = network.host("server"), network.host("client")
    server.spawn(ftp.serve, tmp_path, daemon=True)
    with client_on(host) as client, client:
        client.connect("server", 21)
        client.login(ftp.USER, ftp.PASSWORD)
        with pytest.raises(ftplib.error_temp, match=r"^421 Control connection timed out"):
            client.getresp()
        # PASS arrived at 70 ms; 300 s of silence; the answer is 10 ms under way.
        assert network.now == pytest.approx(300.080)


def test_two_servers_are_two_programs_each_with_its_one_loop(tmp_path):
    """pyftpdlib keeps its loop in a class, which is of the interpreter: here of each process."""
    network = Network(latency="10ms")
    for name in ("ada", "charles"):
        (tmp_path / name).mkdir()
        network.host(name).spawn(ftp.serve, tmp_path / name, daemon=True)

    def upload(name):
        with ftplib.FTP() as client:
            client.connect(name, timeout=10)
            client.login(ftp.USER, ftp.PASSWORD)
            return client.storbinary("STOR analysis", io.BytesIO(name.encode()))

    uploads = [network.host("client").spawn(upload, name) for name in ("ada", "charles")]
    network.run()
    assert [each.result for each in uploads] == ["226 Transfer complete."] * 2
    assert [(tmp_path / name / "analysis").read_text() for name in ("ada", "charles")] == ["ada", "charles"]


def attempt(folder, seed, only):
    """Upload and download once in a storm; what went wrong, as the client was told, or None.

    The listener of a data connection does not survive a failed accept, and need not: it is for one.
    """
    network = Network(seed=seed, only=only, check="-listener-survives")
    server, host = network.host("server"), network.host("client")
    (folder / "analysis").unlink(missing_ok=True)
    server.spawn(ftp.serve, folder, daemon=True, **ftp.patient(3600))
    with client_on(host) as client:
        try:
            client.connect("server", 21, timeout=3600)
            client.login(ftp.USER, ftp.PASSWORD)
            client.storbinary("STOR analysis", io.BytesIO(CONTENT))
            assert (folder / "analysis").read_bytes() == CONTENT
            assert fetched(client, "analysis") == CONTENT
        except ftplib.all_errors as error:
            return error
        finally:
            client.close()
    return None


def test_a_client_that_comes_after_half_a_minute_finds_no_data_channel(tmp_path):
    """pyftpdlib.handlers.PassiveDTP.timeout: 30 s."""
    network = Network(latency="10ms")
    server, host = network.host("server"), network.host("client")
    network.on("server", "segment", containing=b"227 Entering passive mode").late("60s")
    server.spawn(ftp.serve, tmp_path, daemon=True)
    with client_on(host) as client, client:
        client.connect("server", 21)
        client.login(ftp.USER, ftp.PASSWORD)
        with pytest.raises(ConnectionRefusedError):
            client.nlst()
        with pytest.raises(ftplib.error_temp, match=r"^421 Passive data channel timed out"):
            client.getresp()


@pytest.mark.parametrize("seed", STORMS)
def test_gentle_weather_changes_nothing_but_the_time(tmp_path, seed):
    assert attempt(tmp_path, seed, GENTLE) is None


def test_in_a_storm_a_transfer_is_complete_or_its_failure_is_reported(tmp_path):
    outcomes = [attempt(tmp_path, seed, EVERY) for seed in STORMS]
    assert None in outcomes
    assert any(outcomes), "a storm that harms nobody shows nothing"


# --- pyftpdlib's own tests -----------------------------------------------------------------------


def has_its_tests():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.util.find_spec("pyftpdlib.test") and importlib.util.find_spec("psutil")


needs_its_tests = pytest.mark.skipif(
    not has_its_tests(), reason="no tests come with this release of pyftpdlib, or psutil is missing"
)


@needs_its_tests
@pytest.mark.flaky(reruns=2)  # they wait for real threads and sockets, and give up after a second or two
@pytest.mark.parametrize("suite", own_suite.SUITES)
def test_what_passes_with_the_asyncore_it_was_written_for_passes_with_simnets(suite, tmp_path):
    ours = own_suite.run(suite, own_suite.OURS, folder=tmp_path)
    assert ours.asyncore == "simnet.asyncore", ours.output
    assert len(ours.passed) >= 50, ours.output
    others = own_suite.run(suite, own_suite.OTHERS, folder=tmp_path)
    assert others.asyncore == "asyncore", others.output
    assert others.passed - ours.passed == set(), ours.output


@needs_its_tests
def test_its_own_suite_notices_a_fault_in_simnets(tmp_path):
    """The canary: discard_buffers that discards nothing."""
    fault = "from simnet import asynchat; asynchat.async_chat.discard_buffers = lambda self: None; "
    found = own_suite.run("test_functional", own_suite.OURS + fault, folder=tmp_path)
    assert found.outcomes["TestFtpStoreData::test_stor"] == "FAILED"
