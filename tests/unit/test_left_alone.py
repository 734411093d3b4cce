"""Who wants to write all the time and does nothing with it, on a virtual host: it is told what comes late."""

import pytest

from simnet import Livelock, Network
from simnet.outcomes import GENTLE
from simnet.stage import VirtualStage
from tests.unit.stages import Told, connected


class Declares(Told):
    """`writable` is true because there is a `handle_write`, as asyncore's programs have it."""

    def handle_write(self):
        self.told.append("write")


class IsAsked(Declares):
    def writable(self):
        return True


class Ignores(Declares):
    def handle_read(self):
        pass


def pair(kind, seed=None):
    net = Network(seed=seed, only=GENTLE) if seed is not None else Network()
    stage = VirtualStage(net)
    net.link("client", "server", latency="20ms")
    return net, *connected(stage, Told, kind)


@pytest.mark.parametrize("kind", [Declares, IsAsked])
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_it_reads_what_comes_late_and_the_run_ends(kind, seed):
    net, client, served = pair(kind, seed)
    for late in ("1s", "2s"):
        net.at(late).call(client.send, b"hello")
    net.run()
    assert served.received == b"hellohello"
    assert served.told.count("write") < 50


def test_it_is_told_of_the_end_that_comes_late():
    net, client, served = pair(IsAsked)
    net.at("1s").call(client.close)
    net.run()
    assert served.told[-2:] == ["read", "close"]


def test_who_never_reads_what_comes_late_is_still_a_spin():
    net, client, _ = pair(Ignores)
    net.at("1s").call(client.send, b"hello")
    with pytest.raises(Livelock, match="Ignores is readable and is never read"):
        net.run()
