"""multipart 1.1.0 loses an upload whose first delimiter comes in two pieces; 1.2.0 does not.

Until it has seen a delimiter it keeps the last bytes only, and counts what it keeps from the wrong end where
there are fewer.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import Client, Listener
from tests.zoo.releases import release

BODY = (
    b"--frontier\r\nContent-Disposition: form-data; name=title\r\n\r\nA day at the sea\r\n"
    b"--frontier\r\nContent-Disposition: form-data; name=file; filename=sea.txt\r\n"
    b"Content-Type: text/plain\r\n\r\nwaves, mostly\r\n--frontier--\r\n"
)
PARTS = [("title", b"A day at the sea"), ("file", b"waves, mostly")]


class Upload(dispatcher_with_send):
    """Feeds the parser as its documentation shows."""

    def __init__(self, sock, multipart, uploads):
        super().__init__(sock)
        self.parser = multipart.PushMultipartParser("frontier", content_length=len(BODY))
        self.error = multipart.MultipartError
        self.uploads = uploads
        self.parts = []
        self.name, self.data = "", b""

    def handle_read(self):
        chunk = self.recv(65_536)
        if not chunk or self.parser.closed:
            return
        try:
            for event in self.parser.parse(chunk):
                self.take(event)
        except self.error as error:
            self.uploads.append(str(error))
            self.close()
            return
        if len(self.parts) == 2:
            self.uploads.append(self.parts)
            self.send(b"thank you\n")

    def take(self, event):
        if event is None:
            self.parts.append((self.name, self.data))
        elif hasattr(event, "name"):
            self.name, self.data = event.name, b""
        else:
            self.data += bytes(event)

    def handle_close(self):
        self.close()


class Uploader(Client):
    def hear(self, data):
        if self.received.endswith(b"\n"):
            self.end("done")


def run(net, version):
    multipart_release = release("multipart", version, "multipart")
    uploads = []
    with multipart_release.on():
        multipart = multipart_release.load("multipart")
        with net.host("server"):
            Listener(Upload, multipart, uploads)
        with net.host("client"):
            client = Uploader(BODY)
        net.run()
    assert all(upload == PARTS for upload in uploads), uploads
    assert client.how or client.received, "everything was sent, and nothing came of it"


def bad(net):
    run(net, "1.1.0")


def good(net):
    run(net, "1.2.0")
