"""What speaks TLS in the standard library, as processes: unmodified, with faults, and repeatable."""

from __future__ import annotations

import asyncio
import ftplib
import gc
import http.client
import http.server
import imaplib
import poplib
import re
import select
import smtplib
import socket
import ssl
import threading
import time
import urllib.request
from contextlib import suppress

import pytest

from simnet import Host, Network
from tests.unit.tls_channels import HOSTNAME, client_context, server_context


@pytest.fixture
def network() -> Network:
    made = Network()
    made.host("server")
    made.names.add(HOSTNAME, "10.0.0.1")
    return made


@pytest.fixture
def server(network: Network) -> Host:
    return network.hosts["server"]


@pytest.fixture
def client(network: Network) -> Host:
    return network.host("client")


def result_of(host: Host, function):
    process = host.spawn(function)
    process.join()
    return process.result


def secured_connection():
    sock = socket.create_connection((HOSTNAME, 443))
    return client_context().wrap_socket(sock, server_hostname=HOSTNAME)


# --- HTTP --------------------------------------------------------------------------------------------


class Bakery(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"bread")

    def log_message(self, *args):
        """Nothing is printed."""


def serve_https(connections=9):
    with http.server.HTTPServer(("", 443), Bakery) as serving:
        serving.socket = server_context().wrap_socket(serving.socket, server_side=True)
        for _ in range(connections):
            serving.handle_request()


def buy(timeout=5.0):
    connection = http.client.HTTPSConnection(HOSTNAME, timeout=timeout, context=client_context())
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_server_and_a_client_of_https(server, client):
    server.spawn(serve_https, daemon=True)
    assert result_of(client, buy) == b"bread"


def test_an_address_that_is_opened_over_https(server, client):
    def fetch():
        with urllib.request.urlopen(f"https://{HOSTNAME}/", timeout=5, context=client_context()) as answer:
            return answer.status, answer.read()

    server.spawn(serve_https, daemon=True)
    assert result_of(client, fetch) == (200, b"bread")


def test_the_certificate_of_a_server(server, client):
    server.spawn(serve_https, daemon=True)
    found = result_of(client, lambda: ssl.get_server_certificate((HOSTNAME, 443)))
    assert found.startswith("-----BEGIN CERTIFICATE-----")


