"""Programs for asyncore without a network: sockets that answer as they are told, and the module itself."""

import errno
import os
import sys
import warnings
from contextlib import contextmanager
from functools import partial
from itertools import product
from types import SimpleNamespace

CODES = (
    *(errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED, errno.EPIPE, errno.EBADF),
    *(errno.EAGAIN, errno.EINTR, errno.EINVAL, errno.EIO, errno.EMFILE, errno.EINPROGRESS, errno.EALREADY),
    *(errno.EISCONN, errno.ECONNREFUSED, errno.ENETUNREACH, errno.ETIMEDOUT, 0, 9999),
)


@contextmanager
def as_before(module, *names):
    """Afterwards these attributes are what they were."""
    before = {name: getattr(module, name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


class Answering:
    """A socket whose calls answer with what is in `answers`: a value, or an exception to raise."""

    def __init__(self, **answers):
        self.answers, self.calls = {"fileno": 99, "setblocking": None, "close": None, **answers}, []

    def __getattr__(self, name):
        def call(*args):
            self.calls.append((name, *args))
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer.with_traceback(None)
            return answer

        if name not in self.answers:
            raise AttributeError(name)
        return call


def failed(code):
    return OSError(code, errno.errorcode.get(code, "of no name"))


def on(world, sock, kind=None):
    """A channel on such a socket."""
    channel = (kind or world.kind("channel"))(map=world.map)
    channel.set_socket(sock)
    channel.connected = True
    return channel


def state(channel):
    return (channel.connected, channel.connecting, channel.accepting, channel.addr, len(channel._map))


def each_errno_of_each_call(world):
    for code in CODES:
        for call, args in (
            ("recv", (10,)),
            ("send", (b"x",)),
            ("accept", ()),
            ("close", ()),
            ("listen", (5,)),
        ):
            channel = on(world, Answering(**{call: failed(code)}))
            world.outcome(
                call, code, of=lambda channel=channel, call=call, args=args: getattr(channel, call)(*args)
            )
            world.note(state(channel), channel.socket.calls)
            world.map.clear()


def each_errno_of_connect(world):
    for code, pending in product(CODES, (0, errno.ECONNREFUSED, 9999)):
        channel = on(world, Answering(connect_ex=code, getsockopt=pending))
        world.outcome("connect", code, pending, of=lambda channel=channel: channel.connect(("there", 1)))
        world.note(state(channel), channel.socket.calls)
        for event in (channel.handle_read_event, channel.handle_write_event, channel.handle_expt_event):
            world.outcome(event.__name__, of=event)
            world.note(state(channel), channel.socket.calls)
        world.map.clear()


def each_errno_of_getpeername(world):
    for code in CODES:
        sock = Answering(getpeername=failed(code))
        world.outcome(code, of=lambda sock=sock: state(world.kind("channel")(sock, world.map)))
        world.note(len(world.map), sock.calls)
        world.map.clear()


def answers_of_accept(world):
    for answer in (
        TypeError("no pair"),
        ValueError("other"),
        ("sock", "address"),
        ("sock", "address", 3),
        None,
    ):
        channel = on(world, Answering(accept=answer))
        world.outcome("accept", of=channel.accept)
        accepting = on(world, Answering(accept=answer), world.kind("listener", accepted=lambda *args: None))
        world.outcome("handle_accept", of=accepting.handle_accept)
        world.map.clear()


def no_socket(world):
    class Empty(Answering):
        def __len__(self):
            return 0

    channel = world.kind("channel")(map=world.map)
    world.note(state(channel), channel.socket, channel._fileno)
    for call, args in (
        ("send", (b"",)),
        ("recv", (1,)),
        ("accept", ()),
        ("close", ()),
        ("handle_connect_event", ()),
    ):
        world.outcome(call, of=lambda call=call, args=args: getattr(channel, call)(*args))
    world.note(world.kind("channel")(Empty(), world.map).socket)  # asyncore asks whether it is true


def readwrite_with_each_flag(world):
    select = world.asyncore.select
    flags = ("POLLIN", "POLLOUT", "POLLPRI", "POLLHUP", "POLLERR", "POLLNVAL")
    errors = (
        None,
        failed(errno.EPIPE),
        failed(errno.EIO),
        OSError("no number"),
        KeyError("k"),
        SystemExit(1),
    )

    class Channel:
        def __getattr__(self, name):
            def handler():
                world.note(name)
                if name in raising and name != "handle_error":
                    raise raising[name].with_traceback(None)

            return handler

    for chosen in product((0, 1), repeat=len(flags)):
        given = sum(getattr(select, name) for name, is_set in zip(flags, chosen, strict=True) if is_set)
        for error in errors:
            raising = {} if error is None else {"handle_read_event": error, "handle_expt_event": error}
            world.outcome(given, error, of=lambda given=given: world.asyncore.readwrite(Channel(), given))
    for event, function in (("read", "read"), ("write", "write"), ("expt", "_exception")):
        for error in errors[1:]:
            raising = {f"handle_{event}_event": error}
            world.outcome(function, of=lambda function=function: getattr(world.asyncore, function)(Channel()))


def reprs(world):
    addresses = (
        None,
        ("127.0.0.1", 80),
        ("::1", 80, 0, 0),
        "/a/path",
        b"\0name",
        5,
        (),
        ("host", "name"),
        ("a",),
    )
    for address, *booleans in product(addresses, (False, True), (False, True), (False, True)):
        channel = world.kind("channel")(map=world.map)
        channel.addr, (channel.accepting, channel.connected, channel.connecting) = address, booleans
        world.outcome(of=lambda channel=channel: repr(channel))
    for kind in (world.asyncore.dispatcher, world.asyncore.dispatcher_with_send, world.asynchat.async_chat):
        world.note(repr(kind(map=world.map)), repr(kind))


def logging(world):
    asyncore = world.asyncore
    channel = asyncore.dispatcher(map=world.map)
    for type_ in ("info", "warning", "error", "another", None):
        channel.log_info("a message", type_)
    channel.log_info(("no", "text"))
    channel.log("a message")
    channel.log(None)
    channel.ignore_log_types = ["info"]
    channel.log_info("not printed")
    channel.log_info("printed", "warning")
    for handler in ("read", "write", "expt", "connect", "close"):
        getattr(channel, f"handle_{handler}")()
    channel.handle_accepted(Answering(), None)
    world.outcome("handle_error", of=channel.handle_error)

    class Unrepresentable(asyncore.dispatcher):
        __module__, __qualname__ = "here", "Unrepresentable"

        def __repr__(self):
            raise ValueError("no name")

    try:
        raise KeyError("key")
    except KeyError:
        Unrepresentable(map=world.map).handle_error()


def tracebacks(world):
    asyncore = world.asyncore

    def deep(levels):
        if not levels:
            raise LookupError("down here")
        deep(levels - 1)

    world.outcome("without one", of=asyncore.compact_traceback)
    for levels in range(3):
        try:
            deep(levels)
        except LookupError:
            world.note(asyncore.compact_traceback())
    try:
        raise LookupError from None
    except LookupError:
        sys.exc_info()[1].__traceback__ = None
        world.outcome("taken off", of=lambda: len(asyncore.compact_traceback()))


def closing_all(world):
    asyncore = world.asyncore

    def close_three(error, ignore_all):
        def close(number):
            world.note("close", number)
            if error is not None and number == 2:
                raise error.with_traceback(None)

        channels = {number: SimpleNamespace(close=partial(close, number)) for number in (1, 2, 3)}
        world.outcome(error, ignore_all, of=lambda: asyncore.close_all(channels, ignore_all))
        world.note(sorted(channels))
        asyncore.socket_map.update(channels)
        world.outcome("by default", of=lambda: asyncore.close_all(ignore_all=ignore_all))
        world.note(sorted(asyncore.socket_map))
        asyncore.socket_map.clear()

    errors = (None, failed(errno.EBADF), failed(errno.EIO), OSError("no number"), ValueError("v"))
    errors = (*errors, asyncore.ExitNow("e"), KeyboardInterrupt(), SystemExit(), GeneratorExit())
    for error, ignore_all in product(errors, (False, True)):
        close_three(error, ignore_all)


def file_wrappers(world):
    asyncore, socket = world.asyncore, world.asyncore.socket
    reader, writer = os.pipe()
    one, other = asyncore.file_wrapper(reader), asyncore.file_wrapper(writer)
    world.note(one.fileno() != reader, one.fd == one.fileno(), repr(one))
    world.note(other.send(b"abc"), one.recv(2), other.write(b"d"), one.read(5))
    for args in (
        (socket.SOL_SOCKET, socket.SO_ERROR),
        (socket.SOL_SOCKET, socket.SO_ERROR, 0),
        (socket.SOL_SOCKET, socket.SO_ERROR, 4),
        (socket.SOL_SOCKET, socket.SO_TYPE),
    ):
        world.outcome(args, of=lambda args=args: one.getsockopt(*args))
    one.close()
    one.close()
    world.note(one.fileno(), one.fd)
    world.outcome("read", of=lambda: one.recv(1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fd = other.fd
        del other
    world.note([(warning.category, str(warning.message), warning.source is not None) for warning in caught])
    world.outcome("closed", of=lambda: os.fstat(fd))
    for fd in (reader, writer):
        os.close(fd)
    with as_before(sys, "unraisablehook"):
        sys.unraisablehook = lambda ignored: world.note("ignored", ignored.exc_value)
        world.outcome("of no descriptor", of=lambda: asyncore.file_wrapper(reader))


def file_dispatchers(world):
    reader, writer = os.pipe()
    os.close(writer)
    for given in (reader, SimpleNamespace(fileno=lambda: reader)):
        channel = world.kind("file", world.asyncore.file_dispatcher)(given, world.map)
        world.note(state(channel), type(channel.socket).__name__, os.get_blocking(reader), channel)
        channel.close()
        world.note(state(channel))
    os.close(reader)
    kind = world.kind("file", world.asyncore.file_dispatcher)
    with as_before(sys, "unraisablehook"):
        sys.unraisablehook = lambda ignored: world.note("ignored", ignored.exc_value)
        world.outcome("of no descriptor", of=lambda: kind(reader, world.map))
        world.outcome("of a name", of=lambda: kind("name", world.map))


def another_select(world):
    asyncore = world.asyncore
    answers = {"select": lambda *args: world.note("select", args) or ([99], [99], [99])}
    flags = {name: getattr(asyncore.select, name) for name in dir(asyncore.select) if name.startswith("POLL")}
    channel = on(world, Answering(getsockopt=0), world.kind("channel", writable=lambda channel: True))

    class Pollster:
        def register(self, *args):
            world.note("register", args)

        def poll(self, timeout):
            world.note("poll", timeout)
            return [(99, 4), (98, 1), (99, 1)]

    with as_before(asyncore, "select"):
        asyncore.select = SimpleNamespace(**answers)
        asyncore.loop(1.5, use_poll=True, map=world.map, count=2)  # there is no poll
        world.outcome("poll2", of=lambda: asyncore.poll2(1.5, world.map))
        world.outcome("readwrite", of=lambda: asyncore.readwrite(channel, 0))
        asyncore.select = SimpleNamespace(poll=Pollster, **flags, **answers)
        for timeout in (0.0, 1.5, 0.0004, None):
            asyncore.poll2(timeout, world.map)
            asyncore.loop(timeout, use_poll=True, map=world.map, count=1)


def another_time(world):
    asyncore = world.asyncore
    idle = on(world, Answering(), world.kind("idle", readable=lambda channel: 0))
    with as_before(asyncore, "time"):
        asyncore.time = SimpleNamespace(sleep=lambda seconds: world.note("sleep", seconds))
        asyncore.poll(2.5, {99: idle})
        asyncore.poll(2.5, {})
    with as_before(asyncore.time, "sleep"):
        asyncore.time.sleep = lambda seconds: world.note("slept", seconds)
        asyncore.loop(3.5, map={99: idle}, count=1)


def another_socket(world):
    asyncore = world.asyncore
    with as_before(asyncore, "socket"):
        asyncore.socket = SimpleNamespace(
            socket=lambda *args: world.note("socket", args) or Answering(getsockopt=7, setsockopt=None),
            **{"SOL_SOCKET": 11, "SO_REUSEADDR": 22, "SO_ERROR": 33},
        )
        channel = world.open(world.kind("channel"))
        channel.set_reuse_addr()
        world.outcome("connected", of=channel.handle_connect_event)
        world.note(channel.socket.calls)


def another_system(world):
    asyncore = world.asyncore
    with as_before(asyncore, "os"):
        asyncore.os = SimpleNamespace(name="nt", strerror=lambda code: f"text of {code}")
        channel = on(world, Answering(listen=None, connect_ex=errno.EINVAL, getsockopt=7))
        channel.listen(100)
        channel.listen(4)
        world.outcome("connect", of=lambda: channel.connect(("there", 1)))
        world.outcome("connected", of=channel.handle_connect_event)
        world.note(channel.socket.calls, state(channel))


FUNCTIONS = ("poll", "poll2", "read", "write", "_exception", "readwrite", "compact_traceback")


def other_functions(world):
    asyncore = world.asyncore
    on(world, Answering(), world.kind("channel"))
    with as_before(asyncore, "select", "socket_map", *FUNCTIONS):
        asyncore.select = SimpleNamespace(select=lambda r, w, e, t: ([99], [99], [99]), poll=None)
        for name in ("read", "write", "_exception"):
            setattr(asyncore, name, lambda obj, name=name: world.note(name, type(obj).__name__))
        asyncore.poll(0, world.map)
        for name in ("poll", "poll2"):
            setattr(
                asyncore, name, lambda timeout, map, name=name: world.note(name, timeout, map is world.map)
            )
        for use_poll in (False, True):
            asyncore.loop(3, use_poll, world.map, count=2)
        asyncore.compact_traceback = lambda: (("f", "g", "1"), KeyError, "v", "here")
        asyncore.dispatcher(map=world.map).handle_error()
        asyncore.socket_map = {}
        world.note(asyncore.dispatcher()._map is asyncore.socket_map)
        asyncore.loop(3)
        asyncore.socket_map[5] = None
        asyncore.poll = lambda timeout, map: world.note("poll", map) or map.clear()
        asyncore.loop(3)


def loop_counts(world):
    asyncore = world.asyncore
    with as_before(asyncore, "poll"):
        asyncore.poll = lambda timeout, map: world.note("poll", timeout)
        for count in (0, 1, 3, -1, 2.5, "3"):
            world.outcome("loop", count, of=lambda count=count: asyncore.loop(7, map={1: None}, count=count))
            world.outcome("loop", count, of=lambda count=count: asyncore.loop(7, map={}, count=count))
        asyncore.loop(map={1: None}, count=1)


def maps(world):
    """Joining and leaving maps."""
    other = {}
    channel = world.kind("channel")(map=world.map)
    channel.socket = Answering()
    channel._fileno = 99
    channel.add_channel(other)
    world.note(sorted(other), sorted(world.map))
    channel.add_channel()
    channel.del_channel(other)
    world.note(sorted(other), sorted(world.map), channel._fileno)
    channel.del_channel()
    world.note(sorted(world.map))
    channel.close()
    world.note(channel.socket.calls)
    default = world.kind("channel")()
    world.note(default._map is world.asyncore.socket_map)
    default.set_socket(Answering())
    world.note(world.asyncore.socket_map == {99: default})
    default.close()
    world.note(world.asyncore.socket_map)


DETAILS = (
    each_errno_of_each_call,
    each_errno_of_connect,
    each_errno_of_getpeername,
    answers_of_accept,
    no_socket,
    readwrite_with_each_flag,
    reprs,
    logging,
    tracebacks,
    closing_all,
    file_wrappers,
    file_dispatchers,
    another_select,
    another_time,
    another_socket,
    another_system,
    other_functions,
    loop_counts,
    maps,
)
