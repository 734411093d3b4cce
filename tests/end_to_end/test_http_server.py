"""The HTTP example on both transports, with the same classes: real clients here, recorded ones there."""

from __future__ import annotations

import http.client
import shutil

import pytest

from examples import http_server, recorded, weather
from examples.http_server import BODY_BYTES_MAX, HEAD_BYTES_MAX, OUTPUT_BYTES_MAX, Answer
from examples.recorded import Conversation
from simnet import Network, Script, parse

GET = b"GET / HTTP/1.1\r\nHost: simnet\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: simnet\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: simnet\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
BAD = b"HELO simnet\r\n\r\n"


def ask(request: bytes, net: Network | None = None) -> bytes:
    """What the server answers on a virtual network, without its dates."""
    return weather.masked(weather.answer(net or Network(), [request]))


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.fixture(scope="module")
def conversations() -> list[Conversation]:
    """Every client of this computer, recorded on real loopback.  Each asserts its own answers."""
    return recorded.record(lambda name: None)


# --- real loopback -------------------------------------------------------------------------------


def test_every_client_is_served_on_real_loopback(conversations):
    assert {conversation.client for conversation in conversations} == set(recorded.clients())
    assert all(conversation.request and conversation.answer for conversation in conversations)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_is_told_to_continue_before_it_sends_its_body(conversations):
    answers = b"".join(each.answer for each in conversations if each.client == "curl")
    assert b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK" in answers


def test_a_body_that_is_too_large_is_refused_and_the_client_reads_the_answer():
    with recorded.serving() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request("POST", "/echo", bytes(BODY_BYTES_MAX + 1))
            assert connection.getresponse().status == 413
        finally:
            connection.close()


# --- virtual network -----------------------------------------------------------------------------


def test_recorded_clients_are_answered_equally_on_a_virtual_network(conversations):
    for conversation in conversations:
        weather.check(conversation, Network(), [conversation.request])
        weather.check(conversation, Network(), [bytes([byte]) for byte in conversation.request])


@pytest.mark.parametrize(
    "request_", [GET + POST, POST + CHUNKED + GET, GET + BAD], ids=["post", "chunks", "bad"]
)
def test_every_cut_point_is_answered_equally(request_):
    conversation = Conversation("test", request_, ask(request_))
    for at in weather.cut_points(conversation):
        net = weather.cut(at)
        weather.check(conversation, net, [request_])
        assert [(each.outcome, each.amount) for each in net.script().deviations] == [("cut", at)]


def test_every_storm_leaves_the_right_answer_or_its_beginning():
    conversation = Conversation("test", GET + POST + CHUNKED, ask(GET + POST + CHUNKED))
    gentle = 0
    for seed in range(150):
        net = Network(seed=seed)
        weather.check(conversation, net, [conversation.request])
        gentle += weather.is_gentle(net.script())
    assert 0 < gentle < 150, "the storms were all of one kind"


def test_a_wrong_answer_is_noticed():
    conversation = Conversation("test", GET, ask(POST))
    with pytest.raises(AssertionError, match="was answered"):
        weather.check(conversation, Network(), [GET])


def test_a_deviation_that_did_not_happen_is_noticed():
    script = Script.of([parse("the 99th send of #1 client takes 1 byte")])
    with pytest.raises(AssertionError, match="did not happen"):
        weather.check(Conversation("test", GET, ask(GET)), Network(script), [GET])


def test_a_reset_of_what_is_left_over_of_an_ended_connection_is_not_made():
    # The client has sent its FIN, the server's comes with the answer: both sides have ended when it is read.
    net = Network(Script.of([parse("the 1st recv of #1 client is reset")]))
    assert statuses(ask(GET, net)) == [200]
    assert len(net.unmet()) == 1


def test_a_rule_and_a_script_decide_side_by_side():
    # Two loops are runnable at one moment, and the network itself asks the rules which goes first.
    net = Network(Script.of([parse("the 1st segment of #1 client is cut after 3 bytes")]))
    net.on("client", "send", nth=1).take(9)
    assert statuses(ask(GET + POST, net)) == [200, 200]
    assert [each.outcome for each in net.script().deviations] == ["takes", "cut"]


