"""TLS with peers that are not ours, on this computer: Python's ssl in a thread, smtplib, openssl, curl."""

import shutil
import smtplib
import socket
import ssl
import subprocess
import threading

import pytest

from simnet.stage import RealStage
from tests.unit.tls_channels import (
    HOSTNAME,
    Echoing,
    Secured,
    authority,
    client_context,
    serve,
    server_context,
)

LIMIT_SECONDS = 10


@pytest.fixture
def computer():
    made = RealStage()
    yield made
    made.close()


def meanwhile(computer, work):
    """Let `work` run in a thread while the loop turns; what it returns."""
    outcome = []

    def run():
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    computer.run(lambda: outcome, limit=f"{LIMIT_SECONDS}s")
    thread.join(LIMIT_SECONDS)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def stock_client(address, context=None):
    """A client socket of the ssl module that tells a cut from an end."""
    plain = socket.create_connection(address, timeout=LIMIT_SECONDS)
    context = context or client_context()
    return context.wrap_socket(plain, server_hostname=HOSTNAME, suppress_ragged_eofs=False)


def read_all(sock):
    pieces = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("tickets", [0, 2])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_ssl_modules_client_gets_its_echo_and_a_clean_end(computer, version, tickets):
    door = serve(computer, context=server_context(num_tickets=tickets))
    data = bytes(range(256)) * 2000

    def work():
        with stock_client(door.socket.getsockname(), client_context(maximum_version=version)) as sock:
            sock.sendall(data)
            received = b""
            while len(received) < len(data):
                received += sock.recv(65536)
            sock.unwrap().close()
            return received

    assert meanwhile(computer, work) == data
    computer.run(lambda: "close" in door.channels[0].told)
    assert door.channels[0].events() == ["handshake", "close"]


def test_the_ssl_modules_client_reads_a_clean_end_after_the_last_byte_of_much(computer):
    class Generous(Secured):
        def answer(self, data):
            if data:
                self.send(bytes(2_000_000))
                self.finishing = True

        def handle_write(self):
            super().handle_write()
            if getattr(self, "finishing", False) and not self.out_buffer:
                self.close()  # with ciphertext that the kernel had no room for

    door = serve(computer, Generous)

    def work():
        with stock_client(door.socket.getsockname()) as sock:
            sock.sendall(b"everything, please")
            return len(read_all(sock))  # raises ssl.SSLEOFError after a cut

    assert meanwhile(computer, work) == 2_000_000


def test_a_client_talks_to_the_ssl_modules_server(computer):
    context = server_context(num_tickets=2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_SECONDS)

        def work():
            plain, _ = listener.accept()
            plain.settimeout(LIMIT_SECONDS)
            with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as sock:
                received = sock.recv(100)
                sock.sendall(received.upper())
                assert sock.recv(1) == b""  # the client's close_notify, and no cut
                return received

        with computer.client:
            client = type("Shout", (Secured,), {"answer": lambda self, data: self.close()})()
            client.create_socket()
            client.start_tls(client_context(), server_hostname=HOSTNAME)
            client.connect(listener.getsockname())
            client.send(b"hello")
        assert meanwhile(computer, work) == b"hello"
        assert client.received == b"HELLO"


def test_smtplib_upgrades_and_talks(computer):
    from tests.unit.test_tls_upgrade import CHATS, UpgradingServer, kind_of
    from tests.unit.tls_channels import Door

    if not CHATS:
        pytest.skip("there is no async_chat")

    class Mail(UpgradingServer):
        def __init__(self, sock):
            super().__init__(sock)
            self.push(b"220 here\r\n")

        def handle_line(self, line):
            if line.upper().startswith(b"EHLO"):
                self.push(b"250 here\r\n" if self.tls else b"250-here\r\n250 STARTTLS\r\n")
            elif line.upper() == b"QUIT":
                self.push(b"221 bye\r\n")
                self.close_when_done()
            else:
                super().handle_line(line)

    for chat in CHATS.values():
        with computer.server:
            door = Door(computer.address, kind_of(chat, Mail))

        def work(address=computer.reach(door.socket)):  # noqa: B008 - that of this round
            client = smtplib.SMTP(*address, timeout=LIMIT_SECONDS)
            client._host = HOSTNAME  # the name that the certificate has
            client.ehlo()
            assert client.has_extn("starttls")
            client.starttls(context=client_context())
            client.ehlo()
            assert not client.has_extn("starttls")
            reply = client.docmd("VRFY", "somebody")
            client.quit()
            return reply

        assert meanwhile(computer, work) == (250, b"VRFY somebody")
        assert [line.split()[0].upper() for line in door.channels[0].lines] == [
            *(b"EHLO", b"STARTTLS", b"EHLO", b"VRFY", b"QUIT")
        ]


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


