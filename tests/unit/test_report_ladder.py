"""The ladder: every deviation is marked where it happened, and no arrow is drawn that nobody saw."""

import pytest

from simnet import Network, Script, parse
from simnet.report.conversation import effect
from simnet.report.ladder import excerpt, ladder
from simnet.scenario.run import execute
from tests.unit.planted_bugs import LineClient, LineServer, Sink, one_recv_is_one_line

CLIENT, SERVER = "client:1 -> server:80", "server:80 -> client:1"


def draw(*sentences, program=one_recv_is_one_line, **options):
    network = Network(Script.of(map(parse, sentences)))
    execute(program, network)
    marks = {sentence: number for number, sentence in enumerate(sentences, 1)}
    return ladder(network.trace, marks, **options)


def steps(text):
    """The lines of a ladder, blanks and lines shortened so that only words and ends of arrows are left."""
    return [" ".join(line.replace("─", " ").replace("┄", " ").split()) for line in text.split("\n")]


def test_a_calm_conversation_is_told_step_by_step():
    assert steps(draw()) == [
        "conversation client:1 -> server:80",
        "client:1 server:80",
        "t=0.000 connect │ SYN ▶│ t=0.001",
        "t=0.002 connected │◀ SYN+ACK │",
        't=0.002 send 10 │ "GET /one\\r\\n" ▶ │',
        "t=0.003 │ ACK ▶│ connected",
        't=0.003 │ "GET /one\\r\\n" ▶│ accept, recv 10',
        't=0.003 t=0.004: recv 13 │◀ "ok GET /one\\r\\n" │ send 13',
        't=0.004 send 10 │ "GET /two\\r\\n" ▶│ t=0.005: recv 10',
        't=0.005 t=0.006: recv 13, close │◀ "ok GET /two\\r\\n" │ send 13',
        "t=0.007 │ FIN ▶│ end of stream, close",
        "t=0.008 end of stream │◀ FIN │",
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (f"the 1st connect of {CLIENT} loses 1 SYN", "t=0.000 connect │ SYN (1) loses 1 SYN ▶│ t=1.001"),
        (f"the 1st connect of {CLIENT} is refused", "t=0.000 connect │ SYN (1) is refused ▶ │"),
        (f"the 1st send of {CLIENT} takes 4 bytes", 't=0.002 (1) send 4 of 10 │ "GET " ▶ │'),
        (f"the 1st send of {SERVER} is told to try again", "(1) send: EAGAIN"),
        (f"the 2nd send of {CLIENT} is reset", "t=0.004 (1) reset (ECONNRESET) │ │"),
        (f"the 1st recv of {CLIENT} is told to try again", "t=0.004: (1) recv: EAGAIN"),
        (f"the 1st recv of {SERVER} is reset", "(1) reset (ECONNRESET)"),
        (f"the 1st segment of {CLIENT} comes 5ms late", '"GET /one\\r\\n" (1) comes 5ms late ▶ │'),
        (f"the 1st segment of {CLIENT} is cut after 4 bytes", "(1) is cut after 4 bytes ▶"),
        (f"the 1st segment of {CLIENT} is lost", '"GET /one\\r\\n" (1) is lost ✗ │'),
        (f"the 1st segment of {CLIENT} is reset", "(1) is reset ✗"),
        ("the 1st accept of server:80 is told to try again", "(1) accept: EAGAIN"),
        ("the 1st accept of server:80 fails with EMFILE", "(1) accept: EMFILE"),
        ("the 1st turn of network starts with ready number 2", "(1) network: ready host 2 of 2 goes first"),
        ("the 2nd step of server is held up for 5ms", "(1) server is held up for 5ms"),
        ("the 1st step of client is held up for 1ms", "t=0.002 (1) client is held up for 1ms"),
        ("at 2500us partition client from server", "t=0.0025 (1) partition client from server"),
    ],
)
def test_a_deviation_is_marked_where_it_happened(sentence, expected):
    drawn = steps(draw(sentence))
    marked = [line for line in drawn if "(1)" in line]
    assert len(marked) == 1
    assert expected in marked[0]


