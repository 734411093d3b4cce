"""Programs for asyncore, run with one pair of modules or another, and all that they could notice.

A program gets a `World`: the modules, a map, and kinds of channels that note which handlers are called.  What
is noted is lines of text, in one list: handlers, results, exceptions and whatever is printed.  Addresses in
memory, ports, and where in the modules' files a frame is are taken out; the names of functions stay, but for
those that begin with an underscore.
"""

import importlib
import io
import re
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress

import pytest

import simnet.asynchat
import simnet.asyncore

OURS = (simnet.asyncore, simnet.asynchat)
HANDLERS = ("read", "write", "connect", "close", "expt", "accept", "accepted", "error")
PASSES_MAX = 400


def old_modules():
    """asyncore and asynchat: the interpreter's own, or, from Python 3.12 on, those of PyPI."""
    names = ("asyncore", "asynchat")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return tuple(importlib.import_module(name) for name in names)
    except ImportError:
        pytest.skip("there is no asyncore: neither Python's own nor pyasyncore", allow_module_level=True)
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


class _Lines(io.TextIOBase):
    """A stream whose text is noted, a line at a time."""

    def __init__(self, note):
        self._note, self._line = note, ""

    def write(self, text):
        self._line += text
        while "\n" in self._line:
            line, _, self._line = self._line.partition("\n")
            self._note("printed", line)
        return len(text)


class World:
    """One pair of modules on the current machine, and what was noted.

    A context manager: within, what is printed is noted; at the end all that was made is closed.
    """

    def __init__(self, modules, use_poll=False):
        self.asyncore, self.asynchat = modules
        self.use_poll, self.map = use_poll, {}
        self.noted, self.accepted, self._holders = [], [], []

    def __enter__(self):
        self._streams = (
            redirect_stdout(_Lines(self.note)),
            redirect_stderr(_Lines(lambda *words: self.note("stderr", *words))),
        )
        for stream in self._streams:
            stream.__enter__()
        return self

    def __exit__(self, *exc_info):
        for stream in reversed(self._streams):
            stream.__exit__(*exc_info)
        for holder in self._holders:
            sock = getattr(holder, "socket", None) if hasattr(holder, "handle_close") else holder
            if sock is not None:
                with suppress(OSError):
                    sock.close()

    # --- notes -----------------------------------------------------------------------------------

    def note(self, *words):
        text = " ".join(word if isinstance(word, str) else repr(word) for word in words)
        for module in (self.asyncore, self.asynchat):
            text = re.sub(re.escape(module.__file__) + r"\|(\w+)\|\d+", module.__name__ + r"|\1", text)
        text = text.replace("simnet.asyn", "asyn")
        text = re.sub(r" \[asynchat\|_\w+\]", "", text)
        text = re.sub(r"0x[0-9a-f]+", "0x", text)
        text = re.sub(r"for object at [0-9a-f]+", "for object at", text)
        self.noted.append(re.sub(r"(127\.0\.0\.1(?:', |:))\d+", r"\1port", text))

    def outcome(self, *words, of):
        """Note what a call returns or raises."""
        try:
            result = of()
        except BaseException as error:
            self.note(*words, "raises", error)
        else:
            self.note(*words, "is", result)

    # --- channels --------------------------------------------------------------------------------

    def kind(self, name, base=None, **own):
        """A class that notes its handlers; what is in `own` is called after that, in place of the inherited.

        Its `writable`, unless given, is true while it connects: asyncore's own would be told in every pass.
        """
        base = base if base is not None else self.asyncore.dispatcher
        world = self

        def noting(event):
            def handler(channel, *args):
                reason = sys.exc_info()[1] if event == "error" else ""
                world.note(name, event, *([reason] if event == "error" else []))
                if event in own:
                    return own[event](channel, *args)
                return getattr(super(cls, channel), f"handle_{event}")(*args)

            return handler

        methods = {f"handle_{event}": noting(event) for event in HANDLERS}
        methods |= {key: value for key, value in own.items() if key not in HANDLERS}
        if base is self.asyncore.dispatcher:
            methods.setdefault("writable", lambda channel: channel.connecting)
        methods |= {"ignore_log_types": (), "__module__": __name__}
        methods["__new__"] = lambda cls, *args, **named: world.keep(object.__new__(cls))
        cls = type(name, (base,), methods)
        return cls

    def reading(self, name, size=4096, **own):
        """A kind that reads what there is."""
        return self.kind(name, read=lambda channel: self.note(name, "got", channel.recv(size)), **own)

    def open(self, kind, **attributes):
        """A channel with a socket."""
        channel = kind(map=self.map)
        vars(channel).update(attributes)
        channel.create_socket()
        return channel

    def listen(self, kind=None, serve=None):
        """A listening channel, and its address; `serve` is the kind that every connection gets."""

        def accepted(listener, sock, address):
            self.accepted.append(serve(sock, self.map) if serve is not None else self.keep(sock))

        listener = self.open(kind if kind is not None else self.kind("listener", accepted=accepted))
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        return listener, listener.socket.getsockname()

    def connect(self, kind, address):
        channel = self.open(kind)
        channel.connect(address)
        return channel

    def pair(self, client_kind, server_kind):
        """A channel and the one that serves it, connected."""
        _, address = self.listen(serve=server_kind)
        client = self.connect(client_kind, address)
        self.until(lambda: client.connected and self.accepted)
        return client, self.accepted[-1]

    def channel_and_peer(self, kind, **attributes):
        """A connected channel, and the bare socket at the other end."""
        listening = self.keep(self.asyncore.socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client = self.asyncore.socket.create_connection(listening.getsockname())
        peer = self.keep(listening.accept()[0])
        channel = kind(client, self.map)
        vars(channel).update(attributes)
        return channel, peer

    def keep(self, holder):
        """Close this at the end: a socket, or a channel's."""
        self._holders.append(holder)
        return holder

    # --- passes ----------------------------------------------------------------------------------

    def once(self, timeout=0.01):
        """One pass; note what leaves it."""
        try:
            self.asyncore.loop(timeout=timeout, use_poll=self.use_poll, map=self.map, count=1)
        except BaseException as error:
            self.note("the loop is left by", error)

    def passes(self, count=3):
        """So many passes, which need not find anything."""
        for _ in range(count):
            self.once(0.001)

    def until(self, condition):
        for _ in range(PASSES_MAX):
            if condition():
                return
            self.once()
        raise AssertionError(f"not reached; last {self.noted[-20:]}")


def noted(modules, program, use_poll):
    """What a program notes."""
    with World(modules, use_poll) as world:
        program(world)
    return world.noted