def test_the_date_is_that_of_the_virtual_clock():
    assert b"\r\nDate: Sun, 13 Sep 2020 12:26:40 GMT\r\n" in weather.answer(Network(), [GET])


# --- what a server must guard against ------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: simnet\r\n\r\n", 404),
        (b"DELETE / HTTP/1.1\r\nHost: simnet\r\n\r\n", 405),
        (b"CONNECT simnet:443 HTTP/1.1\r\nHost: simnet\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: simnet\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTT", 400),  # ends in the middle
        (b"POST /echo HTTP/1.1\r\nHost: simnet\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /echo HTTP/1.1\r\nHost: simnet\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: simnet\r\nX: " + b"x" * 20_000, 431),
        (b"GET / HTTP/1.0\r\n\r\n" + GET, 200),  # HTTP/1.0 closes: the second is not answered
    ],
)
def test_one_request_one_answer_and_the_end(request_, status):
    assert statuses(ask(request_)) == [status]


def test_a_chunked_body_without_end_is_refused():
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    head = b"POST /echo HTTP/1.1\r\nHost: simnet\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(ask(head + chunk * (BODY_BYTES_MAX // 0x10000 + 2))) == [413]


@pytest.mark.parametrize(("size", "status"), [(HEAD_BYTES_MAX, 200), (HEAD_BYTES_MAX + 1, 431)])
def test_a_head_is_too_large_or_not_however_it_is_cut(size, status):
    head = GET.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * (size - len(GET) - 5) + b"\r\n\r\n")
    assert len(head) == size
    whole = ask(head)
    assert statuses(whole) == [status]
    for at in (1, size // 2, size - 1):
        weather.check(Conversation("test", head, whole), weather.cut(at), [head])


def test_a_head_request_is_answered_without_a_body():
    assert ask(GET.replace(b"GET", b"HEAD")).endswith(b"Content-Length: 54\r\n\r\n")


def test_a_client_that_does_not_read_stops_being_read():
    net = Network()
    page = bytes(40_000)
    with net.host("server"):
        http_server.Server(("", 80), lambda request, body: Answer(200, page))
    with net.host("client"):
        feeder = Deaf(("server", 80), [GET * 100])
    net.run(until="1min")
    channels = net.host("server").loops[0].map.values()
    (connection,) = (each for each in channels if isinstance(each, http_server.Connection))
    # One answer more than the bound, and not a hundred.
    assert OUTPUT_BYTES_MAX <= len(connection.out_buffer) < OUTPUT_BYTES_MAX + len(page) + 500
    assert not connection.readable()
    feeder.hear()
    net.run()
    assert feeder.answer.count(page) == 100


class Deaf(weather.Feeder):
    """Does not read until it is told to."""

    declares_interest = True
    hears = False

    def readable(self) -> bool:
        return self.hears

    def hear(self) -> None:
        self.hears = True
        self.touch()


def test_a_silent_client_is_closed_after_five_minutes():
    net = Network()
    with net.host("server"):
        http_server.Server(("", 80))
    with net.host("client"):
        silent = Silent(("server", 80), [GET, b"never sent"])
    net.run()
    # SYN and SYN-ACK: 2 ms; the request: 1 ms; five minutes; the FIN: 1 ms.
    assert silent.closed_at == 300.004
    assert statuses(silent.answer) == [200]


class Silent(weather.Feeder):
    """Sends a first request and no second."""

    closed_at = 0.0

    def feed(self) -> None:
        if len(self._pieces) == 2:
            super().feed()

    def handle_close(self) -> None:
        self.closed_at = self._transport.clock.monotonic_ns() / 1e9
        super().handle_close()


def test_a_listener_survives_running_out_of_descriptors():
    net = Network()
    net.on("server", "accept", nth=1).fail(24)  # EMFILE
    # Accepted 100 ms after the first try, which is 3 ms after the start: SYN, SYN-ACK, ACK.
    assert statuses(ask(GET, net)) == [200]
    assert net.now > 0.103
