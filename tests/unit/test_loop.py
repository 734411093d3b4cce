"""The loop: who is asked and when, maps that programs write to, and timers; on every kind of stage."""

import gc
import os
import weakref
from contextlib import suppress

import pytest

from simnet import Livelock, Network, RealTransport, UsageError, dispatcher, dispatcher_with_send, loop
from simnet.channels import ChannelMap
from simnet.loop import Loop, loop_for
from simnet.real.pollers import KINDS as REAL_POLLERS
from simnet.stage import VirtualStage
from tests.unit.stages import STAGES, Told, connect, connected, everywhere, listen, on_this_computer, reset


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


def pass_of(stage, transport, **arguments):
    """One pass of a transport's default loop that does not wait."""
    with transport:
        loop(timeout=0, count=1, **arguments)


class Asked(Told):
    """Counts how often its predicates are asked."""

    asked = 0
    wants_to_read = True

    def readable(self):
        self.asked += 1
        return self.wants_to_read


# --- who is asked --------------------------------------------------------------------------------


@everywhere
def test_a_thousand_idle_default_channels_are_not_asked_at_all(stage, monkeypatch):
    calls = []
    with stage.client:
        channels = [dispatcher() for _ in range(300)]
        for channel in channels:
            channel.create_socket()
            channel.bind(stage.address)
            channel.listen(1)
        pass_of(stage, stage.client)
        monkeypatch.setattr(dispatcher, "readable", lambda self: calls.append(self) or True)
        monkeypatch.setattr(dispatcher, "writable", lambda self: calls.append(self) or False)
        for _ in range(10):
            pass_of(stage, stage.client)
    assert calls == []
    channels[7].touch()
    pass_of(stage, stage.client)
    assert calls == [channels[7]] * 2


@everywhere
def test_a_class_that_overrides_a_predicate_is_asked_in_every_pass(stage):
    with stage.client:
        channel = Asked()
        channel.create_socket()
        channel.bind(stage.address)
        channel.listen(1)
    counts = []
    for _ in range(3):
        pass_of(stage, stage.client)
        counts.append(channel.asked)
    assert counts[0] < counts[1] < counts[2]


@everywhere
def test_a_class_that_declares_its_interest_is_asked_after_touch_only(stage):
    class Declares(Asked):
        declares_interest = True

    with stage.client:
        channel = Declares()
        channel.create_socket()
        channel.bind(stage.address)
        channel.listen(1)
    for _ in range(3):
        pass_of(stage, stage.client)
    assert channel.asked == 1
    channel.touch()
    channel.touch()
    for _ in range(3):
        pass_of(stage, stage.client)
    assert channel.asked == 2


def test_what_a_class_declares_follows_from_its_most_derived_answer():
    class Mixin:
        def writable(self):
            return True

    class Declaring:
        declares_interest = True

        def readable(self):
            return True

    class Overrides(dispatcher):
        def readable(self):
            return True

    class Below(Overrides):
        pass

    class Redeclares(Overrides):
        declares_interest = True

    class ByMixin(Mixin, dispatcher):
        pass

    class MixinBehind(dispatcher_with_send, Mixin):
        pass

    class ByDeclaringMixin(Declaring, dispatcher):
        pass

    class OverridesAgain(Redeclares):
        def writable(self):
            return False

    declares = {
        cls.__name__: cls.declares_interest
        for cls in (Overrides, Below, Redeclares, ByMixin, MixinBehind, ByDeclaringMixin, OverridesAgain)
    }
    assert declares == {
        "Overrides": False,
        "Below": False,
        "Redeclares": True,
        "ByMixin": False,
        "MixinBehind": True,
        "ByDeclaringMixin": True,
        "OverridesAgain": False,
    }
    assert dispatcher.declares_interest
    assert dispatcher_with_send.declares_interest


@everywhere
def test_a_predicate_of_an_instance_counts_from_the_next_touch_on(stage):
    client, served = connected(stage)
    served.readable = lambda: False
    served.touch()
    client.send(b"x")
    pass_of(stage, stage.server)
    pass_of(stage, stage.server)
    assert served.told == []
    served.readable = lambda: True  # asked in every pass by now
    stage.run(lambda: served.received == b"x")


