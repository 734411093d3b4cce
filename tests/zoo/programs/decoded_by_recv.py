"""A guest book that decodes what one recv returns.

A character of UTF-8 has up to four bytes, and a segment may end within it.
"""

import codecs

from simnet import asynchat
from tests.zoo.common import Client, Listener

ENTRY = "Žluťoučký kůň úpěl ďábelské ódy — 日本語でも\n"


class Book(asynchat.async_chat):
    def __init__(self, sock, entries):
        asynchat.async_chat.__init__(self, sock)
        self.entries = entries
        self.text = ""
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self.text += data.decode()

    def found_terminator(self):
        self.entries.append(self.text)
        self.text = ""


class PatientBook(Book):
    def __init__(self, sock, entries):
        Book.__init__(self, sock, entries)
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def collect_incoming_data(self, data):
        self.text += self.decoder.decode(data)


def run(net, book):
    entries = []
    with net.host("server"):
        Listener(book, entries)
    with net.host("client"):
        Client(ENTRY.encode(), half_closes=True)
    net.run()
    assert entries in ([], [ENTRY.strip()])


def bad(net):
    run(net, Book)


def good(net):
    run(net, PatientBook)
