"""What a program does past its virtual host is seen, told with its place, and raised or let through."""

import asyncio
import copy
import logging.handlers
import pdb
import pickle
import random
import socket
import sys
import threading
import time
import uuid
import warnings
from io import StringIO
from time import monotonic as from_import
from types import ModuleType

import pytest

from simnet import (
    Escaped,
    EscapeWarning,
    Fence,
    Network,
    RealTransport,
    UsageError,
    dispatcher,
    fence,
)
from simnet.fence import watch


class Timed(dispatcher):
    """Calls a function in a handler, 2 ms after it was made."""

    def __init__(self, function, delay=0.002):
        super().__init__()
        self.function, self.result = function, None
        self.call_later(delay, self.call)

    def call(self):
        self.result = self.function()


def in_a_handler(function, **options):
    """The network after `function` was called by a timer of host ``server`` at 2 ms."""
    net = Network(**options)
    with net.host("server"):
        Timed(function)
    net.run()
    return net


def line_of(error):
    """The line of this file that raised."""
    step, lines = error.__traceback__, []
    while step is not None:
        if step.tb_frame.f_code.co_filename == __file__:
            lines.append(step.tb_lineno)
        step = step.tb_next
    return lines[-1]


# --- what is seen, and where ---------------------------------------------------------------------


def test_an_escape_in_a_handler_ends_the_run_with_its_line_host_and_time():
    with pytest.raises(Escaped) as caught:
        in_a_handler(lambda: time.time())
    place = f"{__file__}:{line_of(caught.value)}"
    assert str(caught.value) == (
        f"time.time reads a clock of this computer: {place}, host server, t=0.002; "
        "instead: host.modules.time.time, host.clock"
    )
    assert caught.value.__notes__ == [
        "Fence(allow=['time.time']) lets it through; so do simnet_fence_allow and --allow."
    ]


def test_a_host_that_is_entered_is_inside_though_no_time_passes():
    net = Network()
    with net.host("client"), pytest.raises(Escaped, match="host client, t=0"):
        time.sleep(1)


def test_a_condition_of_a_run_is_inside_and_on_no_host():
    with pytest.raises(Escaped, match=r"test_fence.py:\d+, t=0.000; instead"):
        Network().run(until=lambda: time.monotonic())


def test_code_outside_is_not_looked_at_though_checks_are_up():
    net = Network()
    net.host("client")
    net.run()
    assert watch.checks.are_up
    time.sleep(0)
    socket.socket().close()
    assert net.escapes == ()


def test_a_name_taken_from_its_module_long_ago_is_seen():
    with pytest.raises(Escaped, match=r"^time.monotonic reads"):
        in_a_handler(lambda: from_import())


def test_what_the_standard_library_does_for_a_program_is_told_at_the_programs_line():
    with pytest.raises(Escaped) as caught:
        in_a_handler(lambda: uuid.uuid4())
    assert str(caught.value).startswith("uuid.uuid4 (os.urandom) draws from the entropy of this computer: ")
    assert f"{__file__}:{line_of(caught.value)}, " in str(caught.value)


def test_a_time_that_is_given_needs_no_clock():
    assert in_a_handler(lambda: (time.gmtime(0), time.strftime("%Y", time.gmtime(0)))).escapes == ()


@pytest.mark.parametrize("call", [lambda: time.gmtime(None), lambda: time.strftime("%Y")])
def test_a_time_that_is_not_given_needs_one(call):
    with pytest.raises(Escaped):
        in_a_handler(call)


def test_an_escape_that_the_program_swallows_is_raised_when_time_stops():
    seen = []

    def careless():
        try:
            time.time()
        except Exception as error:
            seen.append(error)

    with pytest.raises(Escaped) as caught:
        in_a_handler(careless)
    assert seen == [caught.value]


def test_an_escape_of_an_earlier_run_is_not_raised_again():
    net = Network()
    with net.host("server"):
        Timed(lambda: time.time())
    with pytest.raises(Escaped):
        net.run()
    net.run(until="1s")


