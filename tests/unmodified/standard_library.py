"""The probes of the standard library."""

from __future__ import annotations

from tests.unmodified.probe import STANDARD_LIBRARY, Probe

_CRUMBS = "every segment anywhere comes in crumbs"

PROBES = (
    Probe(
        STANDARD_LIBRARY,
        "`http.client` asks `ThreadingHTTPServer`: keep-alive, chunks, POST; what is reset is tried again",
        "http_threading",
        faults=("the 3rd recv on client is reset", _CRUMBS, "every send on server takes 7 bytes"),
        names_take="300ms",
    ),
    Probe(
        STANDARD_LIBRARY,
        "`urllib.request`: a redirect to an alias, a form, a 404; `http.server` with threads",
        "urllib_redirected",
        faults=(
            "the 2nd segment on client containing 'GET' is reset",
            _CRUMBS,
            "every send on client is told to try again, 30% of the time",
        ),
        names_take="2s",
    ),
    Probe(
        STANDARD_LIBRARY,
        "`urllib.request` and `http.server` over `ssl`; an authority that is not trusted",
        "urllib_tls",
        faults=("the 2nd segment on server is lost", "every segment anywhere is cut after 3 bytes"),
        tools=("trustme",),
        varies=True,
    ),
    Probe(
        STANDARD_LIBRARY,
        "`socketserver`: threads of a TCP server share a total under a lock; UDP is asked again",
        "socketserver_both",
        faults=(
            "the 1st datagram on client is lost",
            "the 1st datagram on server is lost",
            "every switch on server lets others go first, 30% of the time",
            _CRUMBS,
        ),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`smtplib` sends a letter to two recipients, of whom one is refused, and again after a reset",
        "smtplib_threaded",
        faults=("the 2nd recv on client is reset", "every send on client takes 11 bytes", _CRUMBS),
        names_take="1s",
    ),
    Probe(
        STANDARD_LIBRARY,
        "`poplib`: a wrong password, lists, letters with dots",
        "poplib_threaded",
        faults=("the 1st connect on client loses 2 SYN", _CRUMBS, "every send on server takes 100 bytes"),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`imaplib`: a wrong password, APPEND and FETCH with literals",
        "imaplib_threaded",
        faults=(
            "every recv on client is told to try again, 20% of the time",
            "the 2nd segment on server comes 2s late",
            _CRUMBS,
        ),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`xmlrpc`: a server with threads, proxies, MultiCall, a Fault",
        "xmlrpc_both",
        faults=(
            "the 3rd segment on client is lost",
            "every segment on server comes in crumbs",
            "every send on server takes 50 bytes",
        ),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`logging.handlers`: SocketHandler, which connects again, DatagramHandler, SysLogHandler",
        "logging_handlers",
        faults=(
            "the 3rd segment on client is reset",
            "the 3rd datagram on client:1/udp is lost",
            _CRUMBS,
        ),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`wsgiref`: its server under its validator",
        "wsgiref_validated",
        faults=(
            _CRUMBS,
            "the 1st accept on server is told to try again",
            "every send on client takes 1000 bytes",
        ),
        names_take="500ms",
    ),
    Probe(
        STANDARD_LIBRARY,
        "`telnetlib`: an option that is refused, `expect`, `read_all`",
        "telnetlib_login",
        faults=(_CRUMBS, "the 1st send on server takes 2 bytes"),
        until=(3, 13),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`multiprocessing.connection` over TCP: passwords, pickles, `wait` for several",
        "multiprocessing_connection",
        faults=(_CRUMBS, "every send on server takes 999 bytes"),
    ),
    Probe(
        STANDARD_LIBRARY,
        "`concurrent.futures`: a pool of clients, one of them reset; `socket.create_server` and `selectors`",
        "futures_pool",
        faults=(
            "the 4th recv on client is reset",
            "the 2nd accept on server is told to try again",
            "every switch on client is held up for 5ms, 20% of the time",
            _CRUMBS,
        ),
    ),
)
