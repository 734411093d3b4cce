"""async_chat: input by terminators, output by producers, on every kind of stage."""

import pytest

from simnet import UsageError, async_chat
from simnet.dispatchers import find_prefix_at_end, simple_producer
from tests.unit.stages import STAGES, Told, connect, connected, everywhere, listen


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


class Lines(async_chat):
    """Notes every piece and, as None, every terminator; `feed` is a wire that needs no socket."""

    terminator = b"\r\n"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.told = []

    def collect_incoming_data(self, data):
        self.told.append(data)

    def found_terminator(self):
        self.told.append(None)

    def recv(self, size):
        return self.wire if self.socket is None else super().recv(size)

    def feed(self, data):
        self.wire = data
        self.handle_read()

    @property
    def lines(self):
        return b"".join(b"|" if piece is None else piece for piece in self.told)


TERMINATORS = (b"\r\n", b"\r\n.\r\n", b"--aabaa--", b"aab", b"x", 1, 3, 7, None, 0)
INPUT = b"a\r\n\r\n.\r\r\n.\r\nxx--aab--aabaa--aaab\r\r\n"


@pytest.mark.parametrize("terminator", TERMINATORS, ids=repr)
def test_input_means_the_same_however_it_is_cut(terminator):
    def told(*parts):
        chat = Lines()
        chat.set_terminator(terminator)
        if isinstance(terminator, int):  # a number counts once: it is set anew
            chat.found_terminator = lambda: (chat.told.append(None), chat.set_terminator(terminator))
        for part in parts:
            chat.feed(part)
        return chat.lines, chat.ac_in_buffer

    whole = told(INPUT)
    if isinstance(terminator, bytes):
        pieces = INPUT.split(terminator)
        assert whole[0] + whole[1] == b"|".join(pieces)
    for at in range(1, len(INPUT)):
        assert told(INPUT[:at], INPUT[at:]) == whole
    assert told(*(INPUT[at : at + 1] for at in range(len(INPUT)))) == whole


def test_no_empty_piece_is_told():
    chat = Lines()
    chat.feed(b"\r\n\r\n")
    assert chat.told == [None, None]


def test_a_number_counts_down_and_then_everything_is_collected():
    chat = Lines()
    chat.set_terminator(5)
    chat.feed(b"abc")
    assert (chat.told, chat.get_terminator()) == ([b"abc"], 2)
    chat.feed(b"defg")
    assert (chat.told, chat.get_terminator()) == ([b"abc", b"de", None, b"fg"], 0)


def test_what_stands_behind_a_terminator_goes_by_the_one_that_is_set_there():
    class Body(Lines):
        def found_terminator(self):
            super().found_terminator()
            self.set_terminator(4 if self.terminator == b"\r\n" else b"\r\n")

    chat = Body()
    chat.feed(b"LEN 4\r\n\r\n\r\nnext\r\n")
    assert chat.told == [b"LEN 4", None, b"\r\n\r\n", None, b"next", None]


def test_a_buffer_that_a_handler_empties_is_told_no_further():
    class Upgrade(Lines):
        def found_terminator(self):
            super().found_terminator()
            self.ac_in_buffer = b""

    chat = Upgrade()
    chat.feed(b"STARTTLS\r\nRSET\r\n")
    assert chat.told == [b"STARTTLS", None]


def test_what_a_handler_leaves_by_an_exception_is_told_with_the_next_input():
    class Once(Lines):
        def found_terminator(self):
            super().found_terminator()
            if self.told.count(None) == 1:
                raise ZeroDivisionError

    chat = Once()
    with pytest.raises(ZeroDivisionError):
        chat.feed(b"a\r\nb\r\n")
    assert chat.ac_in_buffer == b"b\r\n"
    chat.feed(b"c\r\n")
    assert chat.told == [b"a", None, b"b", None, b"c", None]


def test_a_piece_is_copied_once_however_much_input_stands_behind_it():
    """bytes that count what is sliced out of them: 20 000 lines are 20 000 short copies, not 20 000 rests."""
    copied = 0

    class Counted(bytes):
        def __getitem__(self, key):
            nonlocal copied
            piece = super().__getitem__(key)
            copied += len(piece) if isinstance(key, slice) else 0
            return piece

    chat = Lines()
    chat._input, chat._at, chat.wire = Counted(b"a\r\n" * 20_000), 0, b"b"
    chat._tell_input()
    assert chat.told.count(None) == 20_000
    assert copied <= 60_000


@pytest.mark.parametrize("term", [-1, "\r\n", 1.5, [b"x"]])
def test_a_terminator_that_means_nothing_is_a_mistake(term):
    with pytest.raises(UsageError, match="terminator"):
        Lines().set_terminator(term)