@everywhere
def test_a_writable_that_depends_on_another_channels_buffer_is_seen(stage):
    class Relay(Told):
        """Writes to its peer what the other relay has read."""

        other = None
        sent = 0

        def writable(self):
            return self.other is not None and self.sent < len(self.other.received)

        def handle_write(self):
            self.sent += self.send(self.other.received[self.sent :])

    listener = listen(stage, Relay)
    clients = [connect(stage, listener) for _ in range(2)]
    stage.run(lambda: len(listener.channels) == 2 and all(client.connected for client in clients))
    left, right = listener.channels
    left.other, right.other = right, left
    by_port = {channel.addr[1]: channel for channel in listener.channels}
    first = by_port[clients[0].socket.getsockname()[1]]
    clients[0].send(b"to the other side")
    stage.run(lambda: clients[1].received == b"to the other side")
    assert first.received == b"to the other side"


@everywhere
def test_a_global_flag_set_between_two_runs_is_seen(stage):
    allowed = []

    class Gated(Told):
        def readable(self):
            return bool(allowed)

    client, served = connected(stage, server_kind=Gated)
    client.send(b"x")
    waited = []
    client.call_later("1ms", waited.append, True)
    stage.run(lambda: waited)
    assert served.told == []
    allowed.append(True)
    stage.run(lambda: served.received == b"x")


@everywhere
def test_a_flag_set_by_a_timer_is_seen(stage):
    class Gated(Told):
        allowed = False

        def readable(self):
            return self.allowed

    client, served = connected(stage, server_kind=Gated)
    client.send(b"x")
    served.call_later("5ms", setattr, served, "allowed", True)
    stage.run(lambda: served.received == b"x")


@everywhere
def test_a_channel_that_closes_itself_when_asked_is_gone(stage):
    class Impatient(Told):
        patience = 2

        def readable(self):
            self.patience -= 1
            if self.patience < 0:
                self.close()
            return True

    client, served = connected(stage, server_kind=Impatient)
    served.patience = 0
    stage.run(lambda: "close" in client.told)
    assert served not in loop_for(stage.server).map.values()
    assert served.told == []


@everywhere
def test_a_predicate_that_raises_reaches_the_caller_and_nobody_is_forgotten(stage):
    class Bug(Exception):
        pass

    class Broken(Told):
        declares_interest = True

        def readable(self):
            if self.broken:
                raise Bug
            return True

    Broken.broken = True
    listener = listen(stage)
    with stage.server:
        broken = Broken()
        broken.create_socket()
    client = connect(stage, listener)
    with pytest.raises(Bug):
        stage.run(lambda: client.connected)
    Broken.broken = False
    stage.run(lambda: client.connected and listener.channels)


# --- maps ----------------------------------------------------------------------------------------


class Duck:
    """No dispatcher: what a map may hold besides."""

    def __init__(self, sock):
        self.sock, self.seen = sock, []

    def readable(self):
        return True

    def writable(self):
        return False

    def handle_read_event(self):
        self.seen.append(self.sock.recv(100))

    def handle_write_event(self):
        self.seen.append("write")

    def handle_expt_event(self):
        self.seen.append("expt")

    def handle_close(self):
        self.seen.append("close")

    def handle_error(self):
        self.seen.append("error")


def ducks(stage, count):
    """Clients, and the bare sockets that serve them, in no map."""
    listener = listen(stage)
    clients = [connect(stage, listener) for _ in range(count)]
    stage.run(lambda: len(listener.channels) == count and all(client.connected for client in clients))
    by_port = {channel.addr[1]: channel for channel in listener.channels}
    served = [by_port[client.socket.getsockname()[1]] for client in clients]
    for channel in served:
        channel.del_channel()
    return clients, [channel.socket for channel in served]


