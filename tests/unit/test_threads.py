"""Threads in processes: `threading`, `queue` and `concurrent.futures` as they are, and a run repeats."""

from __future__ import annotations

import _thread
import asyncio
import http.client
import http.server
import logging
import queue
import select
import selectors
import socket
import socketserver
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread, current_thread, get_ident

import pytest

from simnet import Deadlock, Network
from tests.unit import in_a_process

REAL = {
    **{"start": threading.Thread.start, "active": threading._active, "take": vars(type(Lock()))["acquire"]},
    **{"get": queue.SimpleQueue.get, "counter": ThreadPoolExecutor._counter},
}
made_outside, again_outside, event_outside = threading.Lock(), threading.RLock(), threading.Event()
condition_outside = threading.Condition()
queue_outside: queue.Queue[int] = queue.Queue(1)


def run(network: Network, function, *, name: str = "host"):
    return in_a_process.run(network, network.host(name), function)


# --- threads -----------------------------------------------------------------------------------------


def test_threads_sleep_at_the_same_time(network):
    def program() -> float:
        threads = [Thread(target=time.sleep, args=(seconds,)) for seconds in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic()

    assert run(network, program) == 3.0


@pytest.mark.parametrize("kind", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_a_thread_that_always_finds_something_ready_does_not_stop_the_others(network, kind):
    """Ten polls, and a microsecond for the others; ten more, and two, and so on up to 10 ms: 1 + 2 + 4 + ...
    + 8192 are 16.4 ms, and the next pause ends after the 20 ms that one sleeps."""

    def program() -> int:
        polls, goes_on = 0, True
        left, right = socket.socketpair()

        def spin() -> None:
            nonlocal polls
            with getattr(selectors, kind)() as selector:
                selector.register(left, selectors.EVENT_WRITE)
                while goes_on:
                    selector.select()
                    polls += 1

        spinning = Thread(target=spin)
        spinning.start()
        time.sleep(0.02)
        goes_on = False
        spinning.join()
        left.close()
        right.close()
        return polls

    assert run(network, program) == 10 * 15 + 1


@pytest.mark.parametrize("kind", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_a_thread_that_always_finds_something_to_do_does_not_stop_the_others(network, kind):
    """A thousand polls at one moment, and then a millisecond for the others."""

    def program() -> float:
        left, right = socket.socketpair()
        right.sendall(bytes(3000))
        with getattr(selectors, kind)() as selector:
            selector.register(left, selectors.EVENT_READ)
            for _ in range(3000):
                selector.select()
                left.recv(1)
        left.close()
        right.close()
        return time.monotonic()

    assert run(network, program) == 0.003


def test_a_thread_that_always_finds_something_ready_lets_go_first_who_is_ready(network):
    """After ten polls that it leaves as they are, for it does nothing with the first."""

    def program() -> int:
        polls, goes_on = 0, True
        left, right = socket.socketpair()

        begins = threading.Event()

        def end() -> None:
            nonlocal goes_on
            begins.wait()
            goes_on = False

        ending = Thread(target=end)
        ending.start()
        begins.set()
        while goes_on:
            select.select([], [left], [])
            polls += 1
        ending.join()
        left.close()
        right.close()
        return polls

    assert run(network, program) == 11


def asks_a_queue(kind: type = queue.Queue) -> int:
    asked, items = 0, kind()
    thread = threading.Timer(0.001, items.put, ["item"])
    thread.start()
    while True:
        try:
            items.get_nowait()
        except queue.Empty:
            asked += 1
        else:
            thread.join()
            return asked


def asks_a_simple_queue() -> int:
    return asks_a_queue(queue.SimpleQueue)


def asks_an_event() -> int:
    asked, event = 0, threading.Event()
    thread = threading.Timer(0.001, event.set)
    thread.start()
    while not event.is_set():
        asked += 1
    thread.join()
    return asked


def asks_a_thread() -> int:
    asked = 0
    thread = threading.Timer(0.001, list)
    thread.start()
    while thread.is_alive():
        asked += 1
    return asked


def asks_a_socket() -> int:
    asked = 0
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        thread = threading.Timer(0.001, right.send, [b"x"])
        thread.start()
        while True:
            try:
                left.recv(1)
            except BlockingIOError:
                asked += 1
            else:
                thread.join()
                return asked


@pytest.mark.parametrize(
    "program", [asks_a_queue, asks_a_simple_queue, asks_an_event, asks_a_thread, asks_a_socket]
)
def test_a_thread_that_asks_again_and_again_lets_the_others_go_on(network, program):
    """A thousand questions at one moment, and then ten microseconds for each; or one for a hundred looks."""
    assert 1_000 < run(network, program) <= 100_000


def test_threads_are_counted(network):
    def program() -> list[int]:
        counts = [_thread._count()]
        sleeping = Thread(target=time.sleep, args=(1,))
        sleeping.start()
        counts.append(_thread._count())
        sleeping.join()
        return [*counts, _thread._count()]

    assert run(network, program) == [0, 1, 0]


def test_each_thread_knows_itself_and_the_main_thread(network):
    def program() -> object:
        seen = []

        def work() -> None:
            here = current_thread()
            seen.append((here.name, here.ident == get_ident(), here is threading.main_thread()))
            seen.append(sorted(each.name for each in threading.enumerate()))

        thread = Thread(target=work)
        thread.start()
        thread.join()
        return seen, current_thread() is threading.main_thread(), thread.is_alive(), threading.active_count()

    names = ["MainThread", "Thread-1 (work)"]
    assert run(network, program) == ([("Thread-1 (work)", True, False), names], True, False, 1)


def test_a_join_with_a_time_out_gives_up(network):
    def program() -> object:
        thread = Thread(target=time.sleep, args=(5,))
        thread.start()
        thread.join(2)
        return time.monotonic(), thread.is_alive()

    assert run(network, program) == (2.0, True)


def test_a_process_ends_when_its_threads_have_unless_they_are_daemons(network):
    done = []

    def work(seconds: int) -> None:
        try:
            time.sleep(seconds)
            done.append(seconds)
        finally:
            done.append(-seconds)

    def program() -> str:
        Thread(target=work, args=(2,)).start()
        Thread(target=work, args=(9,), daemon=True).start()
        return "main is over"

    assert run(network, program) == "main is over"
    assert (network.now, done) == (2.0, [2, -2])  # of the daemon not even what is in its finally


def test_raw_threads_run_and_sys_exit_ends_one(network):
    def program() -> object:
        end, seen = _thread.allocate_lock(), []
        end.acquire()

        def work(*args: int, last: str) -> None:
            seen.append((args, last))
            end.release()
            sys.exit(3)

        ident = _thread.start_new_thread(work, (1, 2), {"last": "x"})
        end.acquire()
        return seen, ident != get_ident()

    assert run(network, program) == ([((1, 2), "x")], True)


def test_an_exception_in_a_thread_ends_the_run(network):
    def program() -> None:
        Thread(target={}.pop, args=("nothing",)).start()
        time.sleep(1)

    network.host("host").spawn(program)
    with pytest.raises(KeyError, match="nothing"):
        network.run()


def test_an_excepthook_of_the_programs_own_is_told_instead(network, monkeypatch):
    def program() -> object:
        told = []
        monkeypatch.setattr(threading, "excepthook", lambda args: told.append((args.exc_type, args.thread)))
        thread = Thread(target={}.pop, args=("nothing",))
        thread.start()
        thread.join()
        return told == [(KeyError, thread)]

    assert run(network, program)


def test_kill_and_crash_leave_threads_where_they_are(network):
    done = []

    def work() -> None:
        try:
            time.sleep(5)
        finally:
            done.append("finally")

    def program() -> None:
        Thread(target=work).start()
        time.sleep(9)

    killed = network.host("killed").spawn(program)
    network.host("crashed").spawn(program)
    network.at("2s").crash("crashed")
    network.run(until="1s")
    killed.kill()
    network.run()
    assert (done, network.now) == ([], 2.0)
    assert not network.host("killed").processes
    assert not network.host("crashed").processes


def test_a_thread_is_killed_in_a_condition_whose_lock_another_has(network):
    """The lock is not taken again on the way out, for which the thread would have to wait."""
    condition, done = threading.Condition(), []

    def work() -> None:
        with condition:
            condition.wait()
            done.append("went on")

    def program() -> None:
        Thread(target=work).start()
        time.sleep(1)
        with condition:
            time.sleep(9)

    killed = network.host("killed").spawn(program)
    network.run(until="2s")
    trace = sys.gettrace()
    for each in list(network.host("killed").processes):
        each.kill()
        assert not each.is_alive
    assert not killed.is_alive
    assert not done
    assert sys.gettrace() is trace


def test_what_a_thread_is_called_has_no_address_in_it(network):
    """A name that a program makes of an object would be another one in every run."""
    worker = object()

    def program() -> None:
        for name in (f"works for {worker}", f"serve-{id(worker)}"):
            Thread(target=time.sleep, args=(1,), name=name).start()

    process = network.host("host").spawn(program)
    network.run(until="500ms")
    labels = [thread.label for thread in process.threads]
    assert labels == ["host/program/works-for-object-object-at", "host/program/serve"]


def test_a_thread_may_crash_its_own_host(network):
    host = network.host("host")
    done = []

    def program() -> None:
        Thread(target=lambda: (host.crash(), done.append(1))).start()
        time.sleep(9)
        done.append(2)

    host.spawn(program)
    network.run()
    assert not host.processes
    assert 2 not in done


class Remembering(threading.local):
    """Made anew in each thread: `made` counts in how many."""

    made = 0

    def __init__(self) -> None:
        Remembering.made += 1
        self.seen: list[object] = []


local_outside = Remembering()


def test_a_local_is_of_one_thread_wherever_it_was_made(network):
    local_outside.seen.append("test")
    Remembering.made = 0

    def program() -> object:
        inside, told = threading.local(), []
        inside.value = local_outside.value = "main"

        def work() -> None:
            told.append((hasattr(inside, "value"), hasattr(local_outside, "value"), local_outside.seen))
            inside.value = "thread"
            local_outside.seen.append(1)
            time.sleep(1)
            told.append((inside.value, local_outside.seen))

        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told, inside.value, local_outside.value, local_outside.seen

    told, *of_main = run(network, program)
    assert told[2:] == [("thread", [1]), ("thread", [1])]
    assert [each[:2] for each in told[:2]] == [(False, False)] * 2
    assert of_main == ["main", "main", []]
    assert Remembering.made == 3
    assert local_outside.seen == ["test"]
    assert not hasattr(local_outside, "value")


def test_what_a_thread_keeps_in_a_local_goes_with_it(network):
    class Kept:
        pass

    def program() -> object:
        local, seen = threading.local(), []

        def work() -> None:
            local.kept = Kept()
            seen.append(weakref.ref(local.kept))

        thread = Thread(target=work)
        thread.start()
        thread.join()
        return seen[0]()

    assert run(network, program) is None


def test_locals_that_come_and_go_while_a_thread_stands_still_do_it_no_harm(network):
    def program() -> object:
        first = threading.local()
        locals_ = [first]

        def work() -> object:
            first.value = "kept"
            locals_.append(threading.local())
            locals_[-1].value = "dropped"
            time.sleep(1)
            fresh = [threading.local() for _ in range(100)]
            return first.value, any(hasattr(each, "value") for each in fresh)

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            time.sleep(0.5)
            del locals_[1:]
            return future.result()

    assert run(network, program) == ("kept", False)


# --- locks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [threading.Lock, threading.RLock, lambda: made_outside, lambda: again_outside]
)
def test_one_thread_at_a_time_has_a_lock(network, make):
    def program() -> object:
        lock, seen = make(), []

        def work(name: str) -> None:
            with lock:
                seen.append(name)
                time.sleep(1)
                seen.append(name)

        threads = [Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "".join(seen), time.monotonic(), lock.acquire(timeout=0), lock.release()

    assert run(network, program) == ("aabbcc", 3.0, True, None)


def test_a_reentrant_lock_is_its_holders_alone(network):
    def program() -> object:
        lock, seen = threading.RLock(), []

        def work() -> None:
            seen.append(lock.acquire(blocking=False))
            with pytest.raises(RuntimeError, match="un-acquired"):
                lock.release()
            seen.append(lock.acquire(timeout=1.5))
            seen.append(time.monotonic())

        with lock, lock:
            thread = Thread(target=work)
            thread.start()
            thread.join()
        return seen

    assert run(network, program) == [False, False, 1.5]


def test_conditions_events_semaphores_and_barriers_wait(network):
    def program() -> object:
        seen: list[object] = []
        condition, event = threading.Condition(), threading.Event()
        semaphore, barrier = threading.BoundedSemaphore(2), threading.Barrier(3)

        def work(nth: int) -> None:
            with condition:
                seen.append(condition.wait_for(event.is_set, timeout=10))
            with semaphore:
                time.sleep(1)
            barrier.wait()
            seen.append(time.monotonic())

        threads = [Thread(target=work, args=(nth,)) for nth in range(3)]
        for thread in threads:
            thread.start()
        seen.append(event.wait(0.5))
        event.set()
        with condition:
            condition.notify_all()
        for thread in threads:
            thread.join()
        return seen

    assert run(network, program) == [False, True, True, True, 2.5, 2.5, 2.5]


def test_a_timer_fires_or_is_cancelled(network):
    def program() -> object:
        seen: list[str] = []
        first, second = threading.Timer(2, seen.append, ["a"]), threading.Timer(3, seen.append, ["b"])
        first.start()
        second.start()
        time.sleep(2.5)
        second.cancel()
        second.join()
        return seen, time.monotonic()

    assert run(network, program) == (["a"], 2.5)


def test_what_was_made_outside_wakes_threads_inside(network):
    event_outside.clear()

    def program() -> object:
        def work() -> None:
            for number in range(3):
                queue_outside.put(number)
                time.sleep(1)
            event_outside.set()

        Thread(target=work).start()
        return [queue_outside.get() for _ in range(3)], event_outside.wait(), time.monotonic()

    assert run(network, program) == ([0, 1, 2], True, 3.0)


def test_a_condition_that_was_made_outside_is_waited_for_inside(network):
    def program() -> object:
        ready = []

        def work() -> None:
            time.sleep(1)
            with condition_outside:
                ready.append(1)
                condition_outside.notify_all()

        Thread(target=work).start()
        with condition_outside:
            return condition_outside.wait_for(lambda: ready, timeout=5), time.monotonic()

    assert run(network, program) == ([1], 1.0)


def test_a_process_that_is_killed_keeps_no_lock_of_a_module(network):
    def holds() -> None:
        with again_outside, made_outside:
            time.sleep(100)

    def wants() -> float:
        with again_outside, made_outside:
            return time.monotonic()

    network.host("a").spawn(holds)
    wanting = network.host("b").spawn(wants)
    network.at("3s").crash("a")
    network.run()
    assert wanting.result == 3.0


def test_a_deadlock_names_the_threads_the_locks_and_the_lines(network):
    def program() -> None:
        first, second = Lock(), Lock()

        def work() -> None:
            with second:
                time.sleep(1)
                first.acquire()

        Thread(target=work, name="worker").start()
        with first:
            time.sleep(1)
            second.acquire()

    network.host("server").spawn(program)
    with pytest.raises(Deadlock) as caught:
        network.run()
    text = str(caught.value)
    here = program.__code__.co_firstlineno
    assert (
        f"server/program waits for a lock that server/program/worker holds at {__file__}:{here + 11}" in text
    )
    assert (
        f"server/program/worker waits for a lock that server/program holds at {__file__}:{here + 6}" in text
    )


def test_who_waits_for_a_queue_for_ever_is_said_to(network):
    network.host("server").spawn(lambda: queue.Queue().get(), name="taker")
    with pytest.raises(Deadlock, match=r"server/taker waits in Queue\.get at .*test_threads\.py:"):
        network.run()


# --- queues and pools --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue])
def test_queues_hand_over(network, kind):
    def program() -> object:
        tasks = kind()
        Thread(target=lambda: [(time.sleep(1), tasks.put(number)) for number in range(3)]).start()
        got = [tasks.get(), tasks.get(timeout=5), tasks.get()]
        with pytest.raises(queue.Empty):
            tasks.get(timeout=2)
        with pytest.raises(queue.Empty):
            tasks.get_nowait()
        return got, time.monotonic()

    assert run(network, program) == ([0, 1, 2], 5.0)


def test_a_pool_maps_and_its_threads_are_numbered_anew_in_every_process(network):
    def work(seconds: int) -> tuple[int, str]:
        time.sleep(seconds)
        return seconds, current_thread().name

    def program() -> object:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(work, (3, 1, 1))), time.monotonic()

    name = "ThreadPoolExecutor-0_{}".format
    expected = ([(3, name(0)), (1, name(1)), (1, name(1))], 3.0)
    assert run(network, program) == expected
    assert run(Network(), program) == expected


def test_a_pool_that_nobody_shuts_down_ends_with_its_process(network):
    kept = []

    def program() -> None:
        kept.append(ThreadPoolExecutor(2))
        kept[0].submit(time.sleep, 2)

    run(network, program)
    assert network.now == 2.0
    kept.clear()

    def later() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(int, "7").result()

    assert run(Network(), later) == 7


def test_an_interpreter_ends_although_a_pool_of_a_process_still_waits_for_work():
    program = """
from asyncio import run, sleep, to_thread
from simnet import Network

async def serve():
    await to_thread(print, "hello", flush=True)
    await sleep(10_000)

network = Network()
network.host("server").spawn(lambda: run(serve()), daemon=True)
network.run(until="5s")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 0)


# --- servers -----------------------------------------------------------------------------------------


class Shouting(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(100):
            time.sleep(1)
            self.request.sendall(data.upper())


def ask(text: bytes) -> tuple[bytes, float]:
    with socket.create_connection(("server", 7)) as sock:
        sock.sendall(text)
        return sock.recv(100), time.monotonic()


def shout() -> None:
    with socketserver.ThreadingTCPServer(("", 7), Shouting) as server:
        server.serve_forever()


def test_a_threading_server_serves_three_clients_at_once(network):
    network.host("server").spawn(shout, daemon=True)
    asking = [network.host(f"client{nth}").spawn(ask, b"x%d" % nth) for nth in range(3)]
    network.run()
    assert [process.result for process in asking] == [(b"X%d" % nth, 1.004) for nth in range(3)]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


def fetch(path: str) -> bytes:
    connection = http.client.HTTPConnection("server")
    connection.request("GET", path)
    with connection.getresponse() as answer:
        return answer.read()


def test_a_threading_http_server_serves(network):
    def serve() -> None:
        with http.server.ThreadingHTTPServer(("", 80), Page) as server:
            server.serve_forever()

    network.host("server").spawn(serve, daemon=True)
    fetching = [network.host(f"client{nth}").spawn(fetch, f"/{nth}") for nth in range(3)]
    network.run()
    assert [process.result for process in fetching] == [b"/0", b"/1", b"/2"]


def test_waitress_serves_from_its_thread_pool(network):
    waitress = pytest.importorskip("waitress", reason="waitress is not installed")

    def page(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode(), b" by ", current_thread().name.encode()]

    def serve() -> None:
        waitress.serve(page, listen="0.0.0.0:80", threads=2, _quiet=True)

    network.host("server").spawn(serve, daemon=True)
    fetching = [network.host(f"client{nth}").spawn(fetch, f"/{nth}") for nth in range(2)]
    network.run()
    assert [process.result[:6] for process in fetching] == [b"/0 by ", b"/1 by "]


def test_asyncio_runs_blocking_code_in_threads(network):
    async def main() -> object:
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def work() -> str:
            time.sleep(1)
            loop.call_soon_threadsafe(event.set)
            return current_thread().name

        names = await asyncio.gather(loop.run_in_executor(None, work), asyncio.to_thread(work))
        await event.wait()
        return names, time.monotonic(), asyncio.run_coroutine_threadsafe is not None

    assert run(network, lambda: asyncio.run(main())) == (["asyncio_0", "asyncio_1"], 1.0, True)


def test_logging_works_in_threads(network, caplog):
    def program() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(logging.getLogger("simulated").warning, ("one", "two")))

    with caplog.at_level(logging.WARNING):
        run(network, program)
    assert [record.getMessage() for record in caplog.records] == ["one", "two"]


# --- a run repeats ------------------------------------------------------------------------------------


def test_the_trace_is_the_same_on_every_python():
    network = Network(seed=8, only=[("switch", "yields"), ("switch", "held"), ("turn", "first")])

    def program() -> None:
        tasks: queue.Queue[int] = queue.Queue(2)
        lock, done = Lock(), threading.Event()

        def work() -> None:
            while tasks.get() >= 0:
                with lock:
                    time.sleep(0.001)
            done.set()

        Thread(target=work, daemon=True).start()
        # No pool: that of 3.11 starts its threads by another rule than that of 3.12.
        putting = [Thread(target=lambda: [tasks.put(number) for number in range(3)]) for _ in range(3)]
        for thread in putting:
            thread.start()
        for thread in putting:
            thread.join()
        tasks.put(-1)
        done.wait()

    network.host("server").spawn(shout, daemon=True)
    network.host("client").spawn(program)
    asking = [network.host(f"client{nth}").spawn(ask, b"x%d" % nth) for nth in range(3)]
    network.run()
    assert [process.result[0] for process in asking] == [b"X0", b"X1", b"X2"]
    kinds = {(each.op, each.outcome) for each in network.script().deviations}
    assert kinds == {("switch", "yields"), ("switch", "held"), ("turn", "first")}
    assert network.trace.digest() == "5ace6ad6c771a3c630df6d2fd9f05045"


# --- what stays real ---------------------------------------------------------------------------------


def test_threads_outside_stay_real_while_processes_are_there(network):
    network.host("server").spawn(shout, daemon=True)
    network.run(until="1s")
    answers: queue.SimpleQueue[object] = queue.SimpleQueue()
    thread = Thread(target=lambda: answers.put((get_ident(), current_thread() is thread)))
    thread.start()
    ident, is_itself = answers.get()
    thread.join()
    assert is_itself
    assert ident == thread.ident != get_ident()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int, "3").result() == 3


def test_everything_is_as_before_afterwards(network):
    from simnet.process import interposition

    run(network, lambda: Thread(target=time.sleep, args=(1,)).start())
    interposition.take_down()
    assert threading._active is REAL["active"]
    assert vars(type(Lock()))["acquire"] is REAL["take"]
    assert queue.SimpleQueue.get is REAL["get"]
    assert ThreadPoolExecutor._counter is REAL["counter"]
    assert list(threading._active.values()) == threading.enumerate()


def test_a_kill_runs_no_finally_of_a_condition_that_a_thread_waits_for(network, client):
    """`Condition.wait` takes its lock again in a finally, and would wait for that in turn."""
    taken = []

    def main():
        condition = threading.Condition()

        def work():
            with condition:
                condition.wait()
            taken.append("again")

        for _ in range(2):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(1)
        with condition:
            time.sleep(60)

    process = client.spawn(main)
    network.at("2s").call(process.kill)
    before = sys.gettrace()
    network.run()
    assert (process.state, taken) == ("was killed", [])
    assert sys.gettrace() is before


def test_looks_in_vain_at_many_moments_take_no_time(network):
    """Only who looks again and again at one moment does; what a condition asks its lock is a look as well."""

    def program() -> float:
        lock = Lock()
        with lock:
            for _ in range(150):
                assert not lock.acquire(blocking=False)
                time.sleep(1)
        return time.monotonic()

    assert run(network, program) == 150.0
