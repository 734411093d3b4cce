"""The Redis example, by what is sent and answered, on both transports.

What redis-py, unmodified, makes of it is in tests/unmodified.
"""

from __future__ import annotations

import pytest

from examples.redis_server import OUTPUT_BYTES_MAX, PORT, Server
from examples.resp import ARGUMENTS_MAX, LINE_BYTES_MAX, Push, Requests, encode
from simnet import Network, dispatcher_with_send
from simnet.outcomes import GENTLE
from simnet.properties import same_for_any_segmentation
from simnet.stage import RealStage, VirtualStage


class Client(dispatcher_with_send):
    """Sends pieces, each so many seconds after the one before, and collects what is answered."""

    def __init__(self, address, *pieces, pause=0.0, reads=True):
        super().__init__()
        self.answer, self.was_closed, self.reads = bytearray(), False, reads
        self._pieces, self._pause = list(pieces), pause
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        self.feed()

    def feed(self):
        if self._pieces and not self.was_closed:
            self.send(self._pieces.pop(0))
            self.call_later(self._pause, self.feed)

    def readable(self):
        return self.reads

    def handle_read(self):
        self.answer += self.recv(65536)

    def handle_close(self):
        self.was_closed = True
        self.close()


def request(*words) -> bytes:
    return encode([word if isinstance(word, bytes) else str(word).encode() for word in words])


def requests(*lines: str) -> bytes:
    return b"".join(request(*line.split()) for line in lines)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def served(network):
    """The address of a server."""
    with network.host("server"):
        Server(("", PORT))
    return ("server", PORT)


def talk(network: Network, served, *pieces, name="client", **settings) -> Client:
    with network.host(name):
        return Client(served, *pieces, **settings)


def answered(network: Network, served, *lines: str) -> bytes:
    client = talk(network, served, requests(*lines))
    network.run(until=network.now + 1)
    return client.answer


# --- both transports ---------------------------------------------------------------------------------

CONVERSATION = (
    "SET loaf 1",
    "INCR loaf",
    "GET loaf",
    "GET crumb",
    "RPUSH oven rye wheat",
    "LRANGE oven 0 -1",
    "BLPOP oven 5",
    "MULTI",
    "DEL loaf oven",
    "PING",
    "EXEC",
    "QUIT",
)
ANSWERS = (
    b"+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n:2\r\n*2\r\n$3\r\nrye\r\n$5\r\nwheat\r\n*2\r\n$4\r\noven\r\n$3\r\nrye\r\n"
    b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n+PONG\r\n+OK\r\n"
)


@pytest.mark.parametrize("stage", [RealStage, VirtualStage])
def test_a_conversation_is_the_same_on_real_and_on_virtual_sockets(stage):
    on = stage()
    with on.server:
        server = Server(on.address)
    with on.client:
        client = Client(on.reach(server.socket), requests(*CONVERSATION))
    on.run(lambda: client.was_closed)
    on.close()
    assert client.answer == ANSWERS


def conversation(network):
    with network.host("server"):
        Server(("", PORT))
    with network.host("client"):
        client = Client(("server", PORT), requests(*CONVERSATION))
    network.run()
    return client.answer


def test_the_answers_are_the_same_wherever_the_stream_is_cut():
    same_for_any_segmentation(conversation)


@pytest.mark.parametrize("seed", range(50))
def test_a_gentle_storm_changes_no_answer(seed):
    assert conversation(Network(seed=seed, only=GENTLE)) == ANSWERS


@pytest.mark.parametrize("seed", range(50))
def test_a_storm_that_resets_changes_nothing_but_where_the_answers_end(seed):
    assert ANSWERS.startswith(bytes(conversation(Network(seed=seed))))


# --- keys and values ---------------------------------------------------------------------------------


def test_a_key_is_gone_when_its_time_is_over(network, served):
    pieces = ("SET loaf 1 EX 10", "TTL loaf"), ("GET loaf", "PTTL loaf"), ("TTL loaf",)
    client = talk(network, served, *(requests(*piece) for piece in pieces), pause=9)
    network.run(until="1min")
    # set at 2 ms, when the handshake is over and the request has come; asked again 9 s and 18 s later
    assert client.answer == b"+OK\r\n:10\r\n$1\r\n1\r\n:1000\r\n:-2\r\n"


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (("SET a b", "INCR a"), b"-ERR value is not an integer or out of range\r\n"),
        (("SET a b", "LPUSH a c"), b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        (("SET a 9223372036854775807", "INCR a"), b"-ERR increment or decrement would overflow\r\n"),
        (("SET a b", "SET a c NX"), b"$-1\r\n"),
        (("SET a b", "SET a c XX"), b"+OK\r\n"),
        (("SET a b", "SET a c XY"), b"-ERR syntax error\r\n"),
        (("SET a b", "EXPIRE a 0"), b":1\r\n"),
        (("PING", "GET"), b"-ERR wrong number of arguments for 'get' command\r\n"),
        (("PING", "BAKE a b"), b"-ERR unknown command 'BAKE'\r\n"),
        (("PING", "EXEC"), b"-ERR EXEC without MULTI\r\n"),
        (("PING", "HELLO 4"), b"-NOPROTO unsupported protocol version\r\n"),
        (("PING", "BLPOP a soon"), b"-ERR timeout is not a float or out of range\r\n"),
    ],
)
def test_what_is_asked_second_is_answered_so(network, served, lines, answer):
    first, _, rest = answered(network, served, *lines).partition(b"\r\n")
    assert first in (b"+OK", b"+PONG")
    assert rest == answer


