"""Properties that compare runs, and those of a test's own: a canary for each, and a program that keeps it."""

import pytest

from simnet import Network, PropertyViolated, UsageError, dispatcher, dispatcher_with_send
from simnet.properties import (
    Replies,
    always,
    eventually,
    same_for_any_poller,
    same_for_any_segmentation,
    same_for_any_wall_clock,
    sometimes,
)
from simnet.stage import VirtualStage
from simnet.transport import current

PORT = 7000
LINES = b"one\r\ntwo\r\nthree\r\n"


class Lines(dispatcher):
    """Keeps what is not a whole line yet."""

    def __init__(self, sock, heard):
        super().__init__(sock)
        self.heard, self.rest = heard, b""

    def handle_read(self):
        *lines, self.rest = (self.rest + self.recv(4096)).split(b"\r\n")
        self.heard += lines

    def handle_close(self):
        self.close()


class Hasty(Lines):
    """Takes what recv returns for lines."""

    def handle_read(self):
        self.heard += self.recv(4096).split(b"\r\n")[:-1]


class Server(dispatcher):
    def __init__(self, channel, heard, address=("", PORT)):
        super().__init__()
        self.channel, self.heard = channel, heard
        self.create_socket()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.channel(sock, self.heard)


class Caller(dispatcher_with_send):
    has_said = False

    def __init__(self, address=("server", PORT), after=0, stays=False):
        super().__init__()
        self.after, self.stays = after, stays
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        if self.after:
            self.call_later(self.after, self.say)
        else:
            self.say()

    def say(self):
        self.has_said = True
        self.send(LINES)
        self.finish()

    def handle_write(self):
        super().handle_write()
        self.finish()

    def finish(self):
        if self.has_said and not (self.out_buffer or self.stays):
            self.close()

    def handle_close(self):
        self.close()


def hears(channel, **options):
    def program(net):
        heard = []
        with net.host("server"):
            Server(channel, heard)
        with net.host("client"):
            Caller(**options)
        net.run()
        return heard

    return program


# --- segmentation --------------------------------------------------------------------------------


def test_a_program_that_keeps_what_is_not_whole_is_the_same_for_any_segmentation():
    same_for_any_segmentation(hears(Lines))


def test_a_program_that_takes_segments_for_lines_is_not():
    with pytest.raises(PropertyViolated) as caught:
        same_for_any_segmentation(hears(Hasty))
    assert caught.value.name == "segmentation"
    assert str(caught.value).startswith("segmentation: byte by byte it says [], and calm [b'one'")
    assert "the 1st segment of client:1 -> server:7000 comes in crumbs" in str(caught.value)


def test_a_cut_that_makes_a_program_fail_is_the_cause_of_the_violation():
    class Strict(Lines):
        def handle_read(self):
            data = self.recv(4096)
            assert not data or data.endswith(b"\r\n")

    with pytest.raises(PropertyViolated, match="byte by byte it fails") as caught:
        same_for_any_segmentation(hears(Strict))
    assert isinstance(caught.value.__cause__, AssertionError)


def test_what_only_a_cut_in_two_shows_is_found_among_the_random_ones():
    class Halves(Lines):
        """Is wrong only for a segment that ends between CR and LF, and is not that one byte."""

        def handle_read(self):
            data = self.recv(4096)
            if data[:-1] and data.endswith(b"\r"):
                data = data[:-1]
            *lines, self.rest = (self.rest + data).split(b"\r\n")
            self.heard += lines

    with pytest.raises(PropertyViolated, match=r"cut at random \(seed \d+\)"):
        same_for_any_segmentation(hears(Halves), cuts=300)


def test_a_program_that_fails_on_the_calm_network_fails_as_it_is():
    def broken(net):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        same_for_any_segmentation(broken)


# --- the wall clock ------------------------------------------------------------------------------


class Punctual(Lines):
    """Closes after a second of silence, by the clock on the wall."""

    def clock_ns(self):
        return current().clock.time_ns()

    def handle_read(self):
        super().handle_read()
        self.began = self.clock_ns()
        self.call_later("100ms", self.look)

    def look(self):
        if self.clock_ns() - self.began >= 1_000_000_000:
            self.heard.append(b"late")
            self.close()
        elif self._fileno is not None:
            self.call_later("100ms", self.look)


class Steady(Punctual):
    def clock_ns(self):
        return current().clock.monotonic_ns()


def ticks(channel):
    def program(net):
        heard = []
        with net.host("server"):
            Server(channel, heard)
        with net.host("client"):
            Caller(after="500ms", stays=True)
        net.run(until="3s")
        return heard

    return program


def test_a_timeout_by_the_wall_clock_is_not_the_same_for_any_wall_clock():
    with pytest.raises(PropertyViolated, match="with wall clocks set") as caught:
        same_for_any_wall_clock(ticks(Punctual))
    assert caught.value.name == "wall-clock"


def test_a_timeout_by_the_monotonic_clock_is():
    same_for_any_wall_clock(ticks(Steady))


def test_what_happens_on_the_network_is_compared_too():
    def program(net):
        host = net.host("server")
        with host:
            began_ns = current().clock.time_ns()

            def work():
                if current().clock.time_ns() < began_ns:
                    Caller(("server", 9))

            Server(Lines, []).call_later("1s", work)
        net.run(until="2s")

    with pytest.raises(PropertyViolated, match=r"there is .* and calm nothing"):
        same_for_any_wall_clock(program)
    same_for_any_wall_clock(program, is_traced=False)