@pytest.mark.parametrize("data", ["text", 7, None])
def test_only_bytes_are_pushed(data):
    with pytest.raises(TypeError, match="bytes"):
        Lines().push(data)


def test_a_class_without_its_two_handlers_says_which_is_missing():
    for handler in (async_chat().found_terminator, lambda: async_chat().collect_incoming_data(b"x")):
        with pytest.raises(NotImplementedError, match="async_chat has no"):
            handler()


def test_get_data_is_what_was_collected_since():
    class Kept(async_chat):
        collect_incoming_data = async_chat._collect_incoming_data

    chat = Kept()
    chat.collect_incoming_data(b"a")
    chat.collect_incoming_data(b"b")
    assert (chat._get_data(), chat._get_data()) == (b"ab", b"")


def test_a_simple_producer_makes_all_of_its_data_a_buffer_at_a_time():
    producer = simple_producer(b"abcdefg", buffer_size=3)
    assert (producer.more(), producer.data) == (b"abc", b"defg")
    assert [producer.more() for _ in range(4)] == [b"def", b"g", b"", b""]


@pytest.mark.parametrize("needle", [b"\r\n", b"\r\n.\r\n", b"aabaa", b"x", b"abcabd"])
def test_the_prefix_at_the_end_is_the_longest_proper_one(needle):
    for text in (INPUT, b"", b"abcab", b"aabaaba", needle[:-1], b"\r\n.\r"):
        for end in range(len(text) + 1):
            expected = max(n for n in range(len(needle)) if text[:end].endswith(needle[:n]))
            assert find_prefix_at_end(text[:end], needle) == expected


def test_the_prefix_at_the_end_is_found_in_str_too():
    assert find_prefix_at_end("qwerty\r", "\r\n") == 1


# --- on a network --------------------------------------------------------------------------------


class Echo(Lines):
    collect_incoming_data = async_chat._collect_incoming_data

    def found_terminator(self):
        self.push(self._get_data() + b"\r\n")


@everywhere
def test_commands_are_answered_in_order(stage):
    client, served = connected(stage, Told, Echo)
    client.send(b"one\r\ntwo\r\nth")
    stage.run(lambda: client.received == b"one\r\ntwo\r\n")
    client.send(b"ree\r\n")
    stage.run(lambda: client.received == b"one\r\ntwo\r\nthree\r\n")
    assert not served.writable()


class Pusher(Lines):
    def handle_connect(self):
        pass


@everywhere
def test_what_is_pushed_before_the_connection_stands_arrives_in_order_and_then_the_end(stage):
    payload = bytes(range(256)) * 4096  # 1 MiB, and producers before and behind it
    listener = listen(stage)
    client = connect(stage, listener, Pusher)
    client.push_with_producer(simple_producer(b"head" * 1000))
    client.push(payload)
    client.push_with_producer(simple_producer(b"tail"))
    client.close_when_done()
    stage.run(lambda: listener.channels and "close" in listener.channels[0].told)
    assert listener.channels[0].received == b"head" * 1000 + payload + b"tail"
    assert (client.connected, list(client.producer_fifo)) == (False, [])


@everywhere
def test_a_producer_may_make_more_than_is_sent_at_a_time(stage):
    class Large:
        def __init__(self):
            self.left = [bytes(300_000), b"end"]

        def more(self):
            return self.left.pop(0) if self.left else b""

    client, served = connected(stage, Pusher)
    client.push_with_producer(Large())
    stage.run(lambda: len(served.received) == 300_003)
    assert served.received == bytes(300_000) + b"end"


@everywhere
def test_buffers_that_are_discarded_are_gone(stage):
    client, served = connected(stage, Pusher)
    served.readable = lambda: False
    served.touch()
    while not client.producer_fifo:
        client.push(bytes(65_536))
    client.ac_in_buffer = b"\r"
    client.discard_buffers()
    assert (client.ac_in_buffer, list(client.producer_fifo), client.writable()) == (b"", [], False)


@everywhere
def test_half_a_terminator_of_a_former_connection_is_no_part_of_the_next(stage):
    listener = listen(stage, Pusher)
    client = connect(stage, listener, Pusher)
    stage.run(lambda: listener.channels and client.connected)
    listener.channels[0].push(b"a\r")
    stage.run(lambda: client.told == [b"a"])
    client.close()
    with stage.client:
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    stage.run(lambda: len(listener.channels) == 2 and client.connected)
    listener.channels[1].push(b"\nb\r\n")
    stage.run(lambda: None in client.told)
    assert client.told == [b"a", b"\nb", None]
