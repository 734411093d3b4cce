"""The stage: what a test sees of either world, and how it is let down when nothing comes of it."""

import pytest

from simnet import Deadlock, Network, dispatcher
from simnet.loop import loop_for
from simnet.stage import RealStage, VirtualStage
from tests.unit.stages import STAGES, Told, connected, listen


@pytest.fixture
def made(request):
    stage = STAGES[request.param]()
    yield stage
    stage.close()


on_every_kind = pytest.mark.parametrize("made", STAGES, indirect=True)


@pytest.mark.parametrize("stage", ["virtual", "real"], indirect=True)
def test_the_plugins_fixture_makes_either(stage, request):
    kind = {"virtual": VirtualStage, "real": RealStage}[request.node.callspec.params["stage"]]
    assert type(stage) is kind
    client, served = connected(stage)
    client.send(b"hello")
    stage.run(lambda: served.received == b"hello")


def test_the_plugins_fixture_is_virtual_unless_told_otherwise(stage):
    assert isinstance(stage, VirtualStage)


@on_every_kind
def test_a_server_is_reached_where_it_says(made):
    listener = listen(made)
    host, port = made.reach(listener.socket)
    assert port == listener.socket.getsockname()[1]
    assert host == ("server" if isinstance(made, VirtualStage) else "127.0.0.1")


@on_every_kind
def test_what_is_true_already_takes_no_time(made):
    before_ns = made.client.clock.monotonic_ns()
    passes = []
    with made.client:
        channel = dispatcher()
    channel.call_later(0, passes.append, 1)
    made.run(lambda: True)
    assert passes == []
    if isinstance(made, VirtualStage):
        assert made.client.clock.monotonic_ns() == before_ns


@on_every_kind
def test_what_does_not_come_within_the_limit_is_a_deadlock(made):
    _, served = connected(made)
    with made.client:
        channel = dispatcher()
    done = []
    late = channel.call_later("10min", done.append, 1)
    with pytest.raises(Deadlock, match="not reached within 30ms"):
        made.run(lambda: served.received, limit="30ms")
    late.cancel()


def test_what_comes_after_the_limit_of_virtual_time_comes_too_late():
    stage = VirtualStage()
    with stage.client:
        channel = dispatcher()
    done = []
    channel.call_later("2s", done.append, 1)
    with pytest.raises(Deadlock, match="not reached within 1s of virtual time\nsockets at"):
        stage.run(lambda: done, limit="1s")
    channel.call_later("1s", done.append, 2)
    stage.run(lambda: 2 in done, limit="1s")  # at the limit is in time


def test_what_can_never_come_is_a_deadlock_at_once():
    stage = VirtualStage()
    with pytest.raises(Deadlock, match="nothing can happen any more"):
        stage.run(lambda: False, limit="1h")
    assert stage.network.now_ns == 0


def test_a_real_stage_names_the_channels_that_wait():
    stage = RealStage()
    listen(stage)
    with pytest.raises(Deadlock, match=r"channels: .*<Listener listening 127\.0\.0\.1:0>"):
        stage.run(lambda: False, limit="1ms")
    stage.close()


def test_a_virtual_stage_may_be_given_its_network():
    network = Network(latency="20ms")
    stage = VirtualStage(network)
    connected(stage)
    assert network.now_ns == 60_000_000  # SYN, SYN+ACK, and the ACK that lets the listener accept: 3 x 20 ms


def test_closing_a_real_stage_closes_what_is_left_in_every_map():
    stage = RealStage()
    listener = listen(stage)
    mine = {}
    with stage.client:
        channel = Told(map=mine)
        channel.create_socket()
    mine[10_000] = object()  # a map may hold anything
    stage.close()
    assert (listener.socket.fileno(), channel.socket.fileno()) == (-1, -1)
    assert loop_for(stage.server).map == {}


@on_every_kind
def test_a_stage_is_used_again_after_a_handler_has_raised(made):
    class Once(Told):
        def handle_read(self):
            super().handle_read()
            if len(self.told) == 1:
                raise KeyboardInterrupt

    client, served = connected(made, server_kind=Once)
    client.send(b"a")
    with pytest.raises(KeyboardInterrupt):
        made.run(lambda: served.received == b"ab")
    client.send(b"b")
    made.run(lambda: served.received == b"ab")
