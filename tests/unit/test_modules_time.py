"""The time module of a virtual host."""

from __future__ import annotations

import math
import sys
import time as std
from typing import Any

import pytest

from simnet import Network


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def time(net: Network) -> Any:
    return net.host("machine").modules.time


def test_sleep_lets_time_pass(net: Network, time: Any) -> None:
    time.sleep(1.5)
    time.sleep(0)
    assert net.now == 1.5


def test_what_is_planned_happens_during_a_sleep(net: Network, time: Any) -> None:
    moments: list[float] = []
    net.at("2s").call(lambda: moments.append(time.monotonic()))
    time.sleep(5)
    assert (moments, time.monotonic()) == ([2.0], 5.0)


def test_sleep_inside_a_handler_is_named(net: Network, time: Any) -> None:
    net.at("1s").call(lambda: time.sleep(1))
    with pytest.raises(NotImplementedError, match=r"sleep\(\) that has to wait inside a handler"):
        net.run()


@pytest.mark.parametrize(
    ("duration", "error", "message"),
    [
        (-1, ValueError, "sleep length must be non-negative"),
        (math.nan, ValueError, "Invalid value NaN"),
        (math.inf, OverflowError, "timestamp out of range"),
        ("1", TypeError, "'str' object cannot be interpreted as an integer"),
    ],
)
def test_a_length_of_sleep_that_means_nothing_is_refused(
    time: Any, duration: Any, error: type[Exception], message: str
) -> None:
    for module in (time, std):
        with pytest.raises(error, match=message):
            module.sleep(duration)


def test_all_clocks_agree(time: Any) -> None:
    time.sleep(0.25)
    started = 1_600_000_000
    assert time.time() == started + 0.25
    assert time.time_ns() == time.clock_gettime_ns(time.CLOCK_REALTIME) == (started * 4 + 1) * 250_000_000
    assert time.monotonic() == time.perf_counter() == time.clock_gettime(time.CLOCK_MONOTONIC) == 0.25
    assert time.monotonic_ns() == time.perf_counter_ns() == 250_000_000


def test_hosts_of_one_network_share_time(net: Network, time: Any) -> None:
    time.sleep(3)
    assert net.host("other").modules.time.monotonic() == 3.0


def test_the_calendar_follows_the_clock_of_the_host_in_utc(time: Any) -> None:
    time.sleep(20)
    assert time.localtime()[:6] == time.gmtime()[:6] == (2020, 9, 13, 12, 27, 0)
    assert time.ctime() == time.asctime() == "Sun Sep 13 12:27:00 2020"
    assert time.strftime("%Y-%m-%d %H:%M:%S %Z") == "2020-09-13 12:27:00 UTC"
    assert time.mktime(time.localtime()) == math.floor(time.time())
    assert (time.timezone, time.daylight, time.tzname) == (0, 0, ("UTC", "UTC"))


def test_what_is_told_a_moment_is_the_standard_library_s(time: Any) -> None:
    assert time.gmtime(0) == std.gmtime(0)
    assert time.strftime("%j", std.gmtime(86_400)) == "002"
    assert time.strptime("30 Nov 00", "%d %b %y") == std.strptime("30 Nov 00", "%d %b %y")


@pytest.mark.skipif(sys.platform != "linux", reason="a virtual host says what Linux says")
@pytest.mark.parametrize("clock", ["time", "monotonic", "perf_counter"])
def test_what_is_told_of_a_clock_is_what_linux_tells(time: Any, clock: str) -> None:
    assert vars(time.get_clock_info(clock)) == vars(std.get_clock_info(clock))
    with pytest.raises(ValueError, match="unknown clock"):
        time.get_clock_info("sundial")


@pytest.mark.parametrize("name", ["process_time", "thread_time", "clock_settime"])
def test_what_is_not_simulated_is_named(time: Any, name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"time.{name} is not simulated"):
        getattr(time, name)


def test_a_clock_of_processor_time_is_named(time: Any) -> None:
    with pytest.raises(NotImplementedError, match="processor time"):
        time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
