"""The current transport: who is in force where, and that an explicit argument wins."""

import contextvars
import socket
import subprocess
import sys
import threading

import pytest

from simnet import Network, RealTransport, Transport, current, dispatcher
from simnet.loop import loop_for
from simnet.real.pollers import best_kind
from simnet.transport import enter_context, leave_context


@pytest.fixture
def hosts():
    network = Network()
    return network.host("a"), network.host("b")


def test_the_default_is_this_computer():
    assert isinstance(current(), RealTransport)


def test_with_makes_a_host_current_and_gives_itself(hosts):
    a, _ = hosts
    before = current()
    with a as entered:
        assert entered is a
        assert current() is a
    assert current() is before


def test_withs_nest_and_a_host_may_be_entered_twice(hosts):
    a, b = hosts
    with a, b:
        assert current() is b
        with a, a:
            assert current() is a
        assert current() is b
    assert isinstance(current(), RealTransport)


def test_an_exception_leaves_the_with(hosts):
    a, b = hosts
    with a:
        with pytest.raises(ZeroDivisionError), b:
            raise ZeroDivisionError
        assert current() is a


def test_a_handler_lives_where_it_was_made(hosts):
    a, b = hosts
    with a:
        channel = dispatcher()
    with b:
        channel.create_socket()
    assert list(loop_for(a).map.values()) == [channel]
    assert "fd=3 a" in repr(channel.socket)


def test_an_explicit_argument_wins(hosts):
    a, b = hosts
    with a:
        channel = dispatcher(transport=b)
        channel.create_socket()
    assert list(loop_for(b).map.values()) == [channel]
    assert loop_for(a).map == {}


def test_handlers_of_a_host_run_with_it_as_the_current_transport(hosts):
    a, b = hosts
    seen = []

    class Listener(dispatcher):
        def handle_accepted(self, sock, addr):
            seen.append(current())
            with a:
                seen.append(current())
            seen.append(current())
            sock.close()

    class Client(dispatcher):
        def handle_connect(self):
            seen.append(current())

        def handle_close(self):
            self.close()

        def handle_read(self):
            self.recv(1)

    with b:
        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(1)
        listener.call_later("1s", lambda: seen.append(current()))
    with a:
        client = Client()
        client.create_socket()
        client.connect(("b", 7))
        a.network.run()
        assert current() is a
    assert seen == [a, b, a, b, b]


def test_a_new_thread_starts_with_the_default():
    network = Network(fence="off")
    a, b = network.host("a"), network.host("b")
    seen = []

    def work():
        seen.append(current())
        with b:
            seen.append(current())

    with a:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert current() is a
    assert isinstance(seen[0], RealTransport)
    assert seen[1] is b


def test_a_copied_context_keeps_the_host_that_was_current(hosts):
    a, b = hosts
    with a:
        context = contextvars.copy_context()
    assert context.run(current) is a
    with b:
        assert context.run(current) is a


def test_a_generator_that_leaves_late_does_not_disturb_its_caller(hosts):
    """Entered: a by the generator, b by the caller; left: a, then b."""
    a, b = hosts

    def generator():
        with a:
            yield current()
        yield current()

    steps = generator()
    assert next(steps) is a
    assert current() is a  # as with every context variable, a generator's is its caller's
    with b:
        assert next(steps) is b
        assert current() is b
    assert isinstance(current(), RealTransport)


def test_a_generator_may_be_closed_in_another_context(hosts):
    a, b = hosts

    def generator():
        with a:
            yield

    steps = generator()
    contextvars.copy_context().run(next, steps)
    with b:
        steps.close()
        assert current() is b
    assert isinstance(current(), RealTransport)


def test_a_with_inside_a_pass_of_a_loop_goes_back_to_the_host_of_the_pass(hosts):
    a, b = hosts
    token = enter_context(a)
    with b:
        assert current() is b
    assert current() is a
    leave_context(token)
    assert isinstance(current(), RealTransport)


def test_set_default_names_the_transport_of_those_who_chose_none():
    program = """
from simnet import Network, current, dispatcher, set_default
host = Network().host("a")
set_default(host)
assert current() is host
with Network().host("b") as other:
    assert current() is other
assert current() is host
channel = dispatcher()
channel.create_socket()
assert list(host.loops[0].map.values()) == [channel]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_a_machine_that_lacks_a_part_of_the_contract_cannot_be_made():
    class Half(Transport):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_the_real_transport_makes_sockets_looks_up_names_and_tells_the_time():
    machine = RealTransport()
    with machine.socket() as sock:
        assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
    found = machine.getaddrinfo("127.0.0.1", 7, type=socket.SOCK_STREAM)
    assert (socket.AF_INET, ("127.0.0.1", 7)) in [(entry[0], entry[4]) for entry in found]
    assert machine.clock.monotonic_ns() <= machine.clock.monotonic_ns()
    assert machine.clock.time_ns() > 1_600_000_000 * 10**9
    assert repr(machine) == f"RealTransport(poller={best_kind()!r})"


def test_a_closed_real_transport_leaves_sockets_open_and_channels_closable():
    machine = RealTransport()
    with machine:
        channel = dispatcher()
        channel.create_socket()
    machine.close()
    assert machine.loops == []
    assert channel.socket.fileno() >= 0
    channel.close()
    with machine:  # it may be used again
        again = dispatcher()
        again.create_socket()
    assert list(loop_for(machine).map.values()) == [again]
    again.close()
    machine.close()