@everywhere
@pytest.mark.parametrize("own", [True, False], ids=["own map", "default map"])
def test_an_object_put_into_a_map_directly_is_served_until_it_is_taken_out(stage, own):
    (client,), (sock,) = ducks(stage, 1)
    map = {} if own else loop_for(stage.server).map
    duck = map[sock.fileno()] = Duck(sock)
    client.send(b"one")
    for _ in range(20):
        if not duck.seen:
            with stage.server:
                loop(timeout=0.1, map=map, count=1)
    assert duck.seen == [b"one"]
    del map[sock.fileno()]
    client.send(b"two")
    for _ in range(3):
        with stage.server:
            loop(timeout=0, map=map, count=1)
    assert duck.seen == [b"one"]
    sock.close()


@everywhere
def test_a_direct_exchange_that_keeps_the_number_of_channels_is_noticed(stage):
    class Quiet(Duck):
        declares_interest = True  # so nothing but the exchange itself makes the loop look

    clients, (one, two) = ducks(stage, 2)
    map = {one.fileno(): Quiet(one)}
    with stage.server:
        loop(timeout=0, map=map, count=1)
    del map[one.fileno()]
    duck = map[two.fileno()] = Quiet(two)
    clients[1].send(b"two")
    for _ in range(20):
        if not duck.seen:
            with stage.server:
                loop(timeout=0.1, map=map, count=1)
    successor = map[two.fileno()] = Quiet(two)
    assert len(map) == 1
    clients[1].send(b"again")
    for _ in range(20):
        if not successor.seen:
            with stage.server:
                loop(timeout=0.1, map=map, count=1)
    assert (duck.seen, successor.seen) == ([b"two"], [b"again"])
    one.close()
    two.close()


@everywhere
def test_a_map_may_be_cleared_by_a_handler(stage):
    class Clearing(Duck):
        def handle_read_event(self):
            super().handle_read_event()
            map.clear()

    clients, socks = ducks(stage, 3)
    map = {sock.fileno(): Clearing(sock) for sock in socks}
    held = list(map.values())
    for client in clients:
        client.send(b"x")
    with stage.server:
        loop(timeout=1, map=map)
    assert sorted(len(duck.seen) for duck in held) == [0, 0, 1]
    for sock in socks:
        sock.close()


class Still(Duck):
    """Never says that what it is interested in has changed, so that nothing but its map makes a loop look."""

    declares_interest = True


class Wanting(Still):
    def writable(self):
        return True


@on_this_computer
def test_an_exchange_in_the_middle_of_a_map_is_noticed_before_a_wait(stage):
    """Neither the number of channels nor the newest one tells of it; a wait of 5 s would."""
    _, (one, two) = ducks(stage, 2)
    map = {sock.fileno(): Still(sock) for sock in (one, two)}
    with stage.server:
        loop(timeout=0, map=map, count=1)
        successor = map[one.fileno()] = Wanting(one)
        loop(timeout=5, map=map, count=2)
    assert "write" in successor.seen
    one.close()
    two.close()


@on_this_computer
def test_an_exchange_in_the_middle_of_a_map_is_noticed_although_something_is_always_ready(stage):
    _, (one, two) = ducks(stage, 2)
    map = {one.fileno(): Still(one), two.fileno(): Wanting(two)}
    with stage.server:
        loop(timeout=5, map=map, count=3)
        successor = map[one.fileno()] = Wanting(one)
        loop(timeout=5, map=map, count=257)
    assert "write" in successor.seen
    one.close()
    two.close()


@on_this_computer
def test_a_pass_that_finds_something_ready_does_not_compare_a_map(stage):
    class Compared(dict):
        times = 0

        def __eq__(self, other):
            self.times += 1
            return dict.__eq__(self, other)

        def __ne__(self, other):
            self.times += 1
            return dict.__ne__(self, other)

        __hash__ = None

    _, (sock,) = ducks(stage, 1)
    map = Compared({sock.fileno(): Wanting(sock)})
    with stage.server:
        loop(timeout=5, map=map, count=2)
        map.times = 0
        loop(timeout=5, map=map, count=100)
    assert map.times <= 1
    assert map[sock.fileno()].seen.count("write") >= 100
    sock.close()


