"""Echo servers.  Each takes a listening socket that does not block, and serves for ever."""

RECV_BYTES = 65_536
"""How much a server asks for at once, unless its name says otherwise."""

BACKLOG = 4096
"""How many connections may wait to be accepted while a load opens thousands."""
