"""The table of the ways past a virtual host: what each is called, how it is seen, what a host has instead.

One row for a function of the standard library: for the fence, for its documentation, and for whoever puts
something in its place.  A function that calls another one of the table is a row too, for programs call it.

Owns names.  What is not in this table, and why, is in `allowed`.
"""

from __future__ import annotations

import attrs

FAMILIES = {
    "sockets": "makes or uses a socket of this computer",
    "names": "asks this computer for names or interfaces",
    "pipes": "makes a pipe of this computer",
    "waits": "waits for descriptors of this computer",
    "sleeps": "lets real time pass",
    "clocks": "reads a clock of this computer",
    "entropy": "draws from the entropy of this computer",
    "threads": "needs a second thread",
    "processes": "reaches for processes of this computer",
}
"""What the ways of a family do, as a report says it."""


@attrs.frozen
class Way:
    """One way past a host.

    Attributes:
        name: what programs call: ``time.sleep``.
        family: a key of `FAMILIES`.
        hint: what to use in its place, besides `instead`; empty if there is nothing to say.
        events: the audit events that tell of it.
        patches: where it is found, as ``module.name``; these names lead through a check.
        within: the name of the way that it goes by itself, if it is seen only there.
        on_host: whether ``host.modules`` has it, under the same name.
        free_from: with so many arguments that are not None the function asks no machine; 0 is never.

    Not every event and not every place exists in every Python.
    """

    name: str
    family: str
    hint: str
    events: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    within: str = ""
    on_host: bool = False
    free_from: int = 0

    @property
    def instead(self) -> str:
        """What to use in its place."""
        return ", ".join(filter(None, (f"host.modules.{self.name}" if self.on_host else "", self.hint)))


def _heard(family: str, hint: str, on_host: bool, names: dict[str, str]) -> list[Way]:
    """Ways that audit events tell of."""
    return [Way(name, family, hint, (event,), on_host=on_host) for name, event in names.items()]


def _checked(family: str, hint: str, on_host: bool, names: str, free_from: int = 0) -> list[Way]:
    """Ways whose own names lead through a check."""
    return [
        Way(name, family, hint, patches=(name,), on_host=on_host, free_from=free_from)
        for name in names.split()
    ]


def _within(within: str, family: str, hint: str, on_host: bool, names: str) -> list[Way]:
    """Ways that go by another one."""
    return [Way(name, family, hint, within=within, on_host=on_host) for name in names.split()]


_SOCKETS = "sockets", "a dispatcher on the host", True
_NAMES = "names", "", True
_CLOCKS = "clocks", "host.clock", True
_ENTROPY = "entropy", "a random.Random(seed) that the program is given", False
_THREADS = "threads", "call_later or call_soon in the one thread of a run", False
_PROCESSES = "processes", "a program on another host", False

