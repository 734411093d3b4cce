"""Which suites are run; which of their tests do not apply to a virtual host, are not run, or do not pass.

Owns the list of suites and the three tables.  Every row has its reason; what is in none of them passes.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

_OF_ASYNCIO = (
    *("base_events", "buffered_proto", "context", "eager_task_factory", "events", "free_threading"),
    *("futures", "futures2", "locks", "pep492", "protocols", "queues", "runners", "selector_events"),
    *("sendfile", "server", "sock_lowlevel", "ssl", "sslproto", "staggered", "streams", "taskgroups"),
    *("tasks", "threads", "timeouts", "transports", "unix_events", "waitfor"),
)
_OF_FUTURES = ("as_completed", "future", "init", "shutdown", "thread_pool", "wait")  # from Python 3.13

SUITES = (
    *("test_select", "test_poll", "test_epoll", "test_selectors", "test_socket", "test_socketserver"),
    *("test_asyncore", "test_asynchat", "test_smtpd"),  # until Python 3.11
    *("test_smtplib", "test_httplib", "test_ftplib", "test_poplib", "test_imaplib"),
    *("test_nntplib", "test_telnetlib"),  # until Python 3.12
    *("test_xmlrpc", "test_docxmlrpc", "test_urllib2_localnet", "test_httpservers", "test_ssl"),
    *("test_thread", "test_threading", "test_threading_local", "test_queue", "test_sched"),
    *(f"test_concurrent_futures.test_{name}" for name in _OF_FUTURES),
    *(f"test_asyncio.test_{name}" for name in _OF_ASYNCIO),
)

_PROCESS = "starts another process"
_FILE = "acts on a file of a disk"
_KIND = "a kind of socket beyond TCP, UDP and AF_UNIX"
_C_CODE = "looks at the C code behind the module"
_COPY = "waits in a second copy of the module made for it, which no program has"
_ZONE = "sets the time zone; that of a host is UTC"
_TERMINAL = "makes a terminal"
_INTERPRETER = "starts another interpreter in this process"

NOT_APPLICABLE = {
    "test_select.SelectTestCase.test_select": _PROCESS,
    "test_select.SelectTestCase.test_select_mutated": "asks about the standard output of its own process",
    "test_poll.PollTests.test_poll2": _PROCESS,
    "test_poll.PollTests.test_poll_unit_tests": _FILE,
    "test_socket.*VSOCK*": _KIND,
    "test_socket.*UDPLITE*": _KIND,
    "test_socket.*SCMRights*": _FILE + ", whose descriptor is sent",
    "test_socket.SendfileUsingSendfileTest.*": _FILE + ", by sendfile(2)",
    "test_socket.GeneralModuleTests.test__sendfile_use_sendfile": _FILE + ", by sendfile(2)",
    "test_socket.GeneralModuleTests.test_socket_fileno_requires_socket_fd": _FILE,
    "test_socket.GeneralModuleTests.test_sethostname": "gives the machine another name, as only root may",
    "test_socket.GeneralModuleTests.testRefCountGetNameInfo": _C_CODE,
    "test_socket.GeneralModuleTests.test_SocketType_is_socketobject": _C_CODE,
    "test_socket.GeneralModuleTests.test_csocket_repr": _C_CODE,
    "test_socketserver.*Fork*": _PROCESS,
    "test_socketserver.*fork*": _PROCESS,
    "test_asyncore.FileWrapperTest.*": _FILE,
    "test_imaplib.TestImaplib.test_Time2Internaldate": _ZONE,
    "test_imaplib.TestImaplib.test_Internaldate2tuple_issue10941": _ZONE,
    "test_thread.TestForkInThread.*": _PROCESS,
    "test_threading.ThreadTests.test_PyThreadState_SetAsyncExc": _C_CODE,
    "test_threading.SubinterpThreadingTests.*": _INTERPRETER,
    "test_threading.ThreadJoinOnShutdown.*": _PROCESS,
    "test_threading.AtexitTests.*": _PROCESS,
    "test_threading.MiscTestCase.test_gh112826_*": _PROCESS,
    "test_threading.ThreadTests.*_after_fork*": _PROCESS,
    "test_threading.ThreadTests.*_shutdown": _PROCESS,
    "test_threading.ThreadTests.*_at_exit": _PROCESS,
    "test_threading.ThreadTests.*_at_finalization": _PROCESS,
    "test_threading.ThreadTests.test_finalize_*": _PROCESS,
    "test_threading.ThreadTests.test_import_from_another_thread": _PROCESS,
    "test_threading.ThreadingExceptionTests.test_print_exception*": _PROCESS,
    "test_threading.ThreadingExceptionTests.test_recursion_limit": _PROCESS,
    "test_queue.*_all_methods_in_many_threads": _COPY,
    "test_queue.CSimpleQueueTest.test_order": _COPY,
    "test_queue.CSimpleQueueTest.test_many_threads*": _COPY,
    "test_queue.CSimpleQueueTest.test_reentrancy": (
        "waits for the garbage collector, which does not run while a network does"
    ),
    "test_concurrent_futures.*.ProcessPool*": _PROCESS,
    "test_concurrent_futures.*.FailingInitializerResourcesTest.*": _PROCESS,
    "test_concurrent_futures.*.ThreadPoolShutdownTest.*_interpreter_shutdown": _PROCESS,
    "test_concurrent_futures.*.ThreadPoolShutdownTest.test_interpreter_shutdown": _PROCESS,
    "test_concurrent_futures.*.ThreadPoolShutdownTest.test_cancel_futures_wait_false": _PROCESS,
    "test_concurrent_futures.*.ThreadPoolShutdownTest.test_hang_gh83386": _PROCESS,
    "test_concurrent_futures.*.test_hang_global_shutdown_lock": _PROCESS,
    "test_asyncio.*subprocess*": _PROCESS,
    "test_asyncio.*pty*": _TERMINAL,
    "test_asyncio.test_streams.StreamTests.test_read_all_from_pipe_reader": _PROCESS,
    "test_asyncio.test_events.*.test_get_event_loop_new_process": _PROCESS,
    "test_asyncio.*.test_env_var_debug": _PROCESS,
    "test_asyncio.*.test_issue105987": _PROCESS,
    "test_asyncio.test_unix_events.TestFork.*": _PROCESS,
    "test_asyncio.test_base_events.*.test_create_connection_bluetooth": _KIND,
}

NOT_RUN: dict[str, str] = {
    "test_queue.PySimpleQueueTest.test_many_threads_*": "fifty threads look again every 10 µs",
    "test_threading.InterruptMainTests.test_can_interrupt_tight_loops": (
        "a thread that never waits is not interrupted, and the main thread waits until it is"
    ),
}
"""What applies, and would take too long: counted as not passed."""

_DROPPED = (
    "a virtual socket that is dropped open gives no ResourceWarning: simnet tells of open sockets itself"
)
_LET_OUT = "what a thread lets out ends the run, and is not printed"

NOT_PASSED = {
    "test_socket.PurePythonSocketPairTest.test_injected_authentication_failure": (
        "what is put in the place of a method of `socket.socket` is not called: hosted sockets have their own"
    ),
    "test_socket.GeneralModuleTests.test_dealloc_warn": _DROPPED,
    "test_ssl.BasicSocketTests.test_dealloc_warn": _DROPPED,
    "test_ssl.BasicSocketTests.test_refcycle": _DROPPED,
    "test_thread.ThreadRunningTests.test_unraisable_exception": _LET_OUT,
    "test_threading.ExceptHookTests.test_excepthook": _LET_OUT,
    "test_threading.ExceptHookTests.test_original_excepthook": _LET_OUT,
    "test_threading.ThreadTests.test_foreign_thread": (
        "a thread that `threading` did not start stays in its list after its end, as before Python 3.13"
    ),
    "test_threading.ExceptHookTests.test_excepthook_thread_None": "C code prints a number of its own",
}

OF_SOME_PYTHONS = {
    "test_threading.ThreadTests.test_foreign_thread",
    "test_socket.PurePythonSocketPairTest.test_injected_authentication_failure",
    "test_queue.*_all_methods_in_many_threads",
    "test_threading.MiscTestCase.test_gh112826_*",
    "test_threading.ThreadTests.*_at_finalization",
    "test_asyncio.*.test_issue105987",
    "test_asyncio.test_unix_events.TestFork.*",
}
"""Rows of tests that not every Python has, or that pass on some."""


def reason(table: dict[str, str], test: str) -> str:
    """The reason that a table has for a test, ``suite.Class.method``; empty if it has none."""
    return next((text for pattern, text in table.items() if fnmatchcase(test, pattern)), "")


def suites_of(pattern: str) -> list[str]:
    """The suites whose tests a pattern may name."""
    return [suite for suite in SUITES if suite.split(".")[0] == pattern.split(".")[0]]
