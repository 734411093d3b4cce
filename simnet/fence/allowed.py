"""Who may go past the fence without a report, and what is not watched: each with its reason.

Owns exceptions.  What is watched is in `ways`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from difflib import get_close_matches

from .ways import BY_NAME, FAMILIES

_ALL = tuple(FAMILIES)

OWN = __name__.partition(".")[0]
STANDARD = sys.stdlib_module_names - {"asyncore", "asynchat"}  # which may be simnet's
TOOLS = {
    *("_pytest", "execnet", "hypothesis", "pluggy", "pytest", "xdist"),
    *("_pydev_bundle", "_pydevd_bundle", "debugpy", "ipdb", "IPython", "pudb", "pydevd"),
    *("coverage", "pyinstrument", "scalene", "yappi"),
}
"""Packages that run, measure or debug programs, besides those called ``pytest_*``.  What they do is no part
of the program; and a program that they call begins there."""

CALLERS: dict[str, Collection[str]] = {
    # The time in a log record is for people.
    "logging": ("clocks",),
    "loguru": ("clocks",),
    "structlog": ("clocks",),
    # Whoever debugs or measures means this computer.
    "bdb": _ALL,
    "cProfile": _ALL,
    "code": _ALL,
    "pdb": _ALL,
    "profile": _ALL,
    "timeit": _ALL,
    # What a module does when it is first imported happens once in a process, and in no second run.
    "importlib": _ALL,
    # A test runner that is called inside a run.
    "unittest": ("clocks",),
}
"""Modules that may go ways of these families, and whatever they call too; packages with all in them."""

WATCHED_MODULES = (
    *("time", "datetime", "os", "random", "secrets", "uuid", "socket", "select", "selectors", "signal"),
    *("_thread", "threading", "queue", "sched", "concurrent.futures", "subprocess", "multiprocessing", "pty"),
)
"""The modules in which a program finds what the fence is about: all that they offer is in `ways` or below."""

LET_THROUGH: tuple[tuple[str, str, str], ...] = (
    # --- it asks no clock, draws nothing, waits for nothing
    ("time", "clock_getres get_clock_info mktime strptime struct_time tzset", "the same at any time"),
    ("time", "clock_settime clock_settime_ns pthread_getcpuclockid", "reads no clock"),
    ("datetime", "date time timedelta timezone tzinfo", "arithmetic; `date.today` is seen"),
    ("random", "betavariate binomialvariate choice choices expovariate gammavariate gauss", "see `seed`"),
    ("random", "getrandbits getstate lognormvariate normalvariate paretovariate randbytes", "see `seed`"),
    ("random", "randint random randrange sample setstate shuffle triangular uniform", "see `seed`"),
    ("random", "main vonmisesvariate weibullvariate", "see `seed`"),
    ("random", "Random seed", "repeats with a seed; without one, entropy is drawn in C, which is not seen"),
    ("secrets", "compare_digest", "arithmetic"),
    ("secrets", "SystemRandom", "its methods are seen"),
    ("uuid", "UUID getnode main uuid3 uuid5", "the same in every run on one computer"),
    ("socket", "CMSG_LEN CMSG_SPACE htonl htons inet_aton inet_ntoa inet_ntop inet_pton", "arithmetic"),
    ("socket", "ntohl ntohs", "arithmetic"),
    ("socket", "SocketIO close dup getdefaulttimeout recv_fds send_fds setdefaulttimeout", "needs a socket"),
    ("socket", "SocketType has_dualstack_ipv6", "makes a socket, which is seen"),
    ("signal", "default_int_handler getitimer getsignal pthread_sigmask set_wakeup_fd", "waits for nothing"),
    ("signal", "siginterrupt signal sigpending strsignal struct_siginfo valid_signals", "waits for nothing"),
    ("signal", "pidfd_send_signal pthread_kill raise_signal", "a process that sends itself a signal goes on"),
    ("_thread", "LockType RLock allocate allocate_lock lock", "free without a second thread"),
    ("_thread", "daemon_threads_allowed exit exit_thread get_ident get_native_id", "starts nothing"),
    ("_thread", "interrupt_main stack_size", "starts nothing"),
    ("threading", "Lock RLock local", "free without a second thread"),
    ("threading", "Barrier BoundedSemaphore Condition Event Semaphore", "their waits are seen"),
    ("threading", "ExceptHookArgs activeCount active_count currentThread current_thread", "starts nothing"),
    ("threading", "enumerate excepthook get_ident get_native_id main_thread stack_size", "starts nothing"),
    ("threading", "getprofile gettrace setprofile setprofile_all_threads settrace", "for debuggers"),
    ("threading", "settrace_all_threads", "for debuggers"),
    ("queue", "LifoQueue PriorityQueue Queue", "their waits are seen"),
    ("sched", "Event scheduler", "reads a clock and sleeps, which is seen"),
    ("concurrent.futures", "Executor Future as_completed wait", "their waits are seen"),
    ("concurrent.futures", "ProcessPoolExecutor", "makes a pipe, which is seen"),
    ("subprocess", "CompletedProcess list2cmdline", "starts nothing"),
    (
        "multiprocessing",
        "Array Barrier BoundedSemaphore Condition Event JoinableQueue Lock",
        "starts nothing",
    ),
    ("multiprocessing", "Queue RLock RawArray RawValue Semaphore SimpleQueue Value", "starts nothing"),
    ("multiprocessing", "Manager Pool", "starts a process, which is seen"),
    ("multiprocessing", "Pipe", "makes a socket pair, which is seen"),
    ("multiprocessing", "active_children allow_connection_pickling cpu_count current_process", "reads state"),
    ("multiprocessing", "freeze_support get_all_start_methods get_context get_logger", "reads state"),
    ("multiprocessing", "get_start_method log_to_stderr parent_process set_executable", "reads state"),
    ("multiprocessing", "set_forkserver_preload set_start_method", "reads state"),
    ("pty", "close openpty setraw tcgetattr tcsetattr waitpid", "needs a terminal, whose making is seen"),
    ("pty", "master_open slave_open", "opens a file"),
    # --- types made in C, which cannot be changed
    ("datetime", "datetime", "`today` is seen; `now` and `utcnow` read the clock in C, and are not"),
    ("select", "devpoll epoll kqueue", "what they wait for has been seen when it was made"),
    ("selectors", "BaseSelector DefaultSelector DevpollSelector EpollSelector KqueueSelector", "the same"),
    ("selectors", "PollSelector SelectSelector SelectorKey", "the same"),
    ("queue", "SimpleQueue", "waits in C, and is not seen"),
    # --- files, and what a process is: no part of a network
    ("os", "DirEntry PathLike access chdir chmod chown chroot fchdir fchmod fchown fwalk", "files"),
    ("os", "getcwd getcwdb getxattr lchown link listdir listxattr lstat makedirs mkdir mkfifo", "files"),
    ("os", "mknod pathconf readlink remove removedirs removexattr rename renames replace rmdir", "files"),
    ("os", "scandir setxattr stat stat_result statvfs statvfs_result symlink sync truncate", "files"),
    ("os", "umask unlink utime walk memfd_create", "files"),
    ("os", "close closerange copy_file_range dup dup2 eventfd_read eventfd_write fdatasync fdopen", "files"),
    ("os", "fpathconf fstat fstatvfs fsync ftruncate get_blocking get_inheritable isatty lockf", "files"),
    ("os", "lseek open posix_fadvise posix_fallocate pread preadv pwrite pwritev read readv", "files"),
    ("os", "sendfile set_blocking set_inheritable splice write writev", "files"),
    ("os", "timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns", "needs a descriptor"),
    ("os", "ctermid device_encoding get_terminal_size grantpt login_tty ptsname tcgetpgrp", "terminals"),
    ("os", "tcsetpgrp terminal_size ttyname unlockpt", "terminals"),
    (
        "os",
        "WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG",
        "numbers",
    ),
    ("os", "fsdecode fsencode fspath major makedev minor strerror waitstatus_to_exitcode", "arithmetic"),
    ("os", "get_exec_path getenv getenvb putenv unsetenv", "the environment"),
    ("os", "confstr cpu_count getloadavg process_cpu_count sysconf times_result uname uname_result", "reads"),
    ("os", "getegid geteuid getgid getgrouplist getgroups getlogin getpgid getpgrp getpid getppid", "reads"),
    ("os", "getpriority getresgid getresuid getsid getuid", "reads"),
    (
        "os",
        "initgroups nice setegid seteuid setgid setgroups setns setpgid setpgrp setpriority",
        "privileges",
    ),
    ("os", "setregid setresgid setresuid setreuid setsid setuid unshare", "privileges"),
    ("os", "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getparam", "scheduling"),
    ("os", "sched_getscheduler sched_param sched_rr_get_interval sched_setaffinity", "scheduling"),
    ("os", "sched_setparam sched_setscheduler sched_yield", "scheduling"),
    ("os", "abort register_at_fork", "ends or forks nothing that goes on"),
    ("os", "pidfd_open wait wait3 wait4 waitid waitid_result waitpid", "of a child, whose start is seen"),
)
"""What else those modules offer, as (module, names, why it is not watched).

Not of this table: asyncio and whatever else stands on sockets, threads and clocks is seen there.  OpenSSL
draws entropy in C, which is not seen (see the explanation of determinism).
"""


def misspelt(name: str) -> str | None:
    """The way that was meant by a name in a list of what is allowed; None if the name may be right.

    It may be that of a module of the program, which need not be there yet.
    """
    if name in BY_NAME or not any(name.startswith(f"{module}.") for module in WATCHED_MODULES):
        return None
    return next(iter(get_close_matches(name, BY_NAME, n=1, cutoff=0.8)), None)


def is_tool(top: str) -> bool:
    """Whether a package of that name runs programs and is no part of them."""
    return top in TOOLS or top == OWN or top.startswith("pytest_")


def is_of_program(module: str) -> bool:
    """Whether the code of a module is the program's: no tool's, and not the standard library's."""
    top = module.partition(".")[0]
    return top not in STANDARD and not is_tool(top)