def test_a_name_that_is_not_the_certificates(network, server, client):
    def ask():
        with socket.create_connection(("server", 443)) as sock:
            client_context().wrap_socket(sock, server_hostname="other.example")

    server.spawn(serve_https, daemon=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        result_of(client, ask)


def test_a_server_of_threads_serves_several_clients_at_once(network, server, client):
    """A slow client does not hold up another one: the handshake is made in its thread."""

    class Threaded(http.server.ThreadingHTTPServer):
        def finish_request(self, request, client_address):
            super().finish_request(server_context().wrap_socket(request, server_side=True), client_address)

    def serve():
        with Threaded(("", 443), Bakery) as serving:
            serving.serve_forever()

    def idle():
        with socket.create_connection((HOSTNAME, 443)):
            time.sleep(60)

    server.spawn(serve, daemon=True)
    idler = network.host("idler").spawn(idle)
    buyers = [client.spawn(buy) for _ in range(3)]
    for buyer in buyers:
        buyer.join()
    assert [buyer.result for buyer in buyers] == [b"bread"] * 3
    assert network.now < 1
    assert idler.state == "waits in sleep"


def test_one_thread_reads_while_another_writes(server, client):
    size = 300_000  # more than goes before somebody reads

    def ask():
        received = bytearray()

        def read(secured):
            while len(received) < size:
                received.extend(secured.recv(65_536))

        with secured_connection() as secured:
            reading = threading.Thread(target=read, args=(secured,))
            reading.start()
            for _ in range(30):
                secured.sendall(bytes(size // 30 - 1) + b"\n")
            reading.join()
        return len(received), received.count(b"\n")

    server.spawn(serve_streams(443, ssl=server_context()), daemon=True)
    assert result_of(client, ask) == (size, 30)


# --- mail and files ----------------------------------------------------------------------------------


class Lines:
    """One side of a protocol of lines: says, hears, and begins TLS."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb")

    def say(self, *lines):
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self, expected):
        line = self.file.readline().decode().rstrip()
        assert re.fullmatch(expected, line, re.IGNORECASE), line
        return line

    def begin_tls(self):
        self.sock = server_context().wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")


def serve_lines(port, is_tls, dialogue):
    """A server for one client."""

    def serve():
        with socket.create_server(("", port)) as listening:
            sock, _ = listening.accept()
        lines = Lines(sock)
        if is_tls:
            lines.begin_tls()
        dialogue(lines)
        lines.file.close()
        lines.sock.close()

    return serve


def smtp(lines):
    lines.say("220 hello")
    lines.hear("ehlo .*")
    if not isinstance(lines.sock, ssl.SSLSocket):
        lines.say("250-server", "250 STARTTLS")
        lines.hear("STARTTLS")
        lines.say("220 go on")
        lines.begin_tls()
        lines.hear("ehlo .*")
    lines.say("250 server")
    for expected, answer in (("mail .*", "250 ok"), ("rcpt .*", "250 ok"), ("data", "354 go on")):
        lines.hear(expected)
        lines.say(answer)
    while lines.hear(".*") != ".":
        pass
    lines.say("250 ok")
    lines.hear("quit")
    lines.say("221 bye")


MESSAGE = "Subject: bread\r\n\r\nTwo, please.\r\n"


def test_mail_over_a_connection_that_turns_to_tls(server, client):
    def send():
        with smtplib.SMTP(HOSTNAME, 25, timeout=5) as session:
            session.starttls(context=client_context())
            return session.sendmail("a@client", ["b@server"], MESSAGE), session.sock.version()

    serving = server.spawn(serve_lines(25, False, smtp))
    assert result_of(client, send) == ({}, "TLSv1.3")
    serving.join()


def test_mail_over_tls_from_the_start(server, client):
    def send():
        with smtplib.SMTP_SSL(HOSTNAME, 465, timeout=5, context=client_context()) as session:
            return session.sendmail("a@client", ["b@server"], MESSAGE)

    server.spawn(serve_lines(465, True, smtp))
    assert result_of(client, send) == {}


def pop3(lines):
    lines.say("+OK hello")
    if not isinstance(lines.sock, ssl.SSLSocket):
        lines.hear("CAPA")
        lines.say("+OK", "STLS", ".")
        lines.hear("STLS")
        lines.say("+OK")
        lines.begin_tls()
    lines.hear("STAT")
    lines.say("+OK 3 120")
    lines.hear("QUIT")
    lines.say("+OK")


@pytest.mark.parametrize("is_tls", [True, False], ids=["from the start", "from the middle"])
def test_a_mailbox_over_tls(server, client, is_tls):
    def look():
        if is_tls:
            box = poplib.POP3_SSL(HOSTNAME, 995, timeout=5, context=client_context())
        else:
            box = poplib.POP3(HOSTNAME, 995, timeout=5)
            box.stls(client_context())
        found = box.stat()
        box.quit()
        return found

    server.spawn(serve_lines(995, is_tls, pop3))
    assert result_of(client, look) == (3, 120)


def imap(lines):
    def command(expected, *answers):
        tag = lines.hear(rf"\w+ {expected}").split()[0]
        lines.say(*answers, f"{tag} OK done")

    lines.say("* OK hello")
    command("CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS")
    if not isinstance(lines.sock, ssl.SSLSocket):
        command("STARTTLS")
        lines.begin_tls()
        command("CAPABILITY", "* CAPABILITY IMAP4rev1")
    command("NOOP")
    command("LOGOUT", "* BYE")


@pytest.mark.parametrize("is_tls", [True, False], ids=["from the start", "from the middle"])
def test_mailboxes_over_tls(server, client, is_tls):
    def look():
        if is_tls:
            box = imaplib.IMAP4_SSL(HOSTNAME, 993, timeout=5, ssl_context=client_context())
        else:
            box = imaplib.IMAP4(HOSTNAME, 993, timeout=5)
            box.starttls(client_context())
        found = box.noop()[0]
        box.logout()
        return found

    server.spawn(serve_lines(993, is_tls, imap))
    assert result_of(client, look) == "OK"


def ftp(lines):
    lines.say("220 hello")
    lines.hear("AUTH TLS")
    lines.say("234 go on")
    lines.begin_tls()
    for expected in ("USER .*", "PBSZ 0", "PROT P", "TYPE A"):
        lines.hear(expected)
        lines.say("230 ok")
    with socket.create_server(("", 2000)) as listening:
        lines.hear("PASV")
        lines.say(f"227 =10,0,0,1,{2000 // 256},{2000 % 256}")
        lines.hear("RETR menu")
        lines.say("150 here it comes")
        data, _ = listening.accept()
    with server_context().wrap_socket(data, server_side=True) as secured:
        secured.sendall(b"bread\r\nbutter\r\n")
        secured.unwrap().close()
    lines.say("226 done")
    lines.hear("QUIT")
    lines.say("221 bye")


def test_files_over_tls(server, client):
    def fetch():
        found = []
        with ftplib.FTP_TLS(timeout=5, context=client_context()) as session:
            session.connect(HOSTNAME, 21)
            session.login("me", "secret")
            session.prot_p()
            session.retrlines("RETR menu", found.append)
        return found

    server.spawn(serve_lines(21, False, ftp))
    assert result_of(client, fetch) == ["bread", "butter"]


# --- asyncio -----------------------------------------------------------------------------------------


async def _echo(reader, writer):
    try:
        while data := await reader.readline():
            if data == b"STARTTLS\n":
                writer.write(b"go on\n")
                await writer.start_tls(server_context())
            else:
                writer.write(data)
                await writer.drain()
    except OSError:
        pass
    writer.close()


def serve_streams(port, **options):
    async def serve():
        async with await asyncio.start_server(_echo, "", port, **options) as serving:
            await serving.serve_forever()

    return lambda: asyncio.run(serve())


def test_streams_of_asyncio_on_both_sides(server, client):
    async def ask():
        reader, writer = await asyncio.open_connection(HOSTNAME, 443, ssl=client_context())
        writer.write(b"x" * 60_000 + b"\n")
        answer = await reader.readline()
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        await writer.wait_closed()
        return len(answer), version

    server.spawn(serve_streams(443, ssl=server_context()), daemon=True)
    assert result_of(client, lambda: asyncio.run(ask())) == (60_001, "TLSv1.3")


def test_streams_of_asyncio_that_turn_to_tls(server, client):
    async def ask():
        reader, writer = await asyncio.open_connection(HOSTNAME, 80)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go on\n"
        await writer.start_tls(client_context(), server_hostname=HOSTNAME)
        writer.write(b"in secret\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    server.spawn(serve_streams(80), daemon=True)
    assert result_of(client, lambda: asyncio.run(ask())) == b"in secret\n"


def test_blocking_code_asks_asyncio(server, client):
    def ask():
        with secured_connection() as secured:
            secured.sendall(b"hello\n")
            return secured.recv(100)

    server.spawn(serve_streams(443, ssl=server_context()), daemon=True)
    assert result_of(client, ask) == b"hello\n"


# --- faults, time, and repetition --------------------------------------------------------------------


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_reset_wherever_it_comes_is_told_or_survived(network, server, client, nth):
    """The handshake, the request and the answer: at each `recv` of the client."""
    network.on("client", "recv", nth=nth).reset()
    server.spawn(lambda: _again_and_again(serve_https), daemon=True)
    with suppress(ConnectionError, ssl.SSLEOFError):
        assert result_of(client, buy) == b"bread"


def _again_and_again(function):
    while True:
        with suppress(OSError):
            function()


def test_a_reset_in_the_handshake_is_a_connection_error(network, server, client):
    network.on("client", "recv", nth=2).reset()
    server.spawn(lambda: _again_and_again(serve_https), daemon=True)
    with pytest.raises(ConnectionResetError):
        result_of(client, buy)


def test_records_that_come_in_pieces_are_put_together(network, server, client):
    for nth in range(1, 30):
        network.on("server", "send", nth=nth).take(7)
    server.spawn(serve_https, daemon=True)
    assert result_of(client, buy) == b"bread"


def test_a_server_that_says_nothing_runs_into_the_time_out_of_the_handshake(network, server, client):
    def stay_silent():
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
        with sock:
            time.sleep(3600)

    server.spawn(stay_silent, daemon=True)
    with pytest.raises(TimeoutError, match="handshake operation timed out"):
        result_of(client, buy)
    assert network.now == pytest.approx(5, abs=0.1)


def test_a_time_out_is_one_for_the_whole_call(network, server, client):
    """The server sends a byte of its record each second; each is in time, all together are not."""

    def trickle():
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
        secured = server_context().wrap_socket(sock, server_side=True)
        secured.recv(1)
        plain = socket.socket(fileno=secured.detach())
        for byte in b"\x17\x03\x03\x00\x40" + bytes(64):
            plain.sendall(bytes([byte]))
            time.sleep(1)

    def ask():
        with secured_connection() as secured:
            secured.sendall(b"a")
            secured.settimeout(5.5)
            before = time.monotonic()
            with pytest.raises(TimeoutError, match="The read operation timed out"):
                secured.recv(1)
            return time.monotonic() - before

    server.spawn(trickle, daemon=True)
    assert result_of(client, ask) == pytest.approx(5.5)


def test_a_thread_of_selectors_serves_clients_that_have_data_pending(server, client):
    """A non-blocking server that reads a little at a time must ask `pending`: select does not know."""

    def serve():
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
        with server_context().wrap_socket(sock, server_side=True) as secured:
            secured.setblocking(False)
            received, rounds = b"", 0
            while len(received) < 100:
                if not secured.pending():
                    rounds += 1
                    select.select([secured], [], [])
                with suppress(ssl.SSLWantReadError):
                    received += secured.recv(10)
            return rounds

    def ask():
        with secured_connection() as secured:
            secured.sendall(bytes(100))
            secured.recv(1)

    serving = server.spawn(serve)
    client.spawn(ask)
    assert serving.join()
    assert serving.result in (1, 2)


def test_a_connection_that_is_dropped_is_closed_at_once(server, client):
    """Nothing that TLS keeps of a socket keeps the socket."""

    def drop():
        sock = secured_connection()
        sock.sendall(b"a")
        del sock
        time.sleep(3600)

    def serve():
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
        with server_context().wrap_socket(sock, server_side=True) as secured:
            return secured.recv(1), secured.recv(1), time.monotonic()

    gc.disable()
    try:
        serving = server.spawn(serve)
        client.spawn(drop)
        assert serving.join()
    finally:
        gc.enable()
    received, end, seconds = serving.result
    assert (received, end) == (b"a", b"")
    assert seconds < 1


def test_a_server_that_crashes_in_the_handshake_is_noticed_by_the_time_out(network, server, client):
    """Its client has said hello (1.5 RTT of 2 ms), and hears nothing more."""
    server.spawn(serve_https, daemon=True)
    network.at("2500us").crash("server")
    with pytest.raises(TimeoutError, match="handshake operation timed out"):
        result_of(client, buy)


def test_a_client_that_loses_power_in_the_handshake_says_no_word_more(network, server, client):
    """No alert, and no FIN: the server waits in vain."""

    def wait():
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
        with sock:
            hello = sock.recv(5000)
            sock.settimeout(60)
            with pytest.raises(TimeoutError):
                sock.recv(5000)
            return len(hello)

    waiting = server.spawn(wait)
    client.spawn(buy, 300)
    network.at("2s").crash("client")
    assert waiting.join()
    assert waiting.result > 100


def _traced(seed):
    network = Network(seed=seed)
    network.trace.covers_contents = False
    server = network.host("server")
    network.names.add(HOSTNAME, "10.0.0.1")
    server.spawn(lambda: _again_and_again(serve_https), daemon=True)
    buyer = network.host("client").spawn(buy)
    with suppress(OSError, http.client.HTTPException):
        buyer.join()
    return network.trace.digest()


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_equal_seeds_give_equal_traces_though_openssl_draws_its_own_keys(seed):
    assert _traced(seed) == _traced(seed)


def test_what_openssl_is_asked_for_at_random_comes_from_the_host(client):
    assert result_of(client, lambda: ssl.RAND_bytes(8)) == result_of(
        Network().host("client"), lambda: ssl.RAND_bytes(8)
    )


@pytest.mark.parametrize("nth", range(1, 6))
def test_a_handshake_within_a_read_survives_a_send_that_is_to_be_tried_again(network, server, client, nth):
    """Whoever shakes hands in `read` has to say something before the peer does; nobody else will send it."""

    def serve() -> None:
        with socket.create_server(("", 443)) as listening:
            sock, _ = listening.accept()
            with server_context().wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
                tls.sendall(tls.recv(100)[::-1])

    def ask() -> bytes:
        with socket.create_connection(("server", 443), timeout=5) as sock:
            tls = client_context().wrap_socket(sock, server_hostname=HOSTNAME, do_handshake_on_connect=False)
            with tls:
                tls.sendall(b"hello")
                return tls.recv(100)

    network.on("server", "send", nth=nth).again()
    server.spawn(serve, daemon=True)
    asking = client.spawn(ask)
    network.run()
    assert asking.result == b"olleh"
