"""Happenings: programs whose mistakes show when hosts and ways fail, and some that are right."""

import errno
import signal
import socket as std
import sys
import time
from contextlib import suppress
from itertools import pairwise

import pytest

from simnet import Network, dispatcher
from simnet.fuzz.campaign import search
from simnet.fuzz.searches import Happenings, Storm, mixed
from simnet.fuzz.searches.happenings import Stage, drawn
from simnet.happenings import HAPPENINGS
from simnet.loop import loop_for
from simnet.outcomes import BEFALLS, EVERY, GENTLE, HARSH, RESTARTS

RUNS = 100
PORT = 7

# --- programs ------------------------------------------------------------------------------------


class Session(dispatcher):
    """Answers every line, on the server."""

    def handle_read(self):
        if self.recv(4096):
            self.send(b"pong\n")

    def handle_close(self):
        self.close()


class Server(dispatcher):
    def __init__(self, reuses=True):
        super().__init__()
        self.create_socket()
        if reuses:
            self.set_reuse_addr()
        self.bind(("", PORT))
        self.listen(5)

    def handle_accepted(self, sock, address):
        Session(sock)


class Caller(dispatcher):
    """Asks once a second; who gets no answer for five seconds, or is refused, calls again a second later."""

    def __init__(self, client):
        super().__init__()
        self.client, self.is_over = client, False
        self.create_socket()
        self.connect(("server", PORT))
        self.answered()

    def answered(self):
        self.heard = self.client.now()

    def handle_connect(self):
        self.ask()

    def ask(self):
        if self.is_over:
            return
        if self.client.now() - self.heard > 5:
            self.handle_close()
            return
        self.send(b"ping\n")
        self.client.loop.call_later(1, self.ask)

    def handle_read(self):
        if self.recv(4096):
            self.client.answers.append(self.client.now())
            self.client.attempts = 0
            self.answered()

    def handle_connect_failed(self, reason):
        self.handle_close()

    def handle_close(self):
        if not self.is_over:
            self.is_over = True
            self.close()
            self.client.call_again()


class Client:
    """Stays connected.  With `attempts_max`, it counts attempts, and stops for ever when they are used up."""

    def __init__(self, host, attempts_max=None):
        self.host, self.loop, self.now = host, loop_for(host), host.modules.time.monotonic
        self.answers, self.attempts, self.attempts_max = [], 0, attempts_max
        self.call()

    def call(self):
        self.attempts += 1
        with self.host:
            caller = Caller(self)
        self.loop.call_later(5, lambda: caller.connected or caller.handle_close())

    def call_again(self):
        if self.attempts_max is None or self.attempts < self.attempts_max:
            self.loop.call_later(1, self.call)


def is_served_in_the_end(net, reuses=True, attempts_max=None):
    """After half a minute the weather clears up, and a minute later the client has to be served."""

    log = []

    def start():
        try:
            Server(reuses)
        except OSError as error:  # is written to a log that nobody reads
            log.append(error.errno)

    net.host("server").boot(start)
    client = Client(net.host("client"), attempts_max)
    net.run(until="30s")
    net.clear_up()
    net.run(until="90s")
    assert set(log) <= {errno.EADDRINUSE}
    assert client.answers
    assert client.answers[-1] > 85, "nobody has asked, or answered, for long"


def gives_up(net):
    is_served_in_the_end(net, attempts_max=6)


def loses_its_listener(net):
    is_served_in_the_end(net, reuses=False)


def ticks(net, clock):
    """A tick a second, by a clock that is asked for the time, also when the weather is over."""
    host = net.host("a")
    now, loop, told = getattr(host.modules.time, clock), loop_for(host), []
    deadline = now() + 1

    def look():
        nonlocal deadline
        if now() >= deadline:
            told.append(net.now)
            deadline = now() + 1
        loop.call_later(0.3, look)

    look()
    net.run(until="5s")
    net.clear_up()
    net.run(until="80s")
    assert 5 <= sum(moment > 70 for moment in told) <= 10


def goes_by_the_wall_clock(net):
    ticks(net, "time")


def goes_by_the_monotonic_clock(net):
    ticks(net, "monotonic")


class Monitor:
    """Says who has died: nobody twice, unless it was heard in between.  A careless one forgets to note it."""

    def __init__(self, host, careful):
        self.loop, self.now, self.careful = loop_for(host), host.modules.time.monotonic, careful
        self.heard, self.told = {}, []
        with host:
            self.sock = dispatcher()
            self.sock.create_socket(std.AF_INET, std.SOCK_DGRAM)
            self.sock.bind(("", PORT))
        self.sock.handle_read = self.hear
        self.look()

    def hear(self):
        name = self.sock.recv(100)
        self.heard[name] = self.now()
        self.told.append((name, "lives"))

    def look(self):
        for name, moment in list(self.heard.items()):
            if self.now() - moment > 3:
                self.told.append((name, "is dead"))
                if self.careful:
                    del self.heard[name]
        self.loop.call_later(1, self.look)


