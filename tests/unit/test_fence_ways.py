"""The table of the fence is true: each way is seen when it is gone, and the standard library offers no other.

Every function is really called on a host, in such a way that it does little if nobody stops it.
"""

import _thread
import asyncio
import concurrent.futures
import datetime  # noqa: F401  (its functions are found by name)
import enum
import gc
import inspect
import multiprocessing
import os
import pty
import queue
import random
import secrets
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid  # noqa: F401
import warnings
from functools import reduce
from importlib import import_module

import pytest

from simnet import Escaped, Network
from simnet.fence.allowed import LET_THROUGH, WATCHED_MODULES
from simnet.fence.ways import BY_NAME, FAMILIES, WAYS

ADDRESS = ("127.0.0.1", 9)
TRUE = ["/bin/true"]


def with_a_socket(call, kind=socket.SOCK_STREAM):
    """Call something with a real socket that was made before anybody was on a host."""
    return lambda: call(OUTSIDE[kind])


OUTSIDE = {}


@pytest.fixture(autouse=True)
def sockets_made_outside():
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        OUTSIDE.update({socket.SOCK_STREAM: stream, socket.SOCK_DGRAM: datagrams})
        stream.setblocking(False)
        yield
        OUTSIDE.clear()


def forked(fork):
    """A child, should there be one, ends at once."""

    def call():
        pid = fork()
        if (pid if isinstance(pid, int) else pid[0]) == 0:
            os._exit(0)

    return call


def run_a_coroutine():
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


def run_a_runner():
    with asyncio.Runner() as runner:
        runner.get_loop()


def joined():
    waiting = queue.Queue()
    waiting.put(1)
    waiting.join()


def put_twice():
    full = queue.Queue(1)
    full.put(1)
    full.put(2, timeout=0.01)


def wait(condition):
    with condition:
        condition.wait(0.01)


def wait_for(condition):
    with condition:
        condition.wait_for(bool, 0.01)


