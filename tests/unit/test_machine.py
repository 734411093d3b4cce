"""State machines on a network: a client that must get every line across, and one that gives up."""

import gc

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import simnet
from simnet import Rule, Script, dispatcher, dispatcher_with_send, parse
from simnet.fuzz import OPERATIONS, NetworkMachine
from simnet.fuzz.machine import _KINDS
from simnet.outcomes import EVERY

PORT = 9000


class Store(dispatcher):
    """Keeps each numbered line once, on a disk that outlives its program."""

    def __init__(self, disk):
        super().__init__()
        self.disk = disk
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", PORT))
        self.listen(5)

    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError:
            return
        if pair is not None:
            StoreChannel(pair[0], self.disk)


class StoreChannel(dispatcher_with_send):
    def __init__(self, sock, disk):
        super().__init__(sock)
        self.disk, self.buffer = disk, b""

    def handle_read(self):
        self.buffer += self.recv(4096)
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            if line not in self.disk:
                self.disk.append(line)
            self.send(line + b"\n")

    def handle_close(self):
        self.close()


class Teller:
    """Says every line until it was confirmed; dials again a second after its connection was lost."""

    dials_again = True

    def __init__(self):
        self.waiting = []
        self.line = None

    def tell(self, text):
        self.waiting.append(text)
        if self.line is None:
            self.line = Line(self)
        else:
            self.line.say(text)

    def lost(self, line):
        self.line = None
        if self.waiting and self.dials_again:
            line.call_later("1s", self.dial)

    def dial(self):
        if self.line is None and self.waiting:
            self.line = Line(self)


class Line(dispatcher_with_send):
    def __init__(self, teller):
        super().__init__()
        self.teller, self.buffer, self.over = teller, b"", False
        self.create_socket()
        for text in teller.waiting:
            self.out_buffer += text + b"\n"
        try:
            self.connect(("server", PORT))
        except OSError:
            self.handle_close()

    def say(self, text):
        if self.connected:
            self.send(text + b"\n")
        else:
            self.out_buffer += text + b"\n"

    def handle_read(self):
        self.buffer += self.recv(4096)
        *lines, self.buffer = self.buffer.split(b"\n")
        for text in lines:
            if text in self.teller.waiting:
                self.teller.waiting.remove(text)

    def handle_close(self):
        if not self.over:
            self.over = True
            self.close()
            self.teller.lost(self)


class HastyTeller(Teller):
    dials_again = False


class Lines(NetworkMachine):
    teller_class = Teller

    def boot(self):
        self.disk, self.told = [], []
        self.teller = self.teller_class()
        self.net.host("server").boot(lambda: Store(self.disk))

    @rule()
    def tell(self):
        text = b"line %d" % len(self.told)
        self.told.append(text)
        with self.net.host("client"):
            self.teller.tell(text)

    @invariant()
    def keeps_only_what_was_told(self):
        assert set(self.disk) <= set(self.told)

    def settled(self):
        assert sorted(self.disk) == sorted(self.told), f"{self.disk} of {self.told}"


class HastyLines(Lines):
    teller_class = HastyTeller


BOUNDED = settings(
    database=None,
    max_examples=60,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def failure_of(machine):
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=BOUNDED)
    return caught.value, "\n".join(caught.value.__notes__)


def test_a_client_that_dials_again_gets_everything_across_once_the_network_has_healed():
    run_state_machine_as_test(Lines, settings=BOUNDED)


def test_a_client_that_gives_up_is_found_and_the_steps_are_lines():
    error, notes = failure_of(HastyLines)
    assert str(error).startswith("[] of [b'line 0']")
    steps = [line for line in notes.splitlines() if line.startswith("state.") and "keeps_" not in line]
    assert steps[0] == "state.tell()"
    assert steps[-1] == "state.teardown()"
    assert len(steps) <= 4, steps


def test_the_script_of_a_failing_run_is_printed_in_sentences_and_as_an_expression():
    _, notes = failure_of(HastyLines)
    lines = notes.partition("what befell the network:\n")[2].splitlines()
    (place,) = (place for place, line in enumerate(lines) if line.startswith("Script("))
    script = eval(lines[place], vars(simnet))
    assert len(script)
    assert script == Script.of(map(parse, lines[:place]))


