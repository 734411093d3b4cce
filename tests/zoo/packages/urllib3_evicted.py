"""urllib3 1.26.15 closes the pool of a host while another thread is about to use it; 1.26.16 does not.

A PoolManager keeps a few pools, and whoever asks for one more drops the one that was not used for longest.
Between being handed its pool and taking a connection out of it a thread holds no lock.
"""

import threading

from simnet import dispatcher_with_send
from tests.zoo.common import PORT, Listener, unlogged
from tests.zoo.releases import release

HOSTS = ("bakery", "dairy", "farm")


class Shop(dispatcher_with_send):
    buffer = b""

    def handle_read(self):
        self.buffer += self.recv(4096)
        while b"\r\n\r\n" in self.buffer:
            _, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nopen")

    def handle_close(self):
        self.close()


def ask(urllib3):
    """Which shops are open: one thread for each, and one PoolManager."""
    http = urllib3.PoolManager(num_pools=2, retries=False, timeout=5)
    wrong = []

    def ask_one(host):
        try:
            answer = http.request("GET", f"http://{host}:{PORT}/")
            assert answer.data == b"open", answer.data
        except urllib3.exceptions.ClosedPoolError as error:
            wrong.append(str(error))
        except urllib3.exceptions.HTTPError:  # the network's doing
            pass

    threads = [threading.Thread(target=ask_one, args=(host,), name=host) for host in HOSTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def run(net, version):
    package = release("urllib3", version, "urllib3")
    with package.on(), unlogged():
        for host in HOSTS:
            with net.host(host):
                Listener(Shop)
        net.host("client").spawn(ask, package.load("urllib3"))
        net.run()


def bad(net):
    run(net, "1.26.15")


def good(net):
    run(net, "1.26.16")
