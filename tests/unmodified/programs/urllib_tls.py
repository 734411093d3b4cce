"""urllib.request asks http.server over TLS; who has another authority is told so."""

import http.server
import ssl
import urllib.error
import urllib.request

import trustme

TEXT = b"in confidence " * 500
RSA = trustme.KeyType.RSA  # signatures of other kinds differ in length from run to run
AUTHORITY, OTHER = trustme.CA(key_type=RSA), trustme.CA(key_type=RSA)
CERTIFICATE = AUTHORITY.issue_cert("server", key_type=RSA)


class Secret(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT)

    def log_message(self, *args):
        """Nothing is printed."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A handshake that the client ends is not printed."""


def serve(context):
    with Server(("", 443), Secret) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()


def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def ask(context):
    with urllib.request.urlopen("https://server/", timeout=60, context=context) as answer:
        return answer.read()


def distrust(context):
    try:
        ask(context)
    except urllib.error.URLError as error:
        return type(error.reason)


def run(network):
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(of_server)
    network.host("server").spawn(serve, of_server, daemon=True)
    network.run(until="1s")
    asking = network.host("client").spawn(ask, trusting(AUTHORITY))
    distrusting = network.host("stranger").spawn(distrust, trusting(OTHER))
    network.run()
    assert asking.result == TEXT
    assert distrusting.result is ssl.SSLCertVerificationError
