"""What a process could tell of the computer that it runs on: its zone, its name, its way to the internet."""

from __future__ import annotations

import ctypes
import datetime
import email.utils
import imaplib
import io
import logging
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from simnet import Network, fence
from tests.unit.in_a_process import run

BOOT = datetime.datetime(2020, 9, 13, 12, 26, 40)


@pytest.fixture
def _in_tokyo(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# --- the zone ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_in_tokyo")
def test_local_time_is_utc_wherever_this_computer_stands(network, client):
    def read() -> object:
        seconds = 1_000_000_000
        moment = datetime.datetime(2001, 9, 9, 1, 46, 40)
        assert datetime.datetime.fromtimestamp(seconds) == moment
        assert datetime.date.fromtimestamp(seconds) == moment.date()
        assert moment.timestamp() == seconds
        assert moment.astimezone(datetime.UTC) == moment.replace(tzinfo=datetime.UTC)
        assert moment.replace(tzinfo=datetime.UTC).astimezone().utcoffset() == datetime.timedelta(0)
        assert datetime.datetime.now().astimezone().tzname() == "UTC"
        assert (time.timezone, time.altzone, time.daylight, time.tzname) == (0, 0, 0, ("UTC", "UTC"))
        assert email.utils.formatdate(localtime=True) == "Sun, 13 Sep 2020 12:26:40 +0000"
        assert imaplib.Time2Internaldate(seconds) == '"09-Sep-2001 01:46:40 +0000"'
        return datetime.datetime.now()

    assert run(network, client, read) == BOOT
    assert datetime.datetime.fromtimestamp(0).hour == 9
    assert datetime.datetime(1970, 1, 1, 9).timestamp() == 0
    assert (time.timezone, time.tzname) == (-9 * 3600, ("JST", "JST"))


@pytest.mark.usefixtures("_in_tokyo")
def test_subclasses_and_other_zones_are_as_ever(network, client):
    class Moment(datetime.datetime):
        pass

    def read() -> object:
        zone = datetime.timezone(datetime.timedelta(hours=2))
        there = datetime.datetime.fromtimestamp(0, zone)
        return (
            type(Moment.fromtimestamp(0)) is Moment,
            there.isoformat(),
            there.timestamp(),
            there.astimezone(datetime.UTC).hour,
            datetime.datetime.fromtimestamp(0.25, tz=None).microsecond,
        )

    assert run(network, client, read) == (True, "1970-01-01T02:00:00+02:00", 0.0, 0, 250_000)


@pytest.mark.usefixtures("_in_tokyo")
def test_log_records_tell_the_hosts_time(network, client):
    text, before = io.StringIO(), logging.LogRecord("", 0, "", 0, "", (), None)

    def log() -> None:
        handler = logging.StreamHandler(text)
        handler.setFormatter(logging.Formatter("%(asctime)s %(relativeCreated)d %(process)d %(threadName)s"))
        logger = logging.getLogger("test_log_records_tell_the_hosts_time")
        logger.propagate = False
        logger.addHandler(handler)
        time.sleep(20)
        logger.error("")

    run(network, client, log)
    assert text.getvalue() == "2020-09-13 12:27:00,000 20000 1 MainThread\n"
    after = logging.LogRecord("", 0, "", 0, "", (), None)
    assert 0 <= after.relativeCreated - before.relativeCreated < 60_000


def test_another_zone_is_refused_by_name(network, client, monkeypatch):
    def choose() -> None:
        time.tzset()
        os.environ["TZ"] = "Asia/Tokyo"
        with pytest.raises(NotImplementedError, match="Asia/Tokyo"):
            time.tzset()

    monkeypatch.setenv("TZ", "UTC")
    run(network, client, choose)


def test_the_types_are_as_before_when_the_fence_is_down(network, client):
    fence.take_down()
    before = dict(vars(datetime.datetime)), dict(vars(datetime.date)), type(time)
    run(network, client, lambda: None)
    assert type(time) is not before[2]
    fence.take_down()
    assert (dict(vars(datetime.datetime)), dict(vars(datetime.date)), type(time)) == before


# --- the machine -------------------------------------------------------------------------------------


def test_a_host_has_its_own_name_and_card_and_four_processors(network, client):
    def ask() -> object:
        return (
            (platform.node(), os.uname().nodename, socket.gethostname(), platform.system()),
            (os.cpu_count(), len(os.sched_getaffinity(0)), ThreadPoolExecutor()._max_workers),
            (f"{uuid.getnode():x}", os.getpid(), os.getppid()),
        )

    before = platform.node()
    names, processors, numbers = run(network, client, ask)
    assert names == ("client", "client", "client", "Linux")
    assert processors == (4, 4, 8)  # 4 + 4 threads
    assert numbers == ("2000a000001", 1, 0)
    assert platform.node() == before


def test_a_uuid_of_version_1_tells_the_hosts_clock_and_card(network, server, client):
    def make() -> object:
        made = [uuid.uuid1() for _ in range(3)]
        assert len(set(made)) == 3
        assert {each.node for each in made} == {uuid.getnode()}
        assert uuid.uuid1(node=7, clock_seq=9).fields[-1] == 7
        return made[0]

    first = run(network, client, make)
    assert first.version == 1
    seconds = (first.time - 0x01B21DD213814000) / 10**7
    assert seconds == pytest.approx(1_600_000_000, abs=1)
    again = Network()
    assert run(again, again.host("server"), make) == run(network, server, make) != first


# --- the environment ---------------------------------------------------------------------------------

READ = """
import os, tempfile, urllib.request, datetime, uuid, random
from simnet import Network

def read():
    os.environ["https_proxy"] = "http://proxy:3128"
    found = (
        urllib.request.getproxies(), os.environ.get("HTTP_PROXY"), "TZ" in os.environ, os.getenv("SHOP"),
        datetime.datetime.fromtimestamp(0), uuid.uuid1(), os.path.basename(tempfile.mktemp()),
        sorted(name for name in os.environ if "proxy" in name.lower()), os.environb.get(b"http_proxy"),
        [name for name in os.environ.copy() if name == "SHOP"],
    )
    del os.environ["https_proxy"]
    return found

network = Network()
process = network.host("client").spawn(read)
network.run()
print(process.result)
assert os.environ.get("HTTP_PROXY") == os.environ.get("EXPECTED")
"""


def test_a_run_is_the_same_behind_a_proxy_and_in_another_zone():
    def outcome(**environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", READ],
            env={"PYTHONPATH": ":".join(sys.path), "SHOP": "bakery", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    here = outcome(TZ="Europe/Paris")
    proxy = "http://proxy.example:1"
    there = outcome(
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "no_proxy", "EXPECTED"), proxy),
        TZ="Asia/Tokyo",
        PYTHONHASHSEED="7",
    )
    assert here == there
    assert here.startswith("({'https': 'http://proxy:3128'}, None, False, 'bakery', ")


def test_a_proxy_that_a_test_sets_is_one(network, client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.delenv("http_proxy", raising=False)
    assert run(network, client, lambda: urllib.request.getproxies()["http"]) == "http://proxy:3128"


def test_what_a_process_sets_is_its_own(network, server, client, monkeypatch):
    monkeypatch.setenv("SHOP", "bakery")
    monkeypatch.setenv("STREET", "Main")

    def change() -> object:
        os.environ["SHOP"] = "butcher"
        os.environ.setdefault("TOWN", "Bath")
        del os.environ["STREET"]
        with pytest.raises(KeyError, match="STREET"):
            del os.environ["STREET"]
        with pytest.raises(TypeError, match="str expected"):
            os.environ["NUMBER"] = 7
        with ThreadPoolExecutor(1) as pool:
            shop = pool.submit(os.getenv, "SHOP").result()
        copied = os.environ.copy()
        assert len(os.environ) == len(copied) == len(list(os.environ))
        return shop, copied["TOWN"], "STREET" in copied, os.environb[b"SHOP"], os.environ.pop("TOWN")

    before = dict(os.environ)
    assert run(network, client, change) == ("butcher", "Bath", False, b"butcher", "Bath")
    assert dict(os.environ) == before
    assert run(network, client, lambda: (os.environ["SHOP"], "TOWN" in os.environ)) == ("bakery", False)
    fence.take_down()
    assert dict(os.environ) == before


def test_c_code_finds_what_a_process_has_set_until_the_fence_is_down(network, client, monkeypatch):
    find = ctypes.CDLL(None).getenv
    find.restype = ctypes.c_char_p
    monkeypatch.setenv("SHOP", "bakery")

    def change() -> object:
        os.environ["SHOP"], os.environ["TOWN"], os.environ["TZ"] = "butcher", "Bath", "Asia/Tokyo"
        return find(b"SHOP"), find(b"TOWN")

    zone = find(b"TZ")
    assert run(network, client, change) == (b"butcher", b"Bath")
    assert find(b"TZ") == zone
    fence.take_down()
    assert (find(b"SHOP"), find(b"TOWN")) == (b"bakery", None)
