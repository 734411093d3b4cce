"""`simnet.asyncore` and `asynchat` against those that Python had, on real loopback: no difference at all.

The same programs note the same lines with either module: who is told what, in which order, what is returned,
raised and printed.  The old modules are those of Python 3.11, or, later, pyasyncore and pyasynchat.
"""

import inspect
import socket

import pytest
from hypothesis import Phase, given, settings

from tests.unit.letter import OURS, noted, old_modules
from tests.unit.letter_chats import CHATS
from tests.unit.letter_details import DETAILS
from tests.unit.letter_programs import EXCEPTIONS, PROGRAMS, raising
from tests.unit.letter_random import programs, random_notes

THEIRS = old_modules()

# On a busy computer something may come a pass later: it counts if both say the same once in three times.
pytestmark = pytest.mark.flaky(reruns=2)

by_select_and_by_poll = pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])


def agree(program, use_poll):
    theirs = noted(THEIRS, program, use_poll)
    assert theirs
    assert noted(OURS, program, use_poll) == theirs


@by_select_and_by_poll
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_program_notices_no_difference(program, use_poll):
    agree(program, use_poll)


@by_select_and_by_poll
@pytest.mark.parametrize("close_on_error", [False, True], ids=["default", "own handle_error"])
@pytest.mark.parametrize("error", EXCEPTIONS, ids=repr)
def test_what_a_handler_lets_out_has_the_same_consequences(error, close_on_error, use_poll):
    agree(raising(error, close_on_error), use_poll)


@by_select_and_by_poll
@pytest.mark.parametrize("close_on_error", [False, True], ids=["default", "own handle_error"])
def test_exit_now_leaves_the_loop(close_on_error, use_poll):
    def program(world):
        raising(world.asyncore.ExitNow("enough"), close_on_error)(world)

    agree(program, use_poll)


@pytest.mark.parametrize("program", DETAILS, ids=lambda program: program.__name__)
def test_no_detail_differs(program):
    agree(program, use_poll=False)


@by_select_and_by_poll
@pytest.mark.parametrize("program", CHATS, ids=lambda program: program.__name__)
def test_a_chat_notices_no_difference(program, use_poll):
    agree(program, use_poll)


# --- random programs -------------------------------------------------------------------------------

RUNS = 3  # if a busy computer delivers something late in one, it does not in the next


def search(use_poll, examples, phases=(Phase.generate, Phase.shrink)):
    """Raises AssertionError with a program that notes a difference, made short if `phases` say so."""

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, phases=phases)
    @given(programs)
    def agreed(program):
        for _ in range(RUNS):
            theirs = random_notes(THEIRS, program, use_poll)
            ours = random_notes(OURS, program, use_poll)
            if ours == theirs:
                return
        assert ours == theirs

    agreed()


@by_select_and_by_poll
def test_no_random_program_notices_a_difference(use_poll):
    search(use_poll, examples=200)


def _raise_what_send_meets(channel, data):
    return channel.socket.send(data)


def _do_not_close_at_the_end(channel, size):
    return channel.socket.recv(size)


def _forget_nothing(channel):
    channel.incoming = []


MISTAKES = (
    ("dispatcher", "send", _raise_what_send_meets),
    ("dispatcher", "recv", _do_not_close_at_the_end),
    ("async_chat", "discard_buffers", _forget_nothing),
)


@pytest.mark.parametrize(("kind", "method", "mistake"), MISTAKES, ids=[method for _, method, _ in MISTAKES])
def test_random_programs_find_a_mistake(kind, method, mistake, monkeypatch):
    module = OURS[kind == "async_chat"]
    monkeypatch.setattr(getattr(module, kind), method, mistake)
    with pytest.raises(AssertionError):
        search(use_poll=False, examples=200, phases=[Phase.generate])


# --- names -----------------------------------------------------------------------------------------


def names(holder):
    """What programs may use: of the special names those of methods that asyncore has itself.

    Python 3.11 has two names more, to warn that the modules will go.
    """
    special = ("__init__", "__del__")
    return [
        name
        for name in dir(holder)
        if name in special or not name.startswith(("__", "_DEPRECATION", "_deprecated"))
    ]


def shape(function):
    """The parameters of a function, without what is said of their types."""
    parameters = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


def differing(theirs, ours):
    """The attributes of `theirs` that `ours` does not have, or has otherwise."""
    of_another_class = ("socket_map", "_reraised_exceptions")  # or with something of one in it
    for name in names(theirs):
        their, our = getattr(theirs, name), getattr(ours, name, None)
        if inspect.isclass(their):
            yield from (f"{name}.{other}" for other in differing(their, our))
            if [base.__name__ for base in their.__mro__] != [base.__name__ for base in our.__mro__]:
                yield name
        elif inspect.isfunction(their):
            if our is None or shape(their) != shape(our):
                yield name
        elif inspect.ismodule(their):
            if our is None:
                yield name
        elif name not in of_another_class and their != our:
            yield name


@pytest.mark.parametrize("number", [0, 1], ids=["asyncore", "asynchat"])
def test_every_name_is_there_with_its_value_or_its_parameters(number):
    theirs, ours = THEIRS[number], OURS[number]
    assert list(differing(theirs, ours)) == []
    assert set(names(theirs)) <= set(dir(ours))


def test_the_search_for_differing_names_finds_some():
    class Theirs:
        a, b, c = 1, 2, staticmethod(lambda x: 0)

    class Ours:
        a, c = 1, staticmethod(lambda x=1: 0)

    assert list(differing(Theirs, Ours)) == ["b", "c"]


def plain_names(kind):
    """Those that a subclass can take by chance: private names of the class itself carry its own in front."""
    return {name for name in dir(kind) if not name.startswith(("__", f"_{kind.__mro__[-2].__name__}__"))}


@pytest.mark.parametrize(
    ("number", "kind"),
    [(0, "dispatcher"), (0, "dispatcher_with_send"), (1, "async_chat"), (1, "simple_producer")],
)
def test_no_class_has_a_name_more_that_a_program_may_use_for_its_own(number, kind):
    theirs, ours = getattr(THEIRS[number], kind), getattr(OURS[number], kind)
    assert plain_names(ours) == plain_names(theirs)


def test_methods_of_a_program_are_called_by_the_program_only():
    class Chat(OURS[1].async_chat):
        found = False

        def _search(self, *args):
            raise AssertionError("asynchat has no such method")

        _collect_all = _count_down = _send_piece = _ask_producer = _search

        def found_terminator(self):
            self.found = True
            self.push_with_producer(OURS[1].simple_producer(b"abc"))

        collect_incoming_data = OURS[1].async_chat._collect_incoming_data

    left, right = socket.socketpair()
    with right:
        chat = Chat(left, {})
        chat.set_terminator(b"\n")
        right.sendall(b"line\n")
        chat.handle_read_event()
        chat.set_terminator(2)
        right.sendall(b"xyz")
        chat.handle_read_event()
        assert chat.found
        assert right.recv(100) == b"abcabc"
        chat.close()
