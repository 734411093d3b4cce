"""The probes of packages from PyPI that block and start threads."""

from __future__ import annotations

from tests.unmodified.probe import Probe, Refused

_CRUMBS = "every segment anywhere comes in crumbs"

PROBES: tuple[Probe, ...] = (
    Probe(
        "waitress",
        "its pool of threads serves three clients with keep-alive, which retry by urllib3's `Retry`",
        "waitress_requests",
        faults=(
            "the 2nd segment on client containing 'GET' is reset",
            "every segment on client comes in crumbs",
            "every send on server takes 100 bytes",
        ),
        needs=("requests", "urllib3"),
    ),
    Probe(
        "cheroot",
        "its pool of threads, keep-alive, chunks; an end by `stop`",
        "cheroot_keepalive",
        faults=(
            "the 1st accept on server is told to try again",
            "every recv on client is told to try again, 10% of the time",
            _CRUMBS,
        ),
        names_take="1s",
    ),
    Probe(
        "Werkzeug",
        "its server with threads: routes, streamed answers, an upload",
        "werkzeug_threaded",
        faults=("the 4th segment on server is lost", _CRUMBS, "every send on server takes 99 bytes"),
        needs=("urllib3",),
    ),
    Probe(
        "bottle",
        "its default server: routes, JSON, cookies, an error",
        "bottle_wsgiref",
        faults=("every segment on server comes in crumbs", "the 1st connect on client loses 1 SYN"),
        names_take="700ms",
    ),
    Probe(
        "pyftpdlib",
        "its server with threads, and `ftplib`: uploads, downloads, lists, a refusal",
        "pyftpdlib_ftplib",
        faults=(
            "every send on server takes 1000 bytes",
            "every segment on client comes 20ms late, 10% of the time",
        ),
    ),
    Probe(
        "PyMySQL",
        "a wrong password, a query of many rows, an error of SQL",
        "pymysql_query",
        faults=("the 2nd segment on server is lost", _CRUMBS, "every send on client takes 3 bytes"),
        names_take="1s",
    ),
    Probe(
        "pg8000",
        "a wrong password, a query of many rows, an error of SQL",
        "pg8000_query",
        faults=(_CRUMBS, "every recv on client is told to try again, 10% of the time"),
    ),
    Probe(
        "pymemcache",
        "keys on three servers by their hash, one of which refuses",
        "pymemcache_sharded",
        faults=("the 2nd connect on client is refused", _CRUMBS),
    ),
    Probe(
        "dnspython",
        "its resolver: UDP that is asked again, TCP after an answer that was cut short, no such name",
        "dnspython_truncated",
        faults=("the 1st datagram on client is lost", "the 2nd datagram on server is lost", _CRUMBS),
    ),
    Probe(
        "websocket-client",
        "text, bytes, a ping, an end with its reason; the server with threads of websockets",
        "websocket_client_sync",
        faults=(_CRUMBS, "every send on server takes 1000 bytes"),
        needs=("websockets",),
    ),
    Probe(
        "rpyc",
        "its server with threads: remote objects, callbacks, exceptions",
        "rpyc_threaded",
        faults=(
            "every switch on server lets others go first, 20% of the time",
            _CRUMBS,
            "every send on client takes 5 bytes",
        ),
        varies=True,
    ),
    Probe(
        "CherryPy",
        "its engine and tree, JSON both ways, an error; an end by `engine.exit`",
        "cherrypy_engine",
        faults=(_CRUMBS, "every send on server takes 64 bytes"),
        names_take="1s",
        needs=("cheroot",),
    ),
    Probe(
        "pika",
        "its blocking connection: confirmed messages, a consumer that acknowledges, another try to connect",
        "pika_blocking",
        faults=(
            "the 1st connect of client:1 -> server:5672 is refused",
            "every send on server takes 700 bytes",
            "every recv on baker is told to try again, 20% of the time",
            _CRUMBS,
        ),
    ),
    Probe(
        "stomp.py",
        "its threads that receive: a subscriber, a sender, and one who is refused",
        "stomp_threads",
        faults=(_CRUMBS, "every send on server takes 90 bytes"),
    ),
    Probe(
        "kazoo",
        "its threads: nodes, watches, and its lock for three clients",
        "kazoo_lock",
        faults=(
            "the 3rd segment on server is lost",
            "every segment on server is cut after 3 bytes",
            "every switch on client lets others go first, 10% of the time",
        ),
        names_take="1s",
    ),
    Probe(
        "paramiko",
        "client and server with their threads: passwords, commands, a key that is not the server's",
        "paramiko_commands",
        faults=(
            "the 4th segment on client is lost",
            "every send on server takes 100 bytes",
            "every recv on client is told to try again, 10% of the time",
        ),
        varies=True,
    ),
    Probe(
        "Pyro5",
        "its name server, its daemon with a pool of threads, proxies, an iterator, an exception",
        "pyro_daemon",
        faults=(
            "every switch on server lets others go first, 20% of the time",
            _CRUMBS,
            "every recv on client is told to try again, 10% of the time",
        ),
        names_take="500ms",
    ),
    Probe(
        "httplib2",
        "cached answers; a SOCKS proxy that looks names up",
        "httplib2_proxied",
        faults=(_CRUMBS, "every send on proxy takes 500 bytes", "the 1st connect on proxy loses 1 SYN"),
        needs=("PySocks",),
        names_take="300ms",
    ),
)

REFUSED: tuple[Refused, ...] = (
    Refused("gevent", "its hub is greenlets of its own over libev or libuv, which poll this computer in C"),
    Refused("grpcio", "its channels and servers are sockets and threads made in C"),
    Refused("psycopg", "libpq connects in C; pg8000 runs"),
    Refused("pycurl", "libcurl connects in C"),
    Refused("pyzmq", "libzmq has sockets and threads made in C"),
    Refused("supervisor", "starts other processes of this computer, by fork and exec"),
)
