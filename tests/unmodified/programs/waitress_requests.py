"""waitress with its real pool of threads, and requests with a session that retries."""

import logging

import requests
import waitress.server
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.unmodified.probe import happened

CLIENTS = 3

logging.getLogger("waitress").addHandler(logging.NullHandler())  # waitress.serve configures it otherwise


def application(environ, start_response):
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {body.decode()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


def serve(servers):
    server = waitress.server.create_server(
        application,
        host="0.0.0.0",
        port=80,
        threads=2,
        clear_untrusted_proxy_headers=True,
        log_socket_errors=False,
    )
    servers.append(server)
    server.run()


def fetch(who, requested):
    session = requests.Session()
    retry = Retry(total=3, backoff_factor=0.1, raise_on_status=True)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    with session:
        answers = [session.get(f"http://server/{who}/{number}", timeout=60) for number in range(3)]
        last = {"Connection": "close"}  # a session leaves it to the garbage collector
        answers.append(session.put(f"http://server/{who}", "loaf " * 100, headers=last, timeout=60))
        requested.append(sum(len(answer.raw.retries.history) for answer in answers))
        return [(answer.status_code, answer.text) for answer in answers]


def run(network):
    servers, retried = [], []
    host = network.host("server")
    serving = host.spawn(serve, servers, daemon=True)
    client = network.host("client")
    fetching = [client.spawn(fetch, who, retried) for who in range(CLIENTS)]
    network.run()
    for who, each in enumerate(fetching):
        gets = [(200, f"GET /{who}/{number} ") for number in range(3)]
        assert each.result == [*gets, (200, f"PUT /{who} {'loaf ' * 100}")]
    host.spawn(servers[0].close)
    serving.join()
    assert sum(retried) == happened(network, "segment", "reset")
