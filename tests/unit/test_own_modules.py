"""Packages that a process imports for itself: what their modules keep is no other process's."""

from __future__ import annotations

import importlib
import sys
import threading
import time

import pytest

from simnet import UsageError

COUNTER = """
import time
from .log import lines

count = 0

def add(word, pause):
    global count
    count += 1
    time.sleep(pause)
    lines.append((word, time.monotonic()))
    return count
"""


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    """A package with state in two modules; imported outside, and used there once."""
    folder = tmp_path / "shop_with_state"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "log.py").write_text("lines = []\n")
    (folder / "counter.py").write_text(COUNTER)
    monkeypatch.syspath_prepend(tmp_path)
    counter = importlib.import_module("shop_with_state.counter")
    assert counter.add("outside", 0) == 1
    yield counter
    for name in [name for name in sys.modules if name.startswith("shop_with_state")]:
        del sys.modules[name]


def sell(word, pauses):
    from shop_with_state.counter import add
    from shop_with_state.log import lines

    counts = [add(word, pause) for pause in pauses]
    import shop_with_state.log as again

    assert again.lines is lines
    return counts, lines


def test_each_process_has_its_own_and_the_test_keeps_its_own(network, server, client, shop):
    processes = [
        server.spawn(sell, "a", (1, 1), fresh=["shop_with_state"]),
        client.spawn(sell, "b", (0.5, 2), fresh=["shop_with_state"]),
    ]
    network.run()
    assert processes[0].result == ([1, 2], [("a", 1.0), ("a", 2.0)])
    assert processes[1].result == ([1, 2], [("b", 0.5), ("b", 2.5)])
    assert shop.count == 1
    assert sys.modules["shop_with_state.counter"] is shop


def test_without_it_all_share_one(network, server, client, shop):
    processes = [host.spawn(sell, host.name, (1,)) for host in (server, client)]
    network.run()
    assert [process.result[0] for process in processes] == [[3], [3]]  # 1 was the test's, and both have added
    assert shop.count == 3


def test_a_module_that_is_imported_late_is_its_own_too(network, server, client):
    def late(seconds):
        time.sleep(seconds)
        from shop_with_state import counter

        time.sleep(1)  # the other one imports it, or runs, meanwhile
        import shop_with_state.counter

        assert shop_with_state.counter is counter
        return id(counter)

    processes = [server.spawn(late, seconds, fresh=["shop_with_state"]) for seconds in (1, 1.5, 2)]
    network.run()
    assert len({process.result for process in processes}) == 3


def test_threads_have_those_of_their_process(network, server, shop):
    def main():
        from shop_with_state import counter

        found = []

        def work():
            time.sleep(1)
            import shop_with_state.counter

            found.append(shop_with_state.counter is counter)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found, counter is shop

    process = server.spawn(main, fresh=["shop_with_state"])
    network.run()
    assert process.result == ([True, True], False)


def test_a_process_that_is_killed_leaves_nothing_in_its_place(network, server, shop):
    process = server.spawn(sell, "a", (60,), fresh=["shop_with_state"])
    network.run(until="1s")
    assert sys.modules["shop_with_state.counter"] is shop
    process.kill()
    assert sys.modules["shop_with_state.counter"] is shop


@pytest.mark.parametrize("fresh", ["shop_with_state", ["shop_with_state.counter"], [7]])
def test_what_is_no_list_of_packages_is_refused(server, fresh):
    with pytest.raises(UsageError, match="fresh is a list of packages"):
        server.spawn(sell, "a", (), fresh=fresh)