DOING = {
    "socket.socket.bind": with_a_socket(lambda sock: sock.bind(("127.0.0.1", 0))),
    "socket.socket.connect": with_a_socket(lambda sock: sock.connect(ADDRESS)),
    "socket.socket.connect_ex": with_a_socket(lambda sock: sock.connect_ex(ADDRESS)),
    "socket.socket.sendto": with_a_socket(lambda sock: sock.sendto(b"", ADDRESS), socket.SOCK_DGRAM),
    "socket.socket.sendmsg": with_a_socket(
        lambda sock: sock.sendmsg([b""], [], 0, ADDRESS), socket.SOCK_DGRAM
    ),
    "socket.create_connection": lambda: socket.create_connection(ADDRESS, 0.01),
    "socket.create_server": lambda: socket.create_server(("127.0.0.1", 0)),
    "socket.fromfd": with_a_socket(lambda sock: socket.fromfd(sock.fileno(), sock.family, sock.type)),
    "asyncio.run": run_a_coroutine,
    "asyncio.new_event_loop": lambda: asyncio.new_event_loop().close(),
    "asyncio.Runner": run_a_runner,
    "socket.getaddrinfo": lambda: socket.getaddrinfo("127.0.0.1", 9),
    "socket.gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "socket.gethostbyname": lambda: socket.gethostbyname("127.0.0.1"),
    "socket.gethostbyname_ex": lambda: socket.gethostbyname_ex("127.0.0.1"),
    "socket.getnameinfo": lambda: socket.getnameinfo(ADDRESS, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
    "socket.getservbyname": lambda: socket.getservbyname("smtp"),
    "socket.getservbyport": lambda: socket.getservbyport(25),
    "socket.sethostname": lambda: socket.sethostname(b"x" * 300),  # longer than any name may be
    "socket.getprotobyname": lambda: socket.getprotobyname("tcp"),
    "socket.if_nametoindex": lambda: socket.if_nametoindex("lo"),
    "socket.if_indextoname": lambda: socket.if_indextoname(1),
    "os.pipe2": lambda: os.pipe2(0),
    "os.eventfd": lambda: os.eventfd(0),
    "os.posix_openpt": lambda: os.posix_openpt(os.O_RDWR),
    "os.timerfd_create": lambda: os.timerfd_create(time.CLOCK_MONOTONIC),
    "select.select": lambda: select.select([], [], [], 0),
    "time.sleep": lambda: time.sleep(0.001),
    "signal.alarm": lambda: signal.alarm(0),
    "signal.setitimer": lambda: signal.setitimer(signal.ITIMER_REAL, 0),
    "signal.sigwait": lambda: signal.sigwait([signal.SIGUSR1]),
    "signal.sigwaitinfo": lambda: signal.sigwaitinfo([signal.SIGUSR1]),
    "signal.sigtimedwait": lambda: signal.sigtimedwait([signal.SIGUSR1], 0),
    "time.clock_gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "time.clock_gettime_ns": lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC),
    "time.strftime": lambda: time.strftime("%Y"),
    "os.urandom": lambda: os.urandom(1),
    "os.getrandom": lambda: os.getrandom(1),
    "ssl.RAND_bytes": lambda: ssl.RAND_bytes(1),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "secrets.token_bytes": lambda: secrets.token_bytes(1),
    "secrets.token_hex": lambda: secrets.token_hex(1),
    "secrets.token_urlsafe": lambda: secrets.token_urlsafe(1),
    "secrets.choice": lambda: secrets.choice([1, 2]),
    "secrets.randbelow": lambda: secrets.randbelow(7),
    "secrets.randbits": lambda: secrets.randbits(7),
    "threading.Thread": lambda: threading.Thread(target=int).start(),
    "threading.Timer": lambda: threading.Timer(0, int).start(),
    "_thread.start_new_thread": lambda: _thread.start_new_thread(int, ()),
    "_thread.start_new": lambda: _thread.start_new(int, ()),
    "_thread.start_joinable_thread": lambda: _thread.start_joinable_thread(int),
    "concurrent.futures.ThreadPoolExecutor": lambda: concurrent.futures.ThreadPoolExecutor(1).submit(int),
    "threading.Condition.wait": lambda: wait(threading.Condition()),
    "threading.Condition.wait_for": lambda: wait_for(threading.Condition()),
    "threading.Event.wait": lambda: threading.Event().wait(0.01),
    "threading.Barrier.wait": lambda: threading.Barrier(2).wait(0.01),
    "threading.Semaphore.acquire": lambda: threading.Semaphore(0).acquire(timeout=0.01),
    "queue.Queue.get": lambda: queue.Queue().get(timeout=0.01),
    "queue.Queue.put": put_twice,
    "queue.Queue.join": joined,
    "subprocess.Popen": lambda: subprocess.Popen(TRUE).wait(),
    "subprocess.run": lambda: subprocess.run(TRUE),
    "subprocess.call": lambda: subprocess.call(TRUE),
    "subprocess.check_call": lambda: subprocess.check_call(TRUE),
    "subprocess.check_output": lambda: subprocess.check_output(TRUE),
    "subprocess.getoutput": lambda: subprocess.getoutput("true"),
    "subprocess.getstatusoutput": lambda: subprocess.getstatusoutput("true"),
    "os.popen": lambda: os.popen("true").close(),
    "os.fork": forked(os.fork),
    "os.forkpty": forked(os.forkpty),
    "pty.fork": forked(pty.fork),
    "pty.spawn": lambda: pty.spawn(TRUE),
    "os.posix_spawn": lambda: os.posix_spawn("/nowhere", ["x"], {}),
    "os.posix_spawnp": lambda: os.posix_spawnp("/nowhere", ["x"], {}),
    "os.execv": lambda: os.execv("/nowhere", ["x"]),
    "os.execve": lambda: os.execve("/nowhere", ["x"], {}),
    "os.execvp": lambda: os.execvp("/nowhere", ["x"]),
    "os.execvpe": lambda: os.execvpe("/nowhere", ["x"], {}),
    "os.execl": lambda: os.execl("/nowhere", "x"),
    "os.execle": lambda: os.execle("/nowhere", "x", {}),
    "os.execlp": lambda: os.execlp("/nowhere", "x"),
    "os.execlpe": lambda: os.execlpe("/nowhere", "x", {}),
    "os.spawnv": lambda: os.spawnv(os.P_WAIT, "/nowhere", ["x"]),
    "os.spawnve": lambda: os.spawnve(os.P_WAIT, "/nowhere", ["x"], {}),
    "os.spawnvp": lambda: os.spawnvp(os.P_WAIT, "/nowhere", ["x"]),
    "os.spawnvpe": lambda: os.spawnvpe(os.P_WAIT, "/nowhere", ["x"], {}),
    "os.spawnl": lambda: os.spawnl(os.P_WAIT, "/nowhere", "x"),
    "os.spawnle": lambda: os.spawnle(os.P_WAIT, "/nowhere", "x", {}),
    "os.spawnlp": lambda: os.spawnlp(os.P_WAIT, "/nowhere", "x"),
    "os.spawnlpe": lambda: os.spawnlpe(os.P_WAIT, "/nowhere", "x", {}),
    "os.system": lambda: os.system("true"),
    "os.kill": lambda: os.kill(os.getpid(), 0),
    "os.killpg": lambda: os.killpg(os.getpgrp(), 0),
    "multiprocessing.Process": lambda: multiprocessing.Process(target=int).start(),
}


BORROWED = (
    "abc",
    "builtins",
    "collections",
    "collections.abc",
    "itertools",
    "types",
    "_heapq",
    "_weakrefset",
)
"""Modules from which others only take what they need."""


def found(name):
    """What has that name just now."""
    module = next(name[:end] for end in range(len(name), 0, -1) if name[:end] in sys.modules)
    return reduce(getattr, name.removeprefix(f"{module}.").split("."), sys.modules[module])


def exists(name):
    try:
        return bool(found(name))
    except AttributeError:
        return False


def offered(name):
    """The functions and classes of a module's own, but for errors and constants."""
    module = import_module(name)
    for attribute, value in sorted(vars(module).items()):
        is_error_or_constant = inspect.isclass(value) and issubclass(value, (BaseException, enum.Enum))
        is_borrowed = getattr(value, "__module__", None) in {*BORROWED, *WATCHED_MODULES} - {name}
        if callable(value) and not (attribute.startswith("_") or is_error_or_constant or is_borrowed):
            yield attribute


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # asyncio's half-made loops
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_is_seen_when_it_is_gone(way):
    if not exists(way.name):
        pytest.skip("this Python does not have it")
    net = Network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of pairs and loops that were stopped half made
        with net.host("server"), pytest.raises(Escaped):
            DOING.get(way.name, lambda: found(way.name)())()
        if way.family == "sockets":
            gc.collect()
    escape = net.escapes[0]
    assert escape.way is (BY_NAME[way.within] if way.within else way)
    assert escape.place.path == __file__


def test_what_is_not_a_way_is_not_seen():
    net = Network()
    with net.host("server"):
        os.getpid()
        threading.Lock().acquire()
        queue.Queue().put(1)
    assert net.escapes == ()


@pytest.mark.parametrize("module", WATCHED_MODULES)
def test_all_that_a_module_offers_is_a_way_or_is_let_through_for_a_reason(module):
    let_through = {name for owner, names, _ in LET_THROUGH if owner == module for name in names.split()}
    unknown = [name for name in offered(module) if f"{module}.{name}" not in BY_NAME]
    assert [name for name in unknown if name not in let_through] == []


def test_nothing_is_both_a_way_and_let_through():
    let_through = {f"{module}.{name}" for module, names, _ in LET_THROUGH for name in names.split()}
    assert let_through & BY_NAME.keys() == set()


def test_every_row_is_of_a_family_and_goes_by_one_that_is_seen_itself():
    assert len(BY_NAME) == len(WAYS)
    assert {way.family for way in WAYS} == FAMILIES.keys()
    for way in WAYS:
        reached = BY_NAME[way.within] if way.within else way
        assert reached.events or reached.patches


@pytest.mark.parametrize("way", [way for way in WAYS if way.name.count(".") == 1], ids=lambda way: way.name)
def test_a_host_has_what_the_table_says_it_has_and_no_more(way):
    module, _, name = way.name.partition(".")
    modules = Network().host("server").modules
    if not way.on_host:
        with pytest.raises((NotImplementedError, AttributeError)):
            getattr(getattr(modules, module), name)
    elif exists(way.name):
        assert callable(getattr(getattr(modules, module), name))
