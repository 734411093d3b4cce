"""pyftpdlib's server with a thread for each client, and ftplib: uploads, downloads, lists, a refusal."""

import ftplib
import io
import logging
import tempfile
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

logging.getLogger("pyftpdlib").addHandler(logging.NullHandler())  # else it configures what is printed
logging.getLogger("pyftpdlib").propagate = False

CONTENT = bytes(range(256)) * 200


def serve(folder):
    authorizer = DummyAuthorizer()
    authorizer.add_user("ada", "enchantress", folder, perm="elrw")

    class Handler(FTPHandler):
        use_sendfile = False

    Handler.authorizer = authorizer
    ThreadedFTPServer(("", 21), Handler).serve_forever()


def transfer(name):
    with ftplib.FTP("server", timeout=60) as client:
        client.login("ada", "enchantress")
        client.storbinary(f"STOR {name}", io.BytesIO(CONTENT))
        received = []
        client.retrbinary(f"RETR {name}", received.append)
        try:
            client.delete(name)
        except ftplib.error_perm as error:
            refused = str(error)[:3]
        return b"".join(received), name in client.nlst(), refused


def run(network):
    with tempfile.TemporaryDirectory() as folder:
        network.host("server").spawn(serve, folder, daemon=True)
        network.run(until="1s")
        transferring = [network.host("client").spawn(transfer, name) for name in ("one", "two")]
        network.run(until=lambda: not any(each.is_alive for each in transferring))
        for each in transferring:
            assert each.result == (CONTENT, True, "550")
