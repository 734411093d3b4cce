"""The fence: what a program does past its virtual host is reported, with the place.

A run repeats only what the network controls.  A program on a virtual host that opens a real socket, starts a
thread, sleeps, reads the clock of this computer or draws from its entropy has left the network, mostly
without knowing it.  The fence sees that by two means: audit events of the interpreter where there are any,
and where there are none, names in modules that lead through a check.

Owns what is seen (`ways`), what is let through (`allowed`), and what is made of it (`guard`).  Does not own
what a program is to use instead: that is its host's.
"""

from .guard import Escape, EscapeWarning, Fence, default, set_default
from .place import Place
from .watch import take_down

__all__ = ["Escape", "EscapeWarning", "Fence", "Place", "default", "set_default", "take_down"]