def test_another_thread_is_outside():
    found = []

    def work():
        found.append(time.time())

    net = Network()
    thread = threading.Thread(target=work)
    with net.host("server"), RealTransport():  # the start is of this computer
        thread.start()
        thread.join()
    assert found
    assert net.escapes == ()


def test_a_program_that_enters_this_computer_may_use_it():
    def measured():
        with RealTransport():
            return time.perf_counter()

    assert in_a_handler(measured).escapes == ()


def test_two_networks_one_in_the_other_are_each_told_of_their_own():
    inner, outer = Network(fence="warn"), Network(fence="warn")

    def is_over():
        inner.run(until=lambda: from_import())
        return time.perf_counter()

    with pytest.warns(EscapeWarning):
        outer.run(until=is_over)
    assert [escape.way.name for escape in inner.escapes] == ["time.monotonic"]
    assert [escape.way.name for escape in outer.escapes] == ["time.perf_counter"]


# --- levels --------------------------------------------------------------------------------------


def test_warn_warns_once_for_each_line_and_keeps_them():
    def twice():
        return [time.time() for _ in range(2)]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = in_a_handler(twice, fence="warn")
    (warning,) = caught
    (escape,) = net.escapes
    assert warning.category is EscapeWarning
    assert (warning.filename, warning.lineno) == (__file__, escape.place.line)
    assert str(warning.message) == str(escape)
    assert (escape.host, escape.at_ns, escape.way.family) == ("server", 2_000_000, "clocks")


def test_off_looks_away_and_puts_nothing_up():
    net = in_a_handler(lambda: time.time(), fence="off")
    assert net.escapes == ()
    assert not watch.checks.are_up


def test_an_error_is_kept_too():
    net = Network()
    with net.host("server"):
        Timed(lambda: time.time())
    with pytest.raises(Escaped):
        net.run()
    assert [escape.way.name for escape in net.escapes] == ["time.time"]


def test_the_default_is_an_error_and_can_be_set():
    assert fence.default() == Fence("error")
    fence.set_default(Fence("off"))
    try:
        assert in_a_handler(lambda: time.time()).escapes == ()
    finally:
        fence.set_default(Fence())


def test_a_fence_of_another_level_is_a_mistake():
    with pytest.raises(UsageError, match="a fence is error, warn or off, not 'high'"):
        Network(fence="high")


def test_a_single_name_in_place_of_a_list_is_a_mistake():
    with pytest.raises(UsageError, match="a list of names, not 'clocks'"):
        Fence(allow="clocks")


def test_a_network_made_again_has_the_same_fence():
    net = Network(fence=Fence("warn", allow=["clocks"]))
    assert repr(net.again()) == "Network(fence=Fence(level='warn', allow=('clocks',)))"


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", ["time.time", "time.*", "clocks", "*.test_fence", __name__])
def test_what_is_allowed_by_function_family_or_module_is_let_through(allowed):
    net = in_a_handler(lambda: time.time(), fence=Fence(allow=[allowed]))
    assert net.escapes == ()


@pytest.mark.parametrize("allowed", ["time.sleep", "sleeps", "time", "test", "elsewhere"])
def test_what_is_allowed_elsewhere_is_not(allowed):
    with pytest.raises(Escaped):
        in_a_handler(lambda: time.time(), fence=Fence(allow=[allowed]))


@pytest.mark.parametrize("allowed", ["uuid.uuid4", "os.urandom", "uuid"])
def test_a_function_is_allowed_under_the_name_that_is_called_and_the_one_that_is_reached(allowed):
    assert in_a_handler(lambda: uuid.uuid4(), fence=Fence(allow=[allowed])).escapes == ()


def test_whoever_calls_an_allowed_module_is_allowed_through_it():
    metrics = ModuleType("metrics.timing")
    exec("import time\ndef now():\n    return time.time()", metrics.__dict__)
    assert in_a_handler(lambda: metrics.now(), fence=Fence(allow=["metrics"])).escapes == ()
    with pytest.raises(Escaped, match="<string>:3"):
        in_a_handler(lambda: metrics.now())


def test_logging_may_ask_what_time_it_is():
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("test_fence")
    log.addHandler(handler)
    try:
        assert in_a_handler(lambda: log.warning("heard")).escapes == ()
    finally:
        log.removeHandler(handler)
    assert stream.getvalue().endswith(" heard\n")