def watches(net, careful):
    monitor = Monitor(net.host("monitor"), careful)
    member = net.host("member")
    sock, loop = member.socket(std.AF_INET, std.SOCK_DGRAM), loop_for(member)

    def beat():
        sock.sendto(b"member", ("monitor", PORT))
        loop.call_later(1, beat)

    beat()
    net.run(until="20s")
    sock.close()
    words = [word for _, word in monitor.told]
    assert all(pair != ("is dead", "is dead") for pair in pairwise(words)), "dead twice"


def declares_dead_twice(net):
    watches(net, careful=False)


def declares_dead_once(net):
    watches(net, careful=True)


# --- what is found -------------------------------------------------------------------------------

WRONG = {
    gives_up: {"partition_for", "block_for", "isolate_for", "flap", "kill_for", "pause_for", "clog"},
    loses_its_listener: {"kill_for"},
    goes_by_the_wall_clock: {"forward", "back"},
    declares_dead_twice: set(HAPPENINGS),
}


@pytest.mark.parametrize("program", WRONG, ids=lambda program: program.__name__)
def test_happenings_find_it(program):
    found = search(program, by=Happenings(only=[each for each in EVERY if each[0] == BEFALLS]), runs_max=RUNS)
    assert found is not None
    assert found.shrunk.each_needed
    (happening,) = found.script.items()
    assert happening.what in WRONG[program]


@pytest.mark.parametrize("program", [loses_its_listener, goes_by_the_wall_clock])
def test_the_default_search_finds_what_storms_of_operations_do_not(program):
    assert search(program, by=Storm(), runs_max=RUNS) is None
    assert search(program, by=mixed(), runs_max=8 * RUNS, shrink=False) is not None


@pytest.mark.parametrize(
    "program",
    [is_served_in_the_end, goes_by_the_monotonic_clock, declares_dead_once],
    ids=lambda p: p.__name__,
)
def test_a_program_that_is_right_survives(program):
    assert search(program, by=Happenings(), runs_max=RUNS) is None


# --- how it is drawn -----------------------------------------------------------------------------

STAGE = Stage(("a", "b", "c"), ("b",), (0, 1_000_000, 3_000_000, 1_003_000_000))


class Talker(dispatcher):
    """Says 100 kB, and reads what the other says: behind it, or all the while."""

    reads_meanwhile = False
    left = said = 100_000

    def __init__(self, sock=None):
        super().__init__(sock)
        self.heard = 0

    def readable(self):
        return self.reads_meanwhile or not self.left

    def writable(self):
        return not self.connected or self.left > 0

    def handle_connect(self):
        pass

    def handle_write(self):
        self.left -= self.send(bytes(self.left))

    def handle_read(self):
        self.heard += len(self.recv(8192))


class Listening(Talker):
    reads_meanwhile = True


def two_talk(kind):
    def program(net):
        with net.host("server"):
            listener = dispatcher()
            listener.create_socket()
            listener.bind(("", PORT))
            listener.listen(5)
            listener.handle_accepted = lambda sock, address: kind(sock)
        with net.host("client"):
            caller = kind()
            caller.create_socket()
            caller.connect(("server", PORT))
        net.run()
        assert caller.heard == Talker.said

    return program


def test_two_that_read_when_they_have_said_all_wait_for_each_other_where_buffers_are_small():
    found = search(two_talk(Talker), by=mixed(0, only=GENTLE), runs_max=400)
    assert found is not None
    assert [each.what for each in found.script.happenings] == ["narrow"]
    assert "room that will never come" in str(found.outcome.error)
    assert search(two_talk(Listening), by=mixed(0, only=GENTLE), runs_max=400) is None


def kinds_drawn(only, stage=STAGE, seeds=range(400)):
    return {each.what for seed in seeds for each in drawn(seed, stage, only)}


@pytest.mark.parametrize("only", [GENTLE, EVERY, HARSH])
def test_every_kind_of_a_weather_is_drawn_and_no_other(only):
    assert kinds_drawn(only) == {kind for op, kind in only if op == BEFALLS}


def test_only_hosts_that_boot_are_killed_and_one_host_is_not_parted():
    killed = [each for seed in range(400) for each in drawn(seed, STAGE, HARSH) if "kill" in each.what]
    assert {each.groups for each in killed} == {(("b",),)}
    alone = Stage(("a",), (), (0, 10))
    of_one = {"pause_for", "forward", "back", "hasten", "slow", "limit_for", "narrow"}
    assert kinds_drawn(HARSH, alone) == of_one


def test_nothing_happens_where_nothing_of_it_is_allowed():
    assert drawn(1, STAGE, [("segment", "cut")]) == ()
    assert search(lambda net: net.host("a"), by=Happenings(only=[("segment", "cut")])) is None


