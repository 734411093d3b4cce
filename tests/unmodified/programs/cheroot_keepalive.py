"""cheroot's server with its pool of threads, and connections that are kept alive."""

import http.client

from cheroot.wsgi import Server

CLIENTS, REQUESTS = 3, 4


def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])  # so the answer is in chunks
    return [environ["PATH_INFO"].encode(), b" ", body]


def serve(servers):
    server = Server(("0.0.0.0", 80), application, numthreads=2, server_name="server")
    servers.append(server)
    server.start()


def ask(who):
    connection = http.client.HTTPConnection("server", timeout=60)
    answers = []
    for number in range(REQUESTS):
        connection.request("POST", f"/{who}", b"%d " % number * 1000)
        answers.append(connection.getresponse().read())
    connection.close()
    return answers


def run(network):
    servers = []
    server, client = network.host("server"), network.host("client")
    serving = server.spawn(serve, servers, daemon=True)
    network.run(until="1s")
    asking = [client.spawn(ask, who) for who in range(CLIENTS)]
    network.run(until=lambda: not any(each.is_alive for each in asking))
    for who, each in enumerate(asking):
        assert each.result == [b"/%d " % who + b"%d " % number * 1000 for number in range(REQUESTS)]
    server.spawn(servers[0].stop)
    serving.join()
