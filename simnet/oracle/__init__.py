"""The live kernel as an oracle: what it answers, beside what the virtual kernel answers.

Random programs of socket calls: one is made from a seed (`program`, `profiles`), run on a virtual host and
on the kernel of this computer in a network namespace of its own (`session`, `live`), and what a program can
see is compared after every call (`lockstep`).  Where no namespace can be made, logs that were recorded
earlier stand in for the live kernel (`recorded`).  What two machines cannot have in common is put aside in
one place (`normal`).

The table of every call in every state is `matrix`.
"""
