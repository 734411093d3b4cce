"""Small programs with a planted bug each, for the tests of searching, shrinking and reporting."""

from simnet import dispatcher


class LineServer(dispatcher):
    """Takes what one recv returns for one line."""

    def __init__(self, address):
        super().__init__()
        self.create_socket()
        self.bind(address)
        self.listen(5)

    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError:
            return
        if pair is not None:
            LineChannel(pair[0])


class LineChannel(dispatcher):
    def handle_read(self):
        line = self.recv(4096)
        if line:
            assert line.endswith(b"\r\n"), f"not a line: {line!r}"
            self.send(b"ok " + line)

    def handle_close(self):
        self.close()


class LineClient(dispatcher):
    def __init__(self, address, lines):
        super().__init__()
        self.lines = list(lines)
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        self.send(self.lines.pop(0))

    def handle_read(self):
        if self.recv(4096) and self.lines:
            self.send(self.lines.pop(0))
        else:
            self.close()

    def handle_close(self):
        self.close()


def one_recv_is_one_line(net, lines=(b"GET /one\r\n", b"GET /two\r\n")):
    server, client = net.host("server"), net.host("client")
    with server:
        LineServer(("", 80))
    with client:
        LineClient(("server", 80), lines)
    net.run()


class Sink(dispatcher):
    """Keeps all that it is sent; right in every weather."""

    def __init__(self, address):
        super().__init__()
        self.received = b""
        self.ended = False
        self.create_socket()
        self.bind(address)
        self.listen(5)

    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError:
            return
        if pair is not None:
            SinkChannel(pair[0], self)


class SinkChannel(dispatcher):
    def __init__(self, sock, sink):
        super().__init__(sock)
        self.sink = sink

    def handle_read(self):
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.sink.received += data
        if not data:
            self.sink.ended = True
            self.close()


class CarelessSender(dispatcher):
    """Ignores how many bytes send took."""

    def __init__(self, address, data):
        super().__init__()
        self.data = data
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        self.send(self.data)
        self.close()


def short_sends_are_ignored(net, data=b"the quick brown fox"):
    with net.host("server"):
        sink = Sink(("", 9))
    with net.host("client"):
        CarelessSender(("server", 9), data)
    net.run()
    assert not sink.ended or sink.received == data, f"only {sink.received!r} came"


def nothing_is_wrong(net):
    with net.host("server"):
        sink = Sink(("", 9))
    with net.host("client"):
        CarelessSender(("server", 9), b"x")
    net.run()
    assert sink.received in (b"", b"x")