openssl_is_installed = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


class SClient:
    """``openssl s_client``, talked to by lines."""

    def __init__(self, door, *options):
        host, port = door.socket.getsockname()
        command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", HOSTNAME, *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.communicate()

    def say(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def wait_for(self, line):
        """Read until this line, or the end; whether it came."""
        return any(each == line for each in self.process.stdout)


@openssl_is_installed
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_verifies_us_and_gets_its_echo(computer, pem, version):
    door = serve(computer, context=server_context(num_tickets=2))
    verify = ("-CAfile", str(pem), "-verify_return_error", "-verify_hostname", HOSTNAME)

    def work():
        with SClient(door, version, "-quiet", *verify) as client:
            client.say(b"hello openssl\n")
            return client.wait_for(b"hello openssl\n")

    assert meanwhile(computer, work)


@openssl_is_installed
def test_new_keys_in_the_middle_of_a_connection_change_nothing(computer):
    door = serve(computer)

    def work():
        with SClient(door, "-tls1_3") as client:
            client.say(b"before\n")
            assert client.wait_for(b"before\n")
            client.say(b"K\n")  # KeyUpdate, update_requested: we have to answer with one of our own
            assert client.wait_for(b"KEYUPDATE\n")
            client.say(b"after\n")
            return client.wait_for(b"after\n")

    assert meanwhile(computer, work)
    assert door.channels[0].received == b"before\nafter\n"


@openssl_is_installed
def test_a_client_of_tls_1_2_that_wants_to_renegotiate_is_refused_and_others_are_served(computer):
    door = serve(computer)

    def work():
        with SClient(door, "-tls1_2") as client:
            client.say(b"before\n")
            assert client.wait_for(b"before\n")
            client.say(b"R\n")
            assert client.wait_for(b"RENEGOTIATING\n")
            client.say(b"after\n")
            refused = not client.wait_for(b"after\n")  # the end came first
        with stock_client(door.socket.getsockname()) as sock:
            sock.sendall(b"next")
            return refused, sock.recv(100)

    assert meanwhile(computer, work) == (True, b"next")
    assert [channel.received for channel in door.channels] == [b"before\n", b"next"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_gets_a_page(computer, pem):
    class Page(Echoing):
        def answer(self, data):
            if self.received.endswith(b"\r\n\r\n"):
                self.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"p" * 500_000)
                self.close_at_the_end = True

        def handle_write(self):
            super().handle_write()
            if getattr(self, "close_at_the_end", False) and not self.out_buffer:
                self.close()

        def writable(self):
            return super().writable() or getattr(self, "close_at_the_end", False)

    door = serve(computer, Page, context=server_context(num_tickets=2))
    port = door.socket.getsockname()[1]
    command = ["curl", "--silent", "--show-error", "--cacert", str(pem), "--max-time", str(LIMIT_SECONDS)]
    command += ["--noproxy", "*", "--resolve", f"{HOSTNAME}:{port}:127.0.0.1", f"https://{HOSTNAME}:{port}/"]
    done = meanwhile(computer, lambda: subprocess.run(command, capture_output=True, check=False))
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 500_000, b"")


def test_a_session_is_resumed(computer):
    door = serve(computer, context=server_context(num_tickets=2, maximum_version=ssl.TLSVersion.TLSv1_2))
    context, session = client_context(maximum_version=ssl.TLSVersion.TLSv1_2), None
    for is_resumed in (False, True):
        with computer.client:
            client = Secured()
            client.create_socket()
            client.start_tls(context, server_hostname=HOSTNAME, session=session)
            client.connect(door.socket.getsockname())
            client.send(b"x")
        computer.run(lambda client=client: client.received)
        assert client.tls.session_reused is is_resumed
        session = client.tls.session
        client.close()