# --- pollers -------------------------------------------------------------------------------------


def staged(channel):
    def program(stage):
        heard = []
        with stage.server:
            server = Server(channel, heard, stage.address)
        with stage.client:
            Caller(stage.reach(server.socket))
        stage.run(lambda: len(heard) >= 3)
        return heard

    return program


def test_a_program_that_leaves_order_to_the_network_is_the_same_by_any_poller():
    same_for_any_poller(staged(Lines))


def test_a_program_that_asks_where_it_is_is_not():
    def program(stage):
        return isinstance(stage, VirtualStage)

    with pytest.raises(PropertyViolated, match="by select it says False, and virtually True"):
        same_for_any_poller(program)


# --- a test's own --------------------------------------------------------------------------------


def world(check=None, **weather):
    net = Network(check=check, **weather)
    heard = []
    with net.host("server"):
        Server(Lines, heard)
    with net.host("client"):
        Caller(after="1s")
    return net, heard


def test_what_is_always_true_is_asked_after_every_moment():
    net, _ = world()
    times = []
    always(net, lambda: times.append(net.now) or True)
    net.run()
    assert {0.0, 0.001, 0.002, 1.002, 1.003} <= set(times), "SYN, SYN+ACK, a timer after 1 s, and the data"


def test_what_is_not_always_true_ends_the_run_at_that_moment():
    net, heard = world()
    always(net, lambda: not heard, "nothing is heard")
    with pytest.raises(PropertyViolated, match=r"nothing is heard: not true at t=1\.003"):
        net.run()
    assert net.now == 1.003


def test_an_invariant_is_asked_by_single_steps_too():
    net, heard = world()
    always(net, lambda: not heard)
    for _ in range(4):  # SYN, SYN+ACK, its ACK, the timer
        net.step()
    with pytest.raises(PropertyViolated) as caught:
        net.step()
    assert caught.value.name.endswith("<lambda>")


def test_what_is_due_happens_when_the_network_clears_up():
    net, heard = world()
    net.run(until="0.5s")
    net.partition("client", "server")
    net.on("client", "segment").lose()
    net.run(until="5s")
    assert heard == []
    eventually(net, lambda: heard == [b"one", b"two", b"three"], within="30s")
    assert net.now < 35


def test_what_never_comes_is_a_violation():
    net, heard = world()
    with pytest.raises(PropertyViolated, match=r"four lines: not true within 10s of t=0\.000"):
        eventually(net, lambda: len(heard) == 4, "10s", "four lines")


def test_a_storm_clears_up_and_its_script_repeats_it():
    net, heard = world(seed=5, only={("segment", "lost"), ("segment", "late")})
    net.run(until="1.1s")
    before = len(net.script())
    eventually(net, lambda: len(heard) == 3, "600s")
    assert len(net.script()) == before
    again, heard_again = world(script=net.script())
    again.run(until="1.1s")
    eventually(again, lambda: len(heard_again) == 3, "600s")
    assert again.now == net.now


def test_a_rule_of_a_block_that_the_network_cleared_up_in_is_lifted_once():
    net, heard = world()
    with net.on("client", "segment").lose():
        eventually(net, lambda: len(heard) == 3, "5s")


def test_a_host_that_stands_still_goes_on_when_the_network_clears_up():
    net, heard = world()
    net.host("server").pause()
    eventually(net, lambda: len(heard) == 3, "5s")


def test_what_is_to_be_seen_sometimes_is_noted_also_if_it_was_not():
    net, heard = world()
    sometimes(net, "a line is heard", heard)
    sometimes(net, "nothing", False)
    assert net.seen_sometimes == {"a line is heard": False, "nothing": False}
    net.run()
    sometimes(net, "a line is heard", heard)
    sometimes(net, "a line is heard", False)
    assert net.seen_sometimes == {"a line is heard": True, "nothing": False}


# --- replies -------------------------------------------------------------------------------------


def test_a_reply_to_a_cancelled_request_is_not_the_next_ones():
    book = Replies()
    book.asked(1, b"time")
    book.cancelled(1)
    book.asked(2, b"date")
    with pytest.raises(PropertyViolated, match="request 2 is answered by b'time', which answers request 1"):
        book.got(2, b"time")


def test_replies_to_their_requests_are_let_through():
    book = Replies(lambda request, reply: reply == request.upper())
    book.asked("a", b"x")
    book.asked("b", b"y")
    book.cancelled("a")
    book.got("b", b"Y")


@pytest.mark.parametrize("first", ["cancelled", "got"])
def test_a_request_is_answered_once_and_not_after_its_end(first):
    book = Replies(lambda request, reply: True)
    book.asked(1, b"")
    getattr(book, first)(*((1,) if first == "cancelled" else (1, b"")))
    with pytest.raises(PropertyViolated, match="request 1 was"):
        book.got(1, b"")


def test_a_number_is_given_once_and_must_be_known():
    book = Replies()
    book.asked(1, b"")
    with pytest.raises(UsageError, match="there is a request 1 already"):
        book.asked(1, b"")
    with pytest.raises(UsageError, match="there is no request 2"):
        book.cancelled(2)
