"""The table of every call in every state, real beside virtual.

A *cell* is one operation on a socket that was brought anew into one state: what it returned or raised,
and what it did to the readiness of the socket and of its peer.  States and operations are written once,
in terms of the standard modules, and run on the live kernel and on a virtual host.

``kinds``        kinds of sockets
``bench``        what a cell is made with: the modules of a machine, addresses and their names
``unconnected``, ``connected``, ``disconnected``, ``datagrams``    states
``receiving``, ``sending``, ``lifecycle``, ``reactions``, ``settings``    operations
``cells``        one cell, and all of them
``live``, ``virtual``     where cells are made; ``routes`` has loopback acknowledge at once
``sequences``    several operations in a row
``verdict``, ``reasons``  which cells differ, and which of the differences have a reason
``survey``       all of this, on both kernels
``record``, ``document``  the files they are kept in
"""