def test_what_was_lost_arrives_on_a_line_of_its_own():
    drawn = steps(draw(f"the 1st segment of {CLIENT} is lost"))
    # Retransmission after 200 ms and a round trip of 2 x 1 ms; then 1 ms on the way.
    assert 't=0.205 │ "GET /one\\r\\n" ▶│ recv 10' in drawn


def test_a_reset_that_came_by_the_wire_has_an_arrow_and_one_that_did_not_has_none():
    drawn = steps(draw(f"the 2nd send of {CLIENT} is reset"))
    assert "t=0.004 (1) reset (ECONNRESET) │ │" in drawn
    assert "t=0.005 │ RST ▶│ reset (ECONNRESET)" in drawn


def test_a_reset_segment_resets_its_sender_without_an_arrow_back():
    assert not any("◀ RST" in line for line in steps(draw(f"the 1st segment of {CLIENT} is reset")))


def two_clients(net):
    with net.host("server"):
        LineServer(("", 80))
        Sink(("", 9))
    with net.host("client"):
        LineClient(("server", 80), [b"one\r\n"])
        LineClient(("server", 80), [b"two\r\n"])
        LineClient(("server", 9), [b"three\r\n"])
    net.run()


def test_the_connection_that_deviated_is_shown_and_the_others_are_not():
    drawn = draw("the 1st segment of client:2 -> server:80 comes 1ms late", program=two_clients)
    assert '"two\\r\\n"' in drawn
    assert "one" not in drawn
    assert "three" not in drawn


def test_two_connections_that_deviated_are_both_shown_within_the_lines_allowed():
    drawn = draw(
        "the 1st segment of client:1 -> server:80 comes 1ms late",
        "the 1st segment of client:2 -> server:80 comes 1ms late",
        program=two_clients,
        lines_max=16,
    )
    assert drawn.count("conversation") == 2
    assert "(1)" in drawn
    assert "(2)" in drawn
    assert len(drawn.split("\n")) <= 16


def test_without_deviations_the_connection_that_was_active_last_is_shown():
    # The sink never answers, so its connection is quiet after 3 ms; of the others the second ends last.
    assert draw(program=two_clients).startswith("conversation client:2 -> server:80\n")


def test_a_run_without_connections_has_no_ladder():
    assert draw(program=lambda net: net.run()) == ""


@pytest.mark.parametrize("lines_max", range(4, 20))
def test_the_lines_are_bounded_and_the_last_step_and_the_ending_are_among_them(lines_max):
    lines = draw(lines_max=lines_max, ending=(8_000_000, "KeyError")).split("\n")
    assert len(lines) <= lines_max
    assert "end of stream │" in lines[-2]
    assert lines[-1] == "  t=0.008  ✗ KeyError"


def test_lanes_stand_above_each_other_whatever_is_in_them():
    lines = draw(f"the 1st segment of {CLIENT} is lost", "at 2500us partition client from server").split("\n")
    bars = {tuple(at for at, letter in enumerate(line) if letter == "│") for line in lines[2:]} - {()}
    assert len(bars) == 1


@pytest.mark.parametrize(
    ("data", "width", "shown"),
    [
        (b"GET /", 7, '"GET /"'),
        (b"GET /", 6, '"GET…"'),
        (b"\r\n\x00\xff", 20, r'"\r\n\x00\xff"'),
        (b"ab\x00\x00", 9, '"ab\\x00…"'),
        (b"ab\x00\x00", 8, '"ab…"'),
        (b"a\"b'", 20, '"a\\"b\'"'),
        (b"", 6, '""'),
    ],
)
def test_bytes_are_quoted_and_never_cut_within_an_escape(data, width, shown):
    assert excerpt(data, width) == shown
    assert len(shown) <= width


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("the 1st turn of server starts with ready number 2", "ready channel 2 of 3 goes first"),
        ("the 1st turn of network starts with ready number 2", "ready host 2 of 3 goes first"),
        ("the 1st next of server goes on with ready number 2", "ready channel 2 of 3 goes on"),
        ("the 1st timer of server comes before what is ready", "comes before what is ready"),
        ("the 1st step of server is held up for 5ms", "is held up for 5ms"),
    ],
)
def test_what_is_decided_of_an_order_is_said_with_how_many_there_were(sentence, words):
    assert effect(parse(sentence), 3) == words
