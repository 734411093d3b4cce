"""Who takes part, and who cannot."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import attrs

FD_SETSIZE = 1024
_SPARE_DESCRIPTORS = 24  # the listener, the poller, standard streams


@attrs.frozen
class Contestant:
    """A server: a function of a module of `benchmarks.real.servers`."""

    name: str
    module: str
    function: str = "serve"
    needs: tuple[str, ...] = ()  # packages that may not be installed
    descriptors_max: int = sys.maxsize

    def why_not(self, connections: int) -> str | None:
        """Why it cannot serve so many connections here; None if it can."""
        for package in self.needs:
            if find_spec(package) is None:
                return f"{package} is not installed"
        if connections + _SPARE_DESCRIPTORS > self.descriptors_max:
            return f"select(2) stops at descriptor {self.descriptors_max - 1}"
        return None


BASELINE = Contestant("hand-written epoll loop", "plain")
CONTESTANTS = (
    BASELINE,
    Contestant("simnet dispatcher", "native"),
    Contestant("simnet dispatcher_with_send", "native", "serve_with_send"),
    Contestant("simnet dispatcher, map={}", "native", "serve_plain_map"),
    Contestant("asyncio protocols", "aio"),
    Contestant("asyncio protocols, 64 KiB", "aio", "serve_64_kib"),
    Contestant("pyftpdlib ioloop", "ftp", needs=("pyftpdlib",)),
    Contestant("uvloop protocols", "aio", "serve_uvloop", needs=("uvloop",)),
)
