"""What unmodified programs asked for in a run, and who answered: the simulation, this computer, or nobody.

A `Census` of a network counts what its processes call: what was simulated, by kind; what escaped to this
computer, such as a file that was opened, with the line of the program; and what was refused, with the reason.
So one sees whether a run that passed was simulated as a whole.

Without one nothing is counted and nothing costs anything: what is counted are methods of classes, which are
exchanged while there is a census.

Owns what is told (`census`), what is counted (`counting`), and what the interpreter tells of this computer
(`audit`).
"""

from .census import Census, Found, of_every_network

__all__ = ["Census", "Found", "of_every_network"]