def test_logging_may_not_open_a_socket():
    handler = logging.handlers.DatagramHandler("127.0.0.1", 9)
    record = logging.makeLogRecord({"msg": "heard"})
    with pytest.raises(Escaped, match=r"^logging.handlers.\S+ \(socket.socket\)"):
        in_a_handler(lambda: handler.emit(record))


def test_a_debugger_may_do_what_it_wants():
    output = StringIO()
    debugger = pdb.Pdb(stdin=StringIO("p time.time() > 0\ncontinue\n"), stdout=output, nosigint=True)

    def debugged():
        debugger.set_trace()

    before = sys.gettrace()
    try:
        net = in_a_handler(debugged)
    finally:
        sys.settrace(before)
    assert "True" in output.getvalue()
    assert net.escapes == ()


def test_what_a_module_does_when_it_is_imported_is_let_through(tmp_path, monkeypatch):
    (tmp_path / "imported_late.py").write_text("import time\nSTARTED = time.time()\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert in_a_handler(lambda: __import__("imported_late")).escapes == ()
    finally:
        sys.modules.pop("imported_late", None)


# --- checks come and go --------------------------------------------------------------------------


def test_names_mean_what_they_meant_when_checks_are_taken_down():
    before = time.time, time.sleep, from_import
    net = Network()
    assert [time.time, time.sleep, from_import] != list(before)
    fence.take_down()
    assert (time.time, time.sleep, from_import) == before
    assert {type(each) for each in before} == {type(len)}
    assert net.escapes == ()


def test_what_a_test_puts_in_place_before_a_network_is_left_there(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 7.0)
    with pytest.MonkeyPatch.context():
        net = Network()
        with net.host("server"):
            assert time.time() == 7.0
        fence.take_down()
    assert time.time() == 7.0


def test_what_a_test_puts_in_place_while_checks_are_up_stays_when_they_are_taken_down(monkeypatch):
    net = Network()
    monkeypatch.setattr(time, "time", lambda: 7.0)
    fence.take_down()
    assert time.time() == 7.0
    assert net.escapes == ()


def test_what_a_test_put_in_place_can_be_undone_after_checks_were_taken_down(monkeypatch):
    real = time.time
    net = Network()
    monkeypatch.setattr(time, "time", lambda: 7.0)
    fence.take_down()
    monkeypatch.undo()  # puts the check back that it found
    net.run()
    fence.take_down()
    assert time.time is real


def test_checks_are_put_up_again_for_a_network_that_goes_on():
    net = Network()
    host = net.host("server")
    fence.take_down()
    with host:
        Timed(lambda: time.time())
    with pytest.raises(Escaped):
        net.run()


def test_a_module_that_took_a_check_gets_the_function_back():
    net = Network()
    late = sys.modules["late_program"] = ModuleType("late_program")
    try:
        exec("from time import monotonic, sleep", late.__dict__)
        assert late.sleep is time.sleep
        fence.take_down()
        assert late.sleep is time.sleep
        assert isinstance(late.sleep, type(len))
    finally:
        del sys.modules["late_program"]
    assert net.escapes == ()


def test_a_check_passes_for_the_function_that_it_stands_for():
    real = time.time
    net = Network()

    class Clock:
        now = time.time  # in a class, a function of Python would become a method

    assert Clock().now() > 0
    assert copy.deepcopy(time.time) is time.time
    assert pickle.loads(pickle.dumps(time.time)) is time.time
    assert (time.time.__name__, time.time.__module__, repr(time.time)) == ("time", "time", repr(real))
    assert net.escapes == ()


# --- what must go on working ---------------------------------------------------------------------


def test_generators_of_random_numbers_with_a_seed_are_let_through():
    net = in_a_handler(lambda: (random.Random(7).random(), random.random()))
    assert net.escapes == ()


def test_a_network_runs_inside_a_real_event_loop():
    async def main():
        net = Network()
        with net.host("server"):
            timed = Timed(lambda: 7)
        net.run()
        await asyncio.sleep(0)
        return timed.result

    assert asyncio.run(main()) == 7
