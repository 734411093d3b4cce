"""The socket object that a program on a virtual host holds: the surface of `socket.socket`.

It adds to the kernel's sockets what Python adds: descriptors, time-outs and waiting, buffers to receive into,
file objects.  What a call does is the business of the end behind it (`kernel.sock.SocketEnd`), which several
descriptors may share.  Arguments, errors and results are those of CPython's Modules/socketmodule.c.
"""

from .calls import VirtualSocket

__all__ = ["VirtualSocket"]