@pytest.mark.skipif("poll" not in REAL_POLLERS, reason="select does not tell HUP")
@pytest.mark.parametrize("kind", [kind for kind in REAL_POLLERS if kind != "select"])
def test_a_channel_that_cannot_be_told_of_a_hang_up_does_not_let_its_loop_spin(kind):
    """The reading end of a pipe without writers, in a channel that wants only to write: HUP comes unasked."""
    machine = RealTransport(kind)
    reader, writer = os.pipe()

    class Deaf(Wanting):
        def readable(self):
            return False

    with machine:
        running = loop_for(machine)
        channel = running.map[reader] = Deaf(None)
        running.turn(0)
        os.close(writer)
        running.turn(0)
        assert [running.turn(0) for _ in range(3)] == [False] * 3
        channel.readable = channel.writable = lambda: True
        running.touch(reader, channel)
        running.turn(0)
        assert running.turn(0) is True
    assert set(channel.seen) <= {"error", "read"}
    del running.map[reader]
    os.close(reader)
    machine.close()


class Eager(Told):
    """Says that it wants to write, and never does."""

    def writable(self):
        return True

    def handle_write(self):
        self.told.append("write")


def test_who_always_wants_to_write_and_never_does_keeps_a_virtual_host_busy_for_some_passes_only():
    stage = VirtualStage()
    stage.network.link("client", "server", latency="20ms")
    client, served = connected(stage, Eager, Eager)
    stage.network.run(until="1s")
    client.send(b"late")
    stage.run(lambda: served.received == b"late")
    assert stage.network.now == pytest.approx(1.02)
    client.close()
    stage.run(lambda: served.told[-1] == "close")
    assert served.told.count("write") < 30


@everywhere
def test_a_channel_that_wants_nothing_of_a_dead_connection_does_not_let_its_loop_spin(stage):
    """ERR and HUP come unasked; whoever wants to read again is told of the reset."""

    class Resting(Told):
        rests = False

        def readable(self):
            return not self.rests

    client, served = connected(stage, server_kind=Resting)
    served.rests = True
    served.touch()
    pass_of(stage, stage.server)
    reset(client)
    later = []
    loop_for(stage.client).call_later("50ms", later.append, 1)
    stage.run(lambda: later)
    pass_of(stage, stage.server)
    assert [loop_for(stage.server).turn(0) for _ in range(3)] == [False] * 3
    assert served.told == []
    served.rests = False
    served.touch()
    stage.run(lambda: served.told)
    assert served.told[-1] == "close"


def test_to_send_on_a_socket_reset_before_anybody_looked_tells_the_end():
    """It has no peer, as before connect; but nothing is still to come."""

    class Deaf(Told):
        def handle_read(self):
            with suppress(ConnectionResetError):
                self.socket.recv(10)
            self.told.append(self.send(b"x"))

    stage = VirtualStage()
    stage.network.on("*", "accept").reset()
    listener = listen(stage, Deaf)
    connect(stage, listener)
    stage.run(lambda: listener.channels and listener.channels[0].told)
    assert listener.channels[0].told == ["close", 0]


def test_what_the_kernel_takes_at_once_is_nothing_that_the_loop_has_to_be_told():
    stage = VirtualStage()
    touched = []

    class Sender(dispatcher_with_send):
        def touch(self):
            touched.append(self.out_buffer)
            super().touch()

    client, served = connected(stage, client_kind=Sender)
    touched.clear()
    assert client.send(b"x" * 1000) == 1000
    assert touched == []
    size = 10_000_000
    client.send(bytes(size))
    assert touched
    stage.run(lambda: len(served.received) == 1000 + size)
    assert client.out_buffer == b""


def test_a_class_with_an_initiate_send_of_its_own_is_asked_for_every_send():
    stage = VirtualStage()
    waited = []

    class Careful(dispatcher_with_send):
        def initiate_send(self):
            waited.append(self.out_buffer)
            super().initiate_send()

    client, served = connected(stage, client_kind=Careful)
    waited.clear()
    client.send(b"one")
    client.send(b"two")
    stage.run(lambda: served.received == b"onetwo")
    assert waited == [b"one", b"two"]


