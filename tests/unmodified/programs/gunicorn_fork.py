"""gunicorn's arbiter forks its workers."""

import os
from contextlib import suppress

from gunicorn.app.base import BaseApplication
from gunicorn.workers.sync import SyncWorker


class Baker(SyncWorker):
    """Leaves no file open, although it never begins."""

    def __init__(self, *args):
        super().__init__(*args)
        self.tmp.close()


class Bakery(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", "0.0.0.0:80")
        self.cfg.set("errorlog", os.devnull)
        self.cfg.set("worker_class", Baker)

    def load(self):
        raise AssertionError("no worker begins")


def serve():
    with suppress(SystemExit):  # with which it answers what fork has raised
        Bakery().run()


def run(network):
    network.host("server").spawn(serve)
    network.run()
