"""PySyncObj on three hosts, each with a thread that ticks: they agree on a lock, and on a dictionary."""

import logging
import time

from pysyncobj import SyncObj, SyncObjConf, SyncObjException
from pysyncobj.batteries import ReplDict, ReplLockManager

SIZE, TURNS = 3, 2


def address(number):
    return f"10.0.0.{number}:4321"


def agreed(call, *args):
    """What the cluster says, asked again while it has no leader: each of these calls may be made twice."""
    for _ in range(20):
        try:
            return call(*args, sync=True, timeout=30)
        except SyncObjException:
            time.sleep(1)
    raise AssertionError("not agreed on")


def work(number, held):
    """Write down what is done while the lock is held; what all have done in the end."""
    logging.getLogger("pysyncobj").setLevel(logging.CRITICAL)
    time.sleep(2)  # it binds when the clock says more than a second, and until then only reads it
    # Without a name of its own a lock manager takes one from its address in memory.
    done, locks = ReplDict(), ReplLockManager(autoUnlockTime=60, selfID=str(number))
    others = [address(other) for other in range(1, SIZE + 1) if other != number]
    cluster = SyncObj(address(number), others, SyncObjConf(connectionRetryTime=1), consumers=[done, locks])
    turn = 0
    while turn < TURNS:
        if agreed(locks.tryAcquire, "till"):
            held.append(number)
            time.sleep(1)
            assert held == [number], "two hold the lock"
            held.clear()
            agreed(done.set, f"{number}/{turn}", "done")
            agreed(locks.release, "till")
            turn += 1
        time.sleep(1)
    time.sleep(20)  # the others may need its vote
    seen = sorted(done.keys())
    cluster.destroy()
    return seen


def run(network):
    held = []
    working = [network.host(f"node{number}").spawn(work, number, held) for number in range(1, SIZE + 1)]
    network.run()
    everything = [f"{number}/{turn}" for number in range(1, SIZE + 1) for turn in range(TURNS)]
    assert [each.result for each in working] == [everything] * SIZE