def test_the_end_requires_what_settled_asserts():
    class Unsettled(Lines):
        def settled(self):
            raise AssertionError("the end's")

    error, _ = failure_of(Unsettled)
    assert str(error) == "the end's"


def test_an_error_of_a_rule_is_not_hidden_by_what_the_end_requires():
    class Broken(Lines):
        operations = ()

        @rule()
        def tell(self):
            self.is_broken = True
            raise AssertionError("the rule's own")

        def settled(self):
            assert not hasattr(self, "is_broken"), "the end's"

    error, _ = failure_of(Broken)
    assert str(error) == "the rule's own"
    assert error.__context__ is None


def test_only_the_operations_that_a_machine_has_are_drawn():
    drawn = []

    class Waits(Lines):
        operations = ("advance",)

        def settled(self):
            drawn.append(self.net.script())

    run_state_machine_as_test(Waits, settings=BOUNDED)
    assert set(map(str, drawn)) == {"calm"}


def test_every_happening_is_drawn_and_every_host_runs_in_the_end():
    seen = set()

    class Watched(NetworkMachine):
        hosts = ("a", "b", "c")

        def boot(self):
            self.net.host("b").boot(lambda: Store([]))

        @rule()
        def dial(self):
            if self.net.host("a").runs:
                with self.net.host("a"):
                    Line(Teller())

        def settled(self):
            seen.update(each.what for each in self.net.happened)
            assert all(host.runs and not host.is_paused for host in self.net.hosts.values())

    run_state_machine_as_test(Watched, settings=settings(BOUNDED, max_examples=200))
    assert seen == set(OPERATIONS) - {"advance", "disturb"}


def test_only_hosts_that_boot_a_program_fall_unless_the_machine_names_others():
    fell = set()

    class Falls(Lines):
        operations = ("crash", "kill", "restart")
        may_fall = None

        def settled(self):
            fell.update(each.groups for each in self.net.happened if each.what in ("crash", "kill"))

    run_state_machine_as_test(Falls, settings=BOUNDED)
    assert fell == {(("server",),)}

    class FallsAtTheClient(Falls):
        may_fall = ("client",)

        @rule()
        def tell(self):
            pass

    fell.clear()
    run_state_machine_as_test(FallsAtTheClient, settings=BOUNDED)
    assert fell == {(("client",),)}


def test_the_same_steps_are_the_same_runs():
    def digests():
        found = []

        class Watched(Lines):
            def settled(self):
                super().settled()
                found.append(self.net.trace.digest())

        run_state_machine_as_test(Watched, settings=BOUNDED)
        return found

    first = digests()
    assert len({*first}) > 30
    assert digests() == first
    assert gc.isenabled()


def test_an_operation_that_is_disturbed_deviates_when_time_goes_on():
    seen = set()

    class Disturbed(Lines):
        operations = ("advance", "disturb")

        def settled(self):
            super().settled()
            seen.update((each.op, each.outcome) for each in self.net.recording.deviations)

    run_state_machine_as_test(Disturbed, settings=settings(BOUNDED, max_examples=150))
    assert {("segment", "reset"), ("send", "again")} <= seen


def test_a_program_that_never_rests_has_a_time_to_settle_in():
    class Beats(NetworkMachine):
        settles_within = "30s"
        operations = ("advance",)

        def boot(self):
            self.beats = 0
            self.beat()

        def beat(self):
            self.beats += 1
            self.net.at(self.net.now + 1).call(self.beat)

        def settled(self):
            assert self.beats >= 30

    run_state_machine_as_test(Beats, settings=settings(BOUNDED, max_examples=5))


def test_every_kind_that_disturbs_is_a_deviation_of_the_network():
    assert {kind[:2] for kind in _KINDS} <= EVERY
    for op, outcome, amount in _KINDS:
        assert parse(str(Rule(where="a", op=op, outcome=outcome, amount=amount, times=1)))
