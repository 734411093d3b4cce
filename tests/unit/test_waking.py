"""Calls that a loop is asked for from outside: by other threads, by signals, by the simulation itself."""

import gc
import os
import resource
import signal
import socket
import threading
import time
import weakref
from contextlib import suppress

import pytest

from simnet import RealTransport, UsageError, loop
from simnet.loop import Loop, loop_for
from simnet.stage import VirtualStage
from tests.unit.stages import STAGES, Told, connected, everywhere, on_this_computer


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


@pytest.fixture
def channel(stage):
    """A channel that nothing happens to."""
    with stage.server:
        made = Told()
        made.create_socket()
        made.bind(stage.address)
        made.listen(1)
    return made


@pytest.fixture
def others():
    """Starts threads, and sees them end."""
    started = []

    def start(function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        started.append(thread)
        thread.start()
        return thread

    yield start
    for thread in started:
        thread.join(5)
        assert not thread.is_alive()


def waits(transport, seconds=20):
    """One pass that waits for long; how long it took."""
    start = time.monotonic()
    with transport:
        loop(timeout=seconds, count=1)
    return time.monotonic() - start


# --- what a call is ------------------------------------------------------------------------------


@everywhere
def test_calls_are_made_in_their_order_with_their_arguments(stage, channel):
    called = []
    for number in range(5):
        channel.call_soon_threadsafe(lambda *args: called.append(args), number, "x")
    stage.run(lambda: len(called) == 5)
    assert called == [(number, "x") for number in range(5)]


def test_on_a_virtual_host_a_call_is_made_at_this_moment():
    stage = VirtualStage()
    with stage.server:
        channel = Told()
    now_ns, called = stage.server.clock.monotonic_ns, []
    channel.call_later("3ms", lambda: channel.call_soon_threadsafe(lambda: called.append(now_ns())))
    channel.call_later("4ms", lambda: called.append(now_ns()))
    stage.network.run()
    assert called == [3_000_000, 4_000_000]


def test_on_a_virtual_host_another_thread_is_refused_by_name(others):
    stage = VirtualStage()
    running, refused = loop_for(stage.server), []

    def ask():
        try:
            running.call_soon_threadsafe(refused.append, "called")
        except NotImplementedError as error:
            refused.append(str(error))

    others(ask).join(5)
    stage.network.run()
    assert refused == ["call_soon_threadsafe() from another thread is not simulated: there are no threads"]


def test_the_thread_that_lets_time_pass_is_the_one_of_the_simulation(others):
    stage = VirtualStage()
    with stage.server:
        channel = Told()
    called = []

    def run():
        channel.call_later(0, channel.call_soon_threadsafe, called.append, threading.get_ident())
        stage.network.run()

    thread = others(run)
    thread.join(5)
    assert called == [thread.ident]


@everywhere
def test_a_call_that_asks_for_itself_leaves_the_others_their_turn(stage):
    client, served = connected(stage)
    left = [500]

    def again():
        left[0] -= 1
        if left[0]:
            served.call_soon_threadsafe(again)

    again()
    served.call_soon_threadsafe(client.send, b"x")
    stage.run(lambda: served.received == b"x")
    stage.run(lambda: not left[0])


@everywhere
def test_what_a_call_raises_is_let_out_and_the_others_are_made_in_the_next_pass(stage, channel):
    called = []
    channel.call_soon_threadsafe(called.append, 1)
    channel.call_soon_threadsafe([].pop)
    channel.call_soon_threadsafe(called.append, 2)
    with pytest.raises(IndexError):
        stage.run(lambda: 2 in called)
    assert called == [1]
    stage.run(lambda: 2 in called)
    assert called == [1, 2]


@everywhere
def test_a_call_may_close_a_channel_and_make_another(stage):
    client, served = connected(stage)
    made = []

    def replace():
        served.close()
        made.append(Told())

    served.call_soon_threadsafe(replace)
    stage.run(lambda: "close" in client.told)
    assert made[0]._transport is stage.server


@everywhere
def test_calls_keep_nobody_running_and_wait_for_the_next_run(stage):
    running, called = loop_for(stage.server), []
    running.call_soon_threadsafe(called.append, 1)
    with stage.server:
        loop(timeout=20)  # there is no channel: it returns
    if not isinstance(stage, VirtualStage):
        assert called == []
    with stage.server:
        made = Told()
        made.create_socket()
        made.bind(stage.address)
        made.listen(1)
    stage.run(lambda: called == [1])


@everywhere
def test_a_closed_loop_says_that_nobody_will_call(stage, channel):
    running, called = loop_for(stage.server), []
    running.call_soon_threadsafe(called.append, 1)
    running.close()
    with pytest.raises(UsageError, match="the loop is closed: nobody will call"):
        channel.call_soon_threadsafe(called.append, 2)
    channel.close()
    assert called == []


def test_a_crash_drops_the_calls_that_wait():
    stage = VirtualStage()
    running, called = loop_for(stage.server), []
    running.call_soon_threadsafe(stage.server.crash)
    running.call_soon_threadsafe(called.append, 1)
    stage.network.run()
    assert called == []


# --- the wait ------------------------------------------------------------------------------------


@on_this_computer
def test_a_call_of_another_thread_ends_a_wait(stage, channel, others):
    called, waiting = [], threading.Event()
    poll = loop_for(stage.server).poller.poll

    def told_poll(timeout):
        waiting.set()
        return poll(timeout)

    def ask():
        waiting.wait(5)
        channel.call_soon_threadsafe(called.append, threading.get_ident())

    loop_for(stage.server).poller.poll = told_poll
    thread = others(ask)
    assert waits(stage.server) < 5
    assert called == [thread.ident]


@on_this_computer
def test_a_call_asked_for_before_the_wait_ends_it(stage, channel, others):
    called = []
    others(channel.call_soon_threadsafe, called.append, 1).join(5)
    assert waits(stage.server) < 5
    assert called == [1]
    assert waits(stage.server, 0.02) >= 0.015  # and what woke it is gone


@on_this_computer
def test_a_signals_handler_ends_a_wait(stage, channel):
    called = []
    former = signal.signal(signal.SIGALRM, lambda *_: channel.call_soon_threadsafe(called.append, 1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert waits(stage.server) < 5
        if not called:  # the signal came before the wait began
            assert waits(stage.server) < 5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert called == [1]


@on_this_computer
def test_a_loop_is_woken_under_another_kind_of_poller_too(stage, channel, others):
    called = []
    assert waits(stage.server, 0.001) < 5
    for kind in ("poll", "select", "poll"):
        loop_for(stage.server).use(kind)
        timer = threading.Timer(0.01, channel.call_soon_threadsafe, (called.append, kind))
        timer.start()
        with stage.server:
            start = time.monotonic()
            loop_for(stage.server).turn(20)
            assert time.monotonic() - start < 5
        timer.join()
    assert called == ["poll", "select", "poll"]


@on_this_computer
def test_of_many_threads_every_call_arrives_and_in_the_order_of_its_thread(stage, channel, others):
    threads, calls = 4, 2_000
    arrived = [[] for _ in range(threads)]
    missed = []

    def ask(number):
        for call in range(calls):
            channel.call_soon_threadsafe(arrived[number].append, call)
            if call % 50 == 0:  # let the loop go to sleep now and then
                deadline = time.monotonic() + 5
                while len(arrived[number]) <= call:
                    if time.monotonic() > deadline:
                        missed.append((number, call))
                        return
                    os.sched_yield()

    for number in range(threads):
        others(ask, number)
    deadline = time.monotonic() + 10
    while sum(map(len, arrived)) < threads * calls and time.monotonic() < deadline and not missed:
        with stage.server:
            loop(timeout=3, count=1)
    assert missed == []
    assert arrived == [list(range(calls))] * threads


@on_this_computer
def test_many_calls_leave_one_byte(stage, channel):
    assert waits(stage.server, 0.001) < 5
    for _ in range(1_000):
        channel.call_soon_threadsafe(int)
    reader = socket.socket(fileno=os.dup(loop_for(stage.server)._wakeup.fd))
    with reader:
        assert reader.recv(4096, socket.MSG_PEEK) == b"\0"


# --- descriptors ---------------------------------------------------------------------------------


def open_descriptors():
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the descriptors are counted in /proc")
def test_a_loop_has_a_descriptor_for_it_only_when_it_waits_and_gives_it_back():
    before = open_descriptors()
    machine = RealTransport("poll")
    running = loop_for(machine)
    running.turn(0)
    assert open_descriptors() == before
    running.turn(0.001)
    assert len(open_descriptors()) == len(before) + 2
    machine.close()
    assert open_descriptors() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the descriptors are counted in /proc")
def test_a_loop_that_nobody_holds_gives_its_descriptor_back():
    before = open_descriptors()
    machine = RealTransport("poll")
    running = Loop(machine, {})
    running.turn(0.001)
    gone = weakref.ref(running)
    del running
    gc.collect()
    assert gone() is None
    assert open_descriptors() == before


def test_a_process_without_descriptors_waits_in_pieces_and_is_woken_as_soon_as_it_has_some(others):
    machine = RealTransport("poll")
    running = loop_for(machine)
    called, limits = [], resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        start = time.monotonic()
        running.turn(20)
        took = time.monotonic() - start
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert took < 5
    timer = threading.Timer(0.01, running.call_soon_threadsafe, (called.append, 1))
    timer.start()
    running.turn(20)
    timer.join()
    assert called == [1]
    machine.close()


@on_this_computer
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_does_not_take_its_parents_calls(stage, channel):
    assert waits(stage.server, 0.001) < 5
    called = []
    child = os.fork()
    if child == 0:
        status = 1
        try:
            timer = threading.Timer(0.01, channel.call_soon_threadsafe, (called.append, 1))
            timer.start()
            took = waits(stage.server)
            status = 0 if took < 5 and called == [1] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert waits(stage.server, 0.02) >= 0.015  # the child's call woke the child only
    channel.call_soon_threadsafe(called.append, 2)
    assert waits(stage.server) < 5
    assert called == [2]


@on_this_computer
def test_what_a_child_process_asks_of_its_loop_does_not_wake_the_parents(stage, channel):
    assert waits(stage.server, 0.001) < 5
    child = os.fork()
    if child == 0:
        channel.call_soon_threadsafe(int)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert waits(stage.server, 0.02) >= 0.015


# --- threads with loops of their own --------------------------------------------------------------


class Meeting(RealTransport):
    """Where two threads look for loops at the same moment, if nothing keeps them apart."""

    def __init__(self):
        self.barrier = threading.Barrier(2)
        super().__init__("poll")

    @property
    def loops(self):
        found = RealTransport.loops.fget(self)
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait(0.05)
        return found

    @loops.setter
    def loops(self, loops):
        RealTransport.loops.fset(self, loops)


def test_threads_that_look_for_one_loop_at_the_same_time_find_the_same(others):
    machine, found = Meeting(), []
    for thread in [others(lambda: found.append(loop_for(machine))) for _ in range(2)]:
        thread.join(5)
    assert len(found) == 2
    assert found[0] is found[1]
    assert machine.loops == found[:1]
    machine.close()


def test_of_loops_that_threads_make_at_the_same_time_none_is_forgotten(others):
    machine, made = Meeting(), []
    for thread in [others(lambda: made.append(Loop(machine, {}))) for _ in range(2)]:
        thread.join(5)
    assert set(map(id, machine.loops)) == set(map(id, made))
    machine.close()


def test_threads_with_maps_of_their_own_each_have_their_loop(others):
    machine, maps = RealTransport("poll"), [{} for _ in range(40)]
    found: dict[int, Loop] = {}

    def make(part):
        for map in part:
            found[id(map)] = loop_for(machine, map)

    threads = [others(make, maps[number::4]) for number in range(4)]
    for thread in threads:
        thread.join(5)
    assert [loop_for(machine, map) for map in maps] == [found[id(map)] for map in maps]
    assert len(machine.loops) == 40
    machine.close()