WAYS: tuple[Way, ...] = (
    *_heard(*_SOCKETS, {"socket.socket": "socket.__new__"}),
    *_within("socket.socket", *_SOCKETS, "socket.socketpair socket.create_server socket.fromfd"),
    *_within("socket.getaddrinfo", *_SOCKETS, "socket.create_connection"),
    *_within("socket.socket", "sockets", "", False, "asyncio.run asyncio.new_event_loop asyncio.Runner"),
    *_heard(
        "sockets",
        "a socket of host.modules.socket",
        False,
        {
            "socket.socket.bind": "socket.bind",
            "socket.socket.connect": "socket.connect",
            "socket.socket.sendto": "socket.sendto",
            "socket.socket.sendmsg": "socket.sendmsg",
        },
    ),
    *_within(
        "socket.socket.connect",
        "sockets",
        "a socket of host.modules.socket",
        False,
        "socket.socket.connect_ex",
    ),
    *_heard(
        *_NAMES,
        {
            f"socket.{name}": f"socket.{name}"
            for name in (
                "getaddrinfo",
                "gethostbyaddr",
                "gethostbyname",
                "gethostname",
                "getnameinfo",
                "getservbyname",
                "getservbyport",
            )
        },
    ),
    *_heard("names", "", False, {"socket.sethostname": "socket.sethostname"}),
    *_within("socket.gethostbyname", *_NAMES, "socket.gethostbyname_ex"),
    *_within("socket.gethostname", *_NAMES, "socket.getfqdn"),
    *_checked(*_NAMES, "socket.getprotobyname socket.if_nameindex socket.if_nametoindex"),
    *_checked(*_NAMES, "socket.if_indextoname"),
    *_checked("pipes", "", True, "os.pipe os.pipe2"),
    *_checked("pipes", "a pipe of host.modules.os", False, "os.eventfd os.openpty os.posix_openpt"),
    *_checked("waits", "handlers", True, "select.select select.poll"),
    *_checked("sleeps", "call_later in handlers", True, "time.sleep"),
    *_checked("sleeps", "call_later", False, "signal.alarm signal.setitimer signal.pause os.timerfd_create"),
    *_checked("sleeps", "call_later", False, "signal.sigwait signal.sigwaitinfo signal.sigtimedwait"),
    *_checked(*_CLOCKS, "time.time time.time_ns time.monotonic time.monotonic_ns"),
    *_checked(*_CLOCKS, "time.perf_counter time.perf_counter_ns time.clock_gettime time.clock_gettime_ns"),
    *_checked(*_CLOCKS, "time.gmtime time.localtime time.ctime time.asctime", free_from=1),
    *_checked(*_CLOCKS, "time.strftime", free_from=2),
    *_checked("clocks", "", False, "time.process_time time.process_time_ns os.times"),
    *_checked("clocks", "", False, "time.thread_time time.thread_time_ns"),
    *_within("time.time", "clocks", "host.clock", False, "datetime.date.today datetime.datetime.today"),
    *_checked(*_ENTROPY, "os.urandom os.getrandom uuid.uuid1 ssl.RAND_bytes"),
    Way("random.SystemRandom", *_ENTROPY[:2], patches=("random._urandom",)),
    *_within("os.urandom", *_ENTROPY, "uuid.uuid4"),
    *_within("random.SystemRandom", *_ENTROPY, "secrets.token_bytes secrets.token_hex secrets.token_urlsafe"),
    *_within("random.SystemRandom", *_ENTROPY, "secrets.choice secrets.randbelow secrets.randbits"),
    # Python 3.11 has no event for it.
    Way(
        "threading.Thread",
        *_THREADS[:2],
        events=("_thread.start_new_thread", "_thread.start_joinable_thread"),
        patches=("threading._start_new_thread", "_thread.start_new_thread", "_thread.start_new"),
    ),
    *_within("threading.Thread", *_THREADS, "_thread.start_new_thread _thread.start_new threading.Timer"),
    *_within("threading.Thread", *_THREADS, "_thread.start_joinable_thread"),
    # Every wait of `threading` and `queue` comes to this: a lock that another thread is to release.
    Way("threading.Condition.wait", *_THREADS[:2], patches=("threading._allocate_lock",)),
    *_within("threading.Condition.wait", *_THREADS, "threading.Condition.wait_for threading.Event.wait"),
    *_within("threading.Condition.wait", *_THREADS, "threading.Barrier.wait threading.Semaphore.acquire"),
    *_within("threading.Condition.wait", *_THREADS, "concurrent.futures.ThreadPoolExecutor"),
    *_within("threading.Condition.wait", *_THREADS, "queue.Queue.get queue.Queue.put queue.Queue.join"),
    *_heard(
        *_PROCESSES,
        {
            "subprocess.Popen": "subprocess.Popen",
            "os.fork": "os.fork",
            "os.forkpty": "os.forkpty",
            "os.posix_spawn": "os.posix_spawn",
            "os.execv": "os.exec",
            "os.system": "os.system",
            "os.kill": "os.kill",
            "os.killpg": "os.killpg",
            "pty.spawn": "pty.spawn",
        },
    ),
    *_within("subprocess.Popen", *_PROCESSES, "subprocess.run subprocess.call subprocess.check_call"),
    *_within("os.fork", *_PROCESSES, "os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve"),
    *_within("os.fork", *_PROCESSES, "os.spawnvp os.spawnvpe"),
    *_within("os.forkpty", *_PROCESSES, "pty.fork"),
    *_within("os.posix_spawn", *_PROCESSES, "os.posix_spawnp"),
    *_within(
        "os.execv", *_PROCESSES, "os.execl os.execle os.execlp os.execlpe os.execve os.execvp os.execvpe"
    ),
    *_within("os.pipe", *_PROCESSES, "multiprocessing.Process subprocess.check_output subprocess.getoutput"),
    *_within("os.pipe", *_PROCESSES, "subprocess.getstatusoutput os.popen"),
)

BY_NAME = {way.name: way for way in WAYS}
BY_EVENT = {event: way for way in reversed(WAYS) for event in way.events}
BY_PATCH = {place: way for way in WAYS for place in way.patches}
