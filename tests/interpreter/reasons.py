"""Which suites are run; which of their tests do not apply to a virtual host, or do not pass.

Owns the list of suites and the two tables.  Every row has its reason; what is in neither passes.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

SUITES = {
    "test_select": (),
    "test_poll": (),
    "test_epoll": (),
    "test_selectors": (),
    "test_socket": ("test.support.socket_helper",),
    "test_socketserver": ("socketserver", "test.support.socket_helper"),
    "test_asyncore": ("asyncore", "test.support.socket_helper"),  # until Python 3.11
}
"""The suites, and what else acts on the machine on their behalf."""

_SIGNALS = "sends itself signals; a virtual host has none"
_PROCESS = "starts another process"
_FILE = "acts on a file of a disk"
_KIND = "a kind of socket beyond TCP, UDP and AF_UNIX"
_THREADS = "looks at its threads; here they are greenlets"
_C_CODE = "looks at the C code behind the module"

NOT_APPLICABLE = {
    "test_select.SelectTestCase.test_select": _PROCESS,
    "test_select.SelectTestCase.test_select_mutated": "asks about the standard output of its own process",
    "test_poll.PollTests.test_poll2": _PROCESS,
    "test_poll.PollTests.test_poll_unit_tests": _FILE,
    "test_selectors.*.test_select_interrupt_*": _SIGNALS,
    "test_socket.Interrupted*": _SIGNALS,
    "test_socket.TCPTimeoutTest.testInterruptedTimeout": _SIGNALS,
    "test_socket.GeneralModuleTests.test_sendall_interrupted*": _SIGNALS,
    "test_socket.*VSOCK*": _KIND,
    "test_socket.*UDPLITE*": _KIND,
    "test_socket.*SCMRights*": _FILE + ", whose descriptor is sent",
    "test_socket.SendfileUsingSendfileTest.*": _FILE + ", by sendfile(2)",
    "test_socket.GeneralModuleTests.test__sendfile_use_sendfile": _FILE + ", by sendfile(2)",
    "test_socket.GeneralModuleTests.test_socket_fileno_requires_socket_fd": _FILE,
    "test_socket.GeneralModuleTests.test_sethostname": "gives the machine another name, as only root may",
    "test_socketserver.*Fork*": _PROCESS,
    "test_socketserver.*fork*": _PROCESS,
    "test_socketserver.ErrorHandlerTest.test_threading_not_handled": _THREADS,
    "test_socketserver.MiscTestCase.test_threads_reaped": _THREADS,
    "test_asyncore.FileWrapperTest.*": _FILE,
    "test_socket.GeneralModuleTests.testRefCountGetNameInfo": _C_CODE,
    "test_socket.GeneralModuleTests.test_SocketType_is_socketobject": _C_CODE,
}

NOT_PASSED = {
    "test_socket.GeneralModuleTests.test_dealloc_warn": (
        "a virtual socket that is dropped open gives no ResourceWarning: simnet reports open sockets itself"
    ),
}


def reason(table: dict[str, str], test: str) -> str:
    """The reason that a table has for a test, ``suite.Class.method``; empty if it has none."""
    return next((text for pattern, text in table.items() if fnmatchcase(test, pattern)), "")