def test_every_way_to_write_to_a_default_map_tells_the_loop():
    calls = []

    class Keeper:
        def add(self, fd, channel):
            calls.append(("add", fd))
            map.put(fd, channel)

        def remove(self, fd):
            calls.append(("remove", fd))
            map.drop(fd)

    map = ChannelMap(Keeper())
    map[3] = "a"
    map.update({4: "b"})
    map |= {5: "c"}
    assert map.setdefault(5, "d") == "c"
    assert map.setdefault(6, "e") == "e"
    assert dict(map) == {3: "a", 4: "b", 5: "c", 6: "e"}
    del map[3]
    assert map.pop(4) == "b"
    assert map.pop(4, None) is None
    assert map.popitem() == (6, "e")
    map.clear()
    assert map == {}
    with pytest.raises(KeyError):
        map.popitem()
    with pytest.raises(KeyError):
        del map[3]
    assert calls == [
        *(("add", fd) for fd in (3, 4, 5, 6)),
        *(("remove", fd) for fd in (3, 4, 6, 5)),
    ]


def test_the_default_loop_is_the_one_without_a_map():
    host = Network().host("a")
    given = {}
    assert loop_for(host, given).map is given
    default = loop_for(host)
    assert default.map is not given
    assert default is loop_for(host)
    assert default is loop_for(host, default.map)
    assert loop_for(host, given) is not default


# --- timers --------------------------------------------------------------------------------------


@pytest.fixture
def channel(stage):
    """A channel that nothing happens to."""
    with stage.client:
        made = Told()
        made.create_socket()
        made.bind(stage.address)
        made.listen(1)
    return made


@everywhere
def test_timers_are_called_in_the_order_of_their_deadlines_and_then_of_their_making(stage, channel):
    called = []
    now_ns = stage.client.clock.monotonic_ns
    start_ns = now_ns()
    for name, delay in [("b", "20ms"), ("a", 0.01), ("c", "20ms"), ("now", 0)]:
        channel.call_later(delay, lambda name: called.append((name, now_ns() - start_ns)), name)
    stage.run(lambda: len(called) == 4)
    assert [name for name, _ in called] == ["now", "a", "b", "c"]
    for (_, passed_ns), delay_ns in zip(called, (0, 10_000_000, 20_000_000, 20_000_000), strict=True):
        assert passed_ns >= delay_ns
        if isinstance(stage, VirtualStage):
            assert passed_ns == delay_ns


@everywhere
def test_a_timer_ends_a_longer_wait(stage, channel):
    called = []
    clock = stage.client.clock
    channel.call_later("10ms", called.append, 1)
    start_ns = clock.monotonic_ns()
    with stage.client:
        for _ in range(5):
            if not called:
                loop(timeout=60, count=1)
    assert called == [1]
    assert clock.monotonic_ns() - start_ns < 30_000_000_000


@everywhere
def test_a_timer_that_was_cancelled_is_not_called(stage, channel):
    called = []
    timers = [channel.call_later("1ms", called.append, number) for number in range(3)]
    timers[1].cancel()
    timers[1].cancel()
    assert [timer.is_cancelled for timer in timers] == [False, True, False]
    stage.run(lambda: len(called) == 2)
    assert called == [0, 2]
    timers[0].cancel()  # after it was called: nothing to do
    assert "cancelled" in repr(timers[0])


@everywhere
def test_a_timer_may_cancel_another_that_is_due_with_it(stage, channel):
    called = []
    channel.call_later(0, lambda: second.cancel())
    second = channel.call_later(0, called.append, "second")
    channel.call_later(0, called.append, "third")
    stage.run(lambda: called)
    assert called == ["third"]