def test_moments_are_those_of_the_calm_run_and_halfway_between():
    times = {each.at_ns for seed in range(400) for each in drawn(seed, STAGE, EVERY)}
    assert times == {0, 500_000, 1_000_000, 2_000_000, 3_000_000, 503_000_000}


def test_what_cannot_happen_does_not_and_leaves_no_line():
    def program(net):
        net.host("a").boot(lambda: None)
        net.at("1ms").crash("a")
        net.run()

    scripts = []
    by = Happenings(only=HARSH)
    search(lambda net: (program(net), scripts.append(net.script())), by=by, runs_max=100)
    killed = [each for script in scripts for each in script.happenings if each.what.endswith("l_for")]
    assert all(each.at_ns < 1_000_000 for each in killed)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_with_happenings_is_replayed_by_its_script(seed):
    by = Happenings(seed)
    runs = []

    def program(net):
        runs.append(net)
        with suppress(AssertionError):
            is_served_in_the_end(net)

    search(program, by=by, runs_max=2)
    assert runs[-1].happened
    again = Network(runs[-1].script())
    program(again)
    traced = runs[-1].again()
    program(traced)
    assert traced.trace.digest() == again.trace.digest()
    assert again.unmet() == ()


@pytest.mark.parametrize(("only", "expected"), [(EVERY, False), (HARSH, True)])
def test_only_harsh_weather_cuts_the_way_of_a_reset(only, expected):
    """Whoever loses a RST is half-open, and no program without a time-out finds that out."""
    by, met = Happenings(only=only), False

    def program(net):
        nonlocal met
        with suppress(AssertionError, OSError):
            is_served_in_the_end(net)
        kinds = {each.what for each in net.happened} | {each.outcome for each in net.recording.deviations}
        met |= bool(kinds & {"partition_for", "flap"} and kinds & {"reset", "kill_for"})

    search(program, by=by, runs_max=RUNS, shrink=False)
    assert met is expected


class Farewell(dispatcher):
    """Says something and leaves: what is on its way is the kernel's business from then on."""

    def handle_read(self):
        if self.recv(100):
            self.send(b"goodbye")
            self.close()


def test_no_way_is_cut_for_so_long_that_what_a_closed_socket_has_sent_gets_lost():
    """The one that asks has no time-out, and need not have one where everything that was sent arrives."""

    def program(net):
        heard = []

        class Listening(dispatcher):
            def handle_accepted(self, sock, address):
                Farewell(sock)

        class Asking(dispatcher):
            def handle_connect(self):
                self.send(b"hello")

            def handle_read(self):
                heard.append(self.recv(100))

            def handle_close(self):
                self.close()

        with net.host("server"):
            listener = Listening()
            listener.create_socket()
            listener.bind(("", PORT))
            listener.listen(5)
        with net.host("client"):
            asking = Asking()
            asking.create_socket()
            asking.connect(("server", PORT))
        net.run()
        assert b"goodbye" in heard

    cuts = {(BEFALLS, kind) for kind in ("partition_for", "block_for", "isolate_for")}
    assert search(program, by=Happenings(only=cuts), runs_max=500) is None


# --- graceful ends -------------------------------------------------------------------------------


def takes_orders(net, careful):
    """A server takes orders, and writes them down when it is asked to end: if it hears that."""
    ledgers, written = [], []

    def serve():
        taken = []
        ledgers.append(taken)

        def end(number, frame):
            written.extend(taken)
            sys.exit()

        if careful:
            signal.signal(signal.SIGTERM, end)
        with std.create_server(("", PORT)) as listening:
            while True:
                sock, _ = listening.accept()
                with sock, suppress(OSError):
                    sock.sendall(b"taken" if sock.recv(100) else b"")
                    taken.append("bread")

    def order():
        for _ in range(9):
            with suppress(OSError), std.create_connection(("server", PORT), timeout=5) as sock:
                sock.sendall(b"bread")
                if sock.recv(100) == b"taken":
                    break
            time.sleep(1)
        time.sleep(3)

    server = net.host("server")
    server.boot(lambda: server.spawn(serve, daemon=True))
    net.host("client").spawn(order)
    net.run()
    lost = [order for taken in ledgers[:-1] for order in taken if order not in written]
    assert not lost, "an order that was taken is lost"


def forgets_orders(net):
    takes_orders(net, careful=False)


def keeps_orders(net):
    takes_orders(net, careful=True)


def test_a_server_that_does_not_hear_sigterm_is_found_by_restarts():
    found = search(forgets_orders, by=Happenings(only=RESTARTS), runs_max=RUNS)
    assert found is not None
    (happening,) = found.script.items()
    assert happening.what == "terminate_for"
    assert search(keeps_orders, by=Happenings(only=RESTARTS), runs_max=RUNS) is None


def test_restarts_are_drawn_only_where_they_are_asked_for():
    assert not HARSH & RESTARTS
    assert not EVERY & RESTARTS