def test_ranges_count_from_both_ends(network, served):
    def range_of(first, last):
        network = Network()
        with network.host("server"):
            Server(("", PORT))
        answer = answered(network, served, "RPUSH a 0 1 2 3", f"LRANGE a {first} {last}")
        return [int(line) for line in answer.split(b"\r\n")[2:] if line.isdigit()]

    for first, last in [(0, 1), (-2, -1), (1, -2), (3, 9), (-9, 0), (2, 1), (0, -9)]:
        assert range_of(first, last) == [each for each in range(4) if _within(each, first, last, 4)]


def _within(index, first, last, length):
    first, last = (each if each >= 0 else each + length for each in (first, last))
    return first <= index <= last


# --- waiting and pushing -----------------------------------------------------------------------------


def test_who_waits_longest_gets_the_first_item(network, served):
    waiting = []
    for number in range(3):
        waiting.append(talk(network, served, requests("BLPOP oven 0", "PING"), name=f"client{number}"))
        network.run(until=network.now + 1)
    assert [client.answer for client in waiting] == [b"", b"", b""]
    assert answered(network, served, "RPUSH oven rye wheat", "LLEN oven") == b":2\r\n:0\r\n"
    items = [b"*2\r\n$4\r\noven\r\n$%d\r\n%s\r\n+PONG\r\n" % (len(each), each) for each in (b"rye", b"wheat")]
    assert [client.answer for client in waiting] == [*items, b""]


def test_who_has_gone_gets_no_item(network, served):
    gone = talk(network, served, requests("BLPOP oven 0"), name="gone")
    waiting = talk(network, served, requests("BLPOP oven 0"))
    network.run(until="1s")
    gone.close()
    network.run(until="2s")
    answered(network, served, "RPUSH oven rye")
    assert waiting.answer == b"*2\r\n$4\r\noven\r\n$3\r\nrye\r\n"


def test_waiting_ends_after_its_time(network, served):
    client = talk(network, served, requests("BLPOP oven crate 1.5", "QUIT"))
    network.run()
    assert client.answer == b"*-1\r\n+OK\r\n"
    assert 1.5 < network.now < 62  # and a minute of TIME_WAIT


def test_subscribers_hear_in_order_and_may_do_nothing_else(network, served):
    client = talk(network, served, requests("SUBSCRIBE news", "GET a"))
    network.run(until="1s")
    told = answered(network, served, "PUBLISH news rye", "PUBLISH news wheat", "PUBLISH olds x")
    assert told == b":1\r\n:1\r\n:0\r\n"
    heard = b"".join(encode([b"message", b"news", each]) for each in (b"rye", b"wheat"))
    refusal = b"-ERR Can't execute 'get' while subscribed\r\n"
    assert client.answer == encode([b"subscribe", b"news", 1]) + refusal + heard


def test_version_3_has_pushes_maps_and_another_nothing(network, served):
    answer = answered(network, served, "HELLO 3", "SUBSCRIBE news", "GET a", "BLPOP a 0.1")
    assert answer.startswith(b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n")
    assert answer.endswith(encode(Push([b"subscribe", b"news", 1]), 3) + b"_\r\n_\r\n")


# --- what it guards against --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        b"*1\r\n:1\r\n",
        b"*x\r\n",
        b"*%d\r\n" % (ARGUMENTS_MAX + 1),
        b"*1\r\n$-1\r\n",
        b"*1\r\n$1\r\nabc",
        b"x" * LINE_BYTES_MAX,
    ],
)
def test_what_is_no_request_is_told_and_ends_the_connection(network, served, stream):
    client = talk(network, served, b"PING\r\n" + stream + b"PING\r\n")
    network.run()
    assert client.answer.startswith(b"+PONG\r\n-ERR Protocol error: ")
    assert client.was_closed
    assert client.answer.count(b"PONG") == 1


def test_who_does_not_read_is_not_obeyed_further(network, served):
    """The buffers of both kernels, and the output that the server keeps, take less than these 10 MB."""
    answered(network, served, "SET loaf " + "x" * 10_000)
    greedy = talk(network, served, requests(*["GET loaf"] * 1000), reads=False)
    network.run(until="10s")
    channels = network.hosts["server"].loops[0].map.values()
    (waiting,) = (len(each.out_buffer) for each in channels if getattr(each, "out_buffer", b""))
    assert OUTPUT_BYTES_MAX <= waiting < OUTPUT_BYTES_MAX + 20_000
    greedy.reads = True
    greedy.touch()
    network.run(until="20s")
    assert len(greedy.answer) == 1000 * len(encode(b"x" * 10_000))


def test_a_request_is_taken_out_when_it_is_whole():
    stream, parser, taken = request("SET", "a", b"\r\n$*") + b"\r\nPING now\r\n", Requests(), []
    for index in range(len(stream)):
        parser.feed(stream[index : index + 1])
        taken += parser
    assert taken == [[b"SET", b"a", b"\r\n$*"], [b"PING", b"now"]]
    assert len(parser) == 0