@everywhere
def test_a_handler_may_cancel_a_timer(stage):
    class Reader(Told):
        def handle_read(self):
            super().handle_read()
            self.timeout.cancel()

    client, served = connected(stage, server_kind=Reader)
    fired = []
    served.timeout = served.call_later("30s", fired.append, "timeout")
    client.send(b"x")
    stage.run(lambda: served.received)
    assert served.timeout.is_cancelled
    assert loop_for(stage.server).next_deadline_ns() is None
    assert fired == []


@everywhere
def test_a_timer_may_close_a_channel(stage):
    client, served = connected(stage)
    served.call_later("5ms", served.close)
    stage.run(lambda: "close" in client.told)
    assert served.told == []


def test_data_and_a_timer_of_the_same_instant_are_told_in_this_order():
    """Sent at 3 ms over a link of 1 ms: the data is there at 4 ms, when the timer is due."""
    stage = VirtualStage()
    client, served = connected(stage)
    start_ns = stage.network.now_ns
    served.call_later("4ms", lambda: served.told.append("timer"))
    client.call_later("3ms", client.send, b"x")
    stage.run(lambda: len(served.told) == 2)
    assert served.told == ["read", "timer"]
    assert stage.network.now_ns == start_ns + 4_000_000


def test_a_channel_closed_by_a_timer_does_not_get_the_data_of_a_later_instant():
    stage = VirtualStage()
    client, served = connected(stage)
    served.call_later("3999us", served.close)
    client.call_later("3ms", client.send, b"x")
    stage.run(lambda: "close" in client.told)
    assert served.told == []


@everywhere
def test_a_timer_of_no_delay_made_by_a_timer_waits_for_the_next_pass(stage, channel):
    called = []

    def again(left):
        called.append(left)
        if left:
            channel.call_later(0, again, left - 1)

    channel.call_later(0, again, 3)
    if not isinstance(stage, VirtualStage):
        pass_of(stage, stage.client)
        assert called == [3]
    stage.run(lambda: len(called) == 4)
    assert called == [3, 2, 1, 0]


def test_timers_without_delay_and_without_end_are_a_livelock(monkeypatch):
    monkeypatch.setattr("simnet.virtual.engine.PASSES_MAX", 100)
    stage = VirtualStage()
    with stage.client:
        channel = dispatcher()

    def again():
        channel.call_later(0, again)

    again()
    with pytest.raises(Livelock):
        stage.network.run()


@everywhere
def test_what_a_timer_raises_leaves_the_loop_and_the_others_are_called_in_the_next_pass(stage, channel):
    class Bug(Exception):
        pass

    def fail():
        raise Bug

    called = []
    channel.call_later(0, called.append, 1)
    channel.call_later(0, fail)
    channel.call_later(0, called.append, 2)
    with pytest.raises(Bug):
        stage.run(lambda: len(called) == 2)
    assert called == [1]
    stage.run(lambda: len(called) == 2)
    assert channel.told == []


@everywhere
def test_a_timer_outlives_its_channel(stage, channel):
    called = []
    with stage.client:
        other = Told()
        other.create_socket()
    other.call_later("2ms", called.append, 1)
    other.close()
    stage.run(lambda: called)


@everywhere
def test_a_delay_that_means_nothing_is_refused(stage, channel):
    for delay in ("soon", -1, float("nan")):
        with pytest.raises(UsageError):
            channel.call_later(delay, print)


@everywhere
def test_a_timer_of_a_hundred_days_does_not_overflow_the_poller(stage, channel):
    channel.call_later("2400h", print)
    called = []
    channel.call_later("1ms", called.append, 1)
    stage.run(lambda: called)


def test_cancelled_timers_do_not_pile_up():
    """An idle time-out that is renewed 10 000 times leaves no more than the bound of the purge."""
    running = loop_for(Network().host("a"))
    others = [running.call_later("1h", print) for _ in range(10)]
    for _ in range(10_000):
        running.call_later("1h", print).cancel()
    assert len(running._timers.heap) <= 64
    assert [timer.is_cancelled for timer in others] == [False] * 10
    assert running.next_deadline_ns() == others[0].deadline_ns


