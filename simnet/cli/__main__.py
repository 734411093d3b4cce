"""``python -m simnet.cli``: the command line with the Python that one means."""

from . import main

main()
