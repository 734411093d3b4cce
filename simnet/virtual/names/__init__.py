"""Names on a virtual network: what a zone says of them, and what a host makes of that.

`zone` is edited by tests; `resolver` has the functions of the socket module.  The rest is what a C library
knows by itself: addresses written as numbers (`numeric`), services and protocols (`services`), interfaces
(`interfaces`), which kinds of sockets a look-up is for (`endpoints`), and which of several addresses comes
first (`destinations`).
"""

from .zone import HostsFile, Zone

__all__ = ["HostsFile", "Zone"]