@everywhere
def test_a_timer_lets_go_of_what_it_holds(stage, channel):
    class Held:
        pass

    held, called = Held(), []
    timer = channel.call_later(0, called.append, held)
    stage.run(lambda: called)
    called.clear()
    reference = weakref.ref(held)
    del held
    gc.collect()
    assert reference() is None
    assert timer.is_cancelled


# --- the loop itself -----------------------------------------------------------------------------


@on_this_computer  # a virtual network turns its loops itself
def test_a_turn_tells_whether_anything_was_called(stage):
    client, served = connected(stage)
    running = loop_for(stage.server)
    assert running.turn(0) is False
    client.send(b"x")
    assert running.turn(5) is True
    running.call_later(0, served.touch)
    assert running.turn(5) is True


@everywhere
def test_a_loop_says_who_owns_a_descriptor(stage, channel):
    running = loop_for(stage.client)
    assert running.describe(channel.socket.fileno()) == "Told"
    assert running.describe(9999) is None


def test_no_handler_is_called_within_another_on_the_same_host():
    """A proxy that got its event without a pass sends to a backend on its own host."""
    network = Network()
    stage = VirtualStage(network)
    order = []

    class Backend(Told):
        def handle_read(self):
            order.append("backend")
            super().handle_read()

    class Proxy(Told):
        def handle_read(self):
            super().handle_read()
            front.send(b"x")
            order.append("proxy")

    behind = listen(stage, Backend)
    with stage.server:
        front = Told()
        front.create_socket()
        front.connect(("127.0.0.1", behind.socket.getsockname()[1]))
    stage.run(lambda: front.connected and behind.channels)
    client, _ = connected(stage, server_kind=Proxy)
    client.send(b"x")
    stage.run(lambda: behind.channels[0].received)
    assert order == ["proxy", "backend"]


def test_closing_a_loop_leaves_its_channels_as_they_are():
    machine = RealTransport("epoll")
    with machine:
        channel = dispatcher()
        channel.create_socket()
    running = loop_for(machine)
    assert isinstance(running, Loop)
    running.turn(0)
    running.close()
    assert channel.socket.fileno() in running.map
    channel.close()
    assert running.map == {}


# --- passes that a program makes on a virtual host ------------------------------------------------


def test_a_pass_on_a_virtual_host_is_over_when_somebody_was_told():
    """The SYN and its answer take 2 x 20 ms: the one pass ends then, and not after its 5 s."""
    net = Network()
    server, client = net.host("server"), net.host("client")
    net.link("client", "server", latency="20ms")
    with server:
        listener = dispatcher()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
    with client:
        caller = Told()
        caller.create_socket()
        caller.connect(("server", 7))
        loop(timeout=5, count=1)
    assert caller.connected
    assert net.now == 0.040


def test_passes_that_do_not_wait_get_to_a_moment_in_the_end():
    net = Network()
    due = []
    with net.host("client"):
        listener = dispatcher()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        listener.call_later("2ms", due.append, 1)
        while not due:
            loop(timeout=0, count=1000)
    assert net.now == 0.002


class Full(dispatcher):
    """Sends until the buffers are full, and reads nothing meanwhile."""

    declares_interest = True
    left = 400_000

    def readable(self):
        return False

    def writable(self):
        return self.left > 0

    def handle_write(self):
        while self.left and (taken := self.send(bytes(min(self.left, 50_000)))):
            self.left -= taken
        self.touch()


def test_who_waits_for_room_does_so_although_something_comes_that_it_does_not_read():
    """It comes alone, when the channel is neither readable, for it does not ask, nor writable."""
    net = Network()
    server, client = net.host("server"), net.host("client")
    peer = client.socket()
    with server:
        listener = dispatcher()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        listener.handle_accepted = lambda sock, address: made.append(Full(sock))
        made = []
    peer.connect(("server", 7))
    net.run(until=0.1)
    assert made[0].left > 0
    peer.send(b"hello")
    net.run(until=0.2)
    received = 0
    while received < Full.left:  # else a Deadlock: the channel would not hear of the room that this makes
        received += len(peer.recv(100_000))
    assert made[0].left == 0
