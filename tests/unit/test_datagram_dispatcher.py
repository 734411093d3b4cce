"""Dispatchers of datagrams: UDP over IPv4 and IPv6 and AF_UNIX, one body on every kind of stage."""

import errno
import socket
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simnet import UsageError, datagram_dispatcher, dispatcher
from simnet.stage import Stage, VirtualStage
from tests.unit.stages import STAGES, everywhere

ANYWHERE = {socket.AF_INET: "", socket.AF_INET6: "::"}
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
IP_RECVERR, IPV6_RECVERR = 11, 25


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


class Told(datagram_dispatcher):
    """Writes down what it is told."""

    def __init__(self, *args, **kwargs):
        self.came, self.errors, self.told = [], [], []
        super().__init__(*args, **kwargs)

    def handle_datagram(self, data, addr):
        self.came.append((data, addr))

    def handle_datagram_error(self, error, addr):
        self.errors.append((errno.errorcode[error.errno], addr))

    def handle_close(self):
        self.told.append("close")
        self.close()

    @property
    def data(self):
        return [data for data, _ in self.came]


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6, socket.AF_UNIX], ids=["ipv4", "ipv6", "unix"])
def family(request):
    return request.param


def bound(stage: Stage, family=socket.AF_INET, kind=Told, name="a", on=None):
    """A channel on the server's machine that others reach."""
    with on or stage.server:
        channel = kind()
        channel.create_socket(family)
        channel.bind(stage.path(name) if family == socket.AF_UNIX else (LOOPBACK[family], 0))
    return channel


def nobody(stage, family=socket.AF_INET):
    """An address at which nobody is."""
    channel = bound(stage, family, name="nobody")
    address = channel.socket.getsockname()
    channel.close()
    return address


# --- whole datagrams -----------------------------------------------------------------------------


@everywhere
def test_datagrams_arrive_whole_with_the_address_that_an_answer_goes_to(stage, family):
    class Echo(Told):
        def handle_datagram(self, data, addr):
            self.sendto(data.upper(), addr)

    echo = bound(stage, family, Echo, "echo")
    client = bound(stage, family, Told, "client")
    for data in (b"one", b"", b"two" * 400):
        client.sendto(data, echo.socket.getsockname())
    stage.run(lambda: len(client.came) == 3)
    assert client.came == [(data, echo.socket.getsockname()) for data in (b"ONE", b"", b"TWO" * 400)]


@everywhere
def test_an_empty_datagram_is_one_and_not_the_end(stage, family):
    receiver, sender = bound(stage, family), bound(stage, family, name="b")
    sender.sendto(b"", receiver.socket.getsockname())
    stage.run(lambda: receiver.came)
    sender.sendto(b"x", receiver.socket.getsockname())
    stage.run(lambda: len(receiver.came) == 2)
    assert (receiver.data, receiver.told) == ([b"", b"x"], [])


@everywhere
def test_of_a_plain_dispatcher_an_empty_datagram_ends_the_channel_as_in_asyncore(stage):
    class Plain(dispatcher):
        def __init__(self):
            self.told = []
            super().__init__()
            self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.bind(("127.0.0.1", 0))

        def handle_read(self):
            self.told.append(self.recv(100))

        def handle_close(self):
            self.told.append("close")
            self.close()

    with stage.server:
        receiver, sender = Plain(), Plain()
    sender.socket.sendto(b"x", receiver.socket.getsockname())
    stage.run(lambda: receiver.told)
    sender.connect(receiver.socket.getsockname())
    assert sender.connected
    assert sender.send(b"") == 0
    stage.run(lambda: len(receiver.told) == 3)
    assert receiver.told == [b"x", "close", b""]


@everywhere
def test_a_connected_socket_sends_without_an_address(stage, family):
    receiver, sender = bound(stage, family), bound(stage, family, name="b")
    sender.connect(receiver.socket.getsockname())
    sender.sendto(b"x")
    stage.run(lambda: receiver.came)
    assert receiver.came == [(b"x", sender.socket.getsockname())]


def test_datagrams_go_from_host_to_host_and_take_their_time():
    stage = VirtualStage()
    with stage.server:
        receiver = Told()
        receiver.create_socket()
        receiver.bind(stage.address)
    with stage.client:
        sender = Told()
        sender.create_socket()
    sender.sendto(b"x", stage.reach(receiver.socket))
    stage.run(lambda: receiver.came)
    assert stage.network.now == 0.001  # one way
    assert receiver.came == [(b"x", (stage.client.address, sender.socket.getsockname()[1]))]


@everywhere
def test_one_event_brings_so_many_and_not_more(stage):
    class Few(Told):
        datagrams_at_once = 3
        events = 0

        def handle_read(self):
            self.events += 1
            super().handle_read()

    receiver, sender = bound(stage, kind=Few), bound(stage)
    for number in range(7):
        sender.sendto(b"%d" % number, receiver.socket.getsockname())
    stage.run(lambda: len(receiver.came) == 7)
    assert receiver.data == [b"%d" % number for number in range(7)]
    assert receiver.events == 3  # 3 + 3 + 1


@everywhere
def test_a_channel_closed_by_a_datagram_is_not_told_of_the_next(stage):
    class Once(Told):
        def handle_datagram(self, data, addr):
            super().handle_datagram(data, addr)
            self.close()

    receiver, sender = bound(stage, kind=Once), bound(stage)
    for _ in range(3):
        sender.sendto(b"x", receiver.socket.getsockname())
    stage.run(lambda: receiver.came)
    assert (receiver.data, receiver.socket.fileno()) == ([b"x"], -1)


@everywhere
def test_broadcast_needs_its_option_and_reaches_everybody_on_the_port(stage):
    receiver = bound(stage)
    receiver.close()
    with stage.server:
        receiver, sender = Told(), Told()
        receiver.create_socket()
        receiver.bind(("0.0.0.0", 0))
        sender.create_socket()
    target = ("255.255.255.255", receiver.socket.getsockname()[1])
    if not isinstance(stage, VirtualStage):
        target = ("127.255.255.255", target[1])
    sender.sendto(b"x", target)
    assert sender.errors == [("EACCES", target)]
    sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.sendto(b"x", target)
    stage.run(lambda: receiver.came)
    assert receiver.data == [b"x"]


@everywhere
def test_a_group_is_joined_by_the_sockets_options(stage):
    receiver, sender = bound(stage), bound(stage)
    group = socket.inet_aton("224.0.0.251")
    local = socket.inet_aton("127.0.0.1")
    receiver.close()
    with stage.server:
        receiver = Told()
        receiver.create_socket()
        receiver.bind(("0.0.0.0", 0))
    try:
        receiver.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + local)
        sender.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
    except OSError as error:
        if isinstance(stage, VirtualStage):
            raise
        pytest.skip(f"no multicast on loopback: {error}")
    sender.sendto(b"x", ("224.0.0.251", receiver.socket.getsockname()[1]))
    stage.run(lambda: receiver.came)
    assert receiver.data == [b"x"]


# --- errors --------------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_refusal_is_an_event_and_the_channel_lives_on(stage, family):
    receiver, client = bound(stage, family), bound(stage, family)
    gone = nobody(stage, family)
    client.connect(gone)
    client.sendto(b"into the void")
    stage.run(lambda: client.errors)
    assert [(name, addr[:2]) for name, addr in client.errors] == [("ECONNREFUSED", gone[:2])]
    assert client.told == []
    client.connect(receiver.socket.getsockname())
    client.sendto(b"x")
    stage.run(lambda: receiver.came)


@everywhere
def test_a_refusal_that_waits_does_not_take_the_next_datagram_with_it(stage):
    receiver, client = bound(stage), bound(stage)
    client.connect(nobody(stage))
    client.sendto(b"into the void")
    if isinstance(stage, VirtualStage):
        assert client.errors == []
    client.sendto(b"x", receiver.socket.getsockname())  # the kernel would say ECONNREFUSED here
    stage.run(lambda: receiver.came and client.errors)
    assert receiver.data == [b"x"]
    assert [name for name, _ in client.errors] == ["ECONNREFUSED"]


@everywhere
@pytest.mark.parametrize(
    ("family", "level", "option"),
    [(socket.AF_INET, socket.IPPROTO_IP, IP_RECVERR), (socket.AF_INET6, socket.IPPROTO_IPV6, IPV6_RECVERR)],
    ids=["ipv4", "ipv6"],
)
def test_with_recverr_who_is_not_connected_learns_which_address_refused(stage, family, level, option):
    receiver, client = bound(stage, family), bound(stage, family)
    client.socket.setsockopt(level, option, 1)
    gone = nobody(stage, family)
    client.sendto(b"into the void", gone)
    stage.run(lambda: client.errors)
    client.sendto(b"x", receiver.socket.getsockname())
    stage.run(lambda: receiver.came)
    assert [(name, addr[:2]) for name, addr in client.errors] == [("ECONNREFUSED", gone[:2])]


@everywhere
def test_a_datagram_that_is_too_long_is_told_with_its_address(stage):
    receiver, client = bound(stage), bound(stage)
    client.sendto(bytes(70_000), receiver.socket.getsockname())
    assert client.errors == [("EMSGSIZE", receiver.socket.getsockname())]


@everywhere
def test_it_is_told_once_with_recverr_too_which_has_the_kernel_keep_it(stage):
    receiver, client = bound(stage), bound(stage)
    client.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    # With its headers, 28 bytes, it is longer than a packet may be (ip_append_data).
    client.sendto(bytes(65_520), receiver.socket.getsockname())
    client.sendto(b"x", receiver.socket.getsockname())
    receiver.sendto(b"y", client.socket.getsockname())
    stage.run(lambda: receiver.came and client.came)
    waited = []
    client.call_later("2ms", waited.append, True)
    stage.run(lambda: waited)
    assert client.errors == [("EMSGSIZE", receiver.socket.getsockname())]


@everywhere
def test_by_default_a_mistake_is_raised_and_what_the_network_does_is_not(stage):
    class Default(datagram_dispatcher):
        ignore_log_types = frozenset()

        def log_info(self, message, type="info"):
            logged.append((type, message))

    logged = []
    receiver, client = bound(stage), bound(stage, kind=Default)
    with pytest.raises(OSError) as caught:
        client.sendto(bytes(70_000), receiver.socket.getsockname())
    assert caught.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError) as caught:
        client.sendto(b"to whom?")
    assert caught.value.errno == errno.EDESTADDRREQ
    client.connect(nobody(stage))
    logged.clear()
    client.sendto(b"x")
    stage.run(lambda: logged)
    assert logged[0][0] == "warning"
    assert logged[0][1].startswith(f"datagram error: [Errno {errno.ECONNREFUSED}]")


@everywhere
def test_a_path_without_a_socket_is_an_error_of_that_datagram(stage):
    client = bound(stage, socket.AF_UNIX)
    client.sendto(b"x", stage.path("missing"))
    client.sendto(b"x", nobody(stage, socket.AF_UNIX))
    assert client.errors == [("ENOENT", stage.path("missing")), ("ECONNREFUSED", stage.path("nobody"))]


@everywhere
def test_an_error_of_af_unix_does_not_take_a_datagram_with_it(stage):
    """AF_UNIX has no queue of errors, and recvmsg(2) takes MSG_ERRQUEUE for nothing (unix_dgram_recvmsg)."""
    one, other = bound(stage, socket.AF_UNIX, name="one"), bound(stage, socket.AF_UNIX, name="other")
    third = bound(stage, socket.AF_UNIX, name="third")
    one.connect(stage.path("other"))
    other.connect(stage.path("one"))
    one.sendto(b"never read")
    other.sendto(b"x")
    other.connect(stage.path("third"))  # what it had not read is lost, and its former peer told
    stage.run(lambda: one.came)
    assert one.errors == [("ECONNRESET", stage.path("other"))]
    assert one.data == [b"x"]
    assert third.came == []


# --- what waits ----------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("is_connected", [True, False], ids=["connected", "not connected"])
def test_what_a_full_receiver_does_not_take_waits_and_goes_out_in_order(stage, is_connected):
    class Slow(Told):
        reads = False

        def readable(self):
            return self.reads

    receiver = bound(stage, socket.AF_UNIX, Slow, "receiver")
    sender = bound(stage, socket.AF_UNIX, name="sender")
    target = receiver.socket.getsockname()
    if is_connected:
        sender.connect(target)
    sent = [b"%d" % number for number in range(60)]
    for data in sent:
        sender.sendto(data, None if is_connected else target)
    assert sender.waiting
    waited = []
    sender.call_later("30ms", waited.append, True)
    stage.run(lambda: waited)  # and no loop spins meanwhile, which on a virtual host would be a livelock
    assert sender.waiting
    receiver.reads = True
    stage.run(lambda: len(receiver.came) == len(sent))
    assert (receiver.data, list(sender.waiting), sender.errors) == (sent, [], [])


@everywhere
def test_while_a_receiver_is_full_its_sender_is_not_called_all_the_time(stage):
    class Counts(Told):
        writes = 0

        def handle_write(self):
            self.writes += 1
            super().handle_write()

    receiver = bound(stage, socket.AF_UNIX, name="receiver")
    receiver.del_channel()
    sender = bound(stage, socket.AF_UNIX, Counts, "sender")
    while not sender.waiting:
        sender.sendto(b"x", receiver.socket.getsockname())
    waited = []
    sender.call_later("50ms", waited.append, True)
    stage.run(lambda: waited)
    assert sender.writes <= 2
    receiver.socket.close()


@everywhere
def test_beyond_the_bound_datagrams_are_dropped_by_name(stage):
    class Bounded(Told):
        waiting_max = 3

    receiver = bound(stage, socket.AF_UNIX, name="receiver")
    receiver.del_channel()
    target = receiver.socket.getsockname()
    sender = bound(stage, socket.AF_UNIX, Bounded, "sender")
    while len(sender.waiting) < 3:
        sender.sendto(b"x", target)
    sender.sendto(b"y", target)
    assert (sender.errors, len(sender.waiting)) == ([("ENOBUFS", target)], 3)
    sender.close()
    assert sender.waiting == deque()
    receiver.socket.close()


@everywhere
def test_a_datagram_that_can_not_be_sent_does_not_hold_up_those_behind_it(stage):
    class Slow(Told):
        reads = False

        def readable(self):
            return self.reads

    receiver = bound(stage, socket.AF_UNIX, Slow, "receiver")
    target = receiver.socket.getsockname()
    sender = bound(stage, socket.AF_UNIX, name="sender")
    while not sender.waiting:
        sender.sendto(b"x", target)
    sender.sendto(b"y", stage.path("missing"))
    sender.sendto(b"z", target)
    receiver.reads = True
    stage.run(lambda: receiver.data[-1:] == [b"z"])
    assert sender.errors == [("ENOENT", stage.path("missing"))]


def test_a_crash_leaves_no_retry_behind():
    stage = VirtualStage()
    receiver = bound(stage, socket.AF_UNIX, name="receiver")
    receiver.del_channel()
    sender = bound(stage, socket.AF_UNIX, name="sender")
    while not sender.waiting:
        sender.sendto(b"x", receiver.socket.getsockname())
    stage.network.run(until="1ms")
    stage.server.crash()
    stage.network.run()
    assert stage.network.now < 0.02


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2), st.integers(0, 5_000)),
        st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 12)),
        st.tuples(st.just("pass"), st.just(0), st.integers(1, 15)),
    ),
    max_size=60,
)


@given(steps=STEPS, buffer_bytes=st.sampled_from([0, 8_192, 212_992]))
@settings(max_examples=60, deadline=None)
def test_whatever_the_buffers_each_receiver_gets_what_was_sent_to_it_in_order(steps, buffer_bytes):
    """Three kinds of target: two that read when they are told to, and a path at which nobody is."""
    stage = VirtualStage()
    receivers = [bound(stage, socket.AF_UNIX, name=f"receiver{number}") for number in range(2)]
    for receiver in receivers:
        receiver.del_channel()
    sender = bound(stage, socket.AF_UNIX, name="sender")
    sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    targets = [*(receiver.socket.getsockname() for receiver in receivers), stage.path("missing")]
    sent: list[list[bytes]] = [[], [], []]
    got: list[list[bytes]] = [[], []]

    def read(which, count):
        for _ in range(count):
            try:
                got[which].append(receivers[which].socket.recv(65_536))
            except BlockingIOError:
                return

    for nth, (what, which, amount) in enumerate(steps):
        if what == "send":
            data = nth.to_bytes(4, "big") + bytes(amount)
            sent[which].append(data)
            sender.sendto(data, targets[which])
        elif what == "read":
            read(which, amount)
        else:
            stage.network.run(until=stage.network.now + amount / 1000)
    for _ in range(200):
        if not sender.waiting:
            break
        for which in range(2):
            read(which, 100)
        stage.network.run(until=stage.network.now + 0.02)
    for which in range(2):
        read(which, 1_000)
    failed = [name for name, _ in sender.errors]
    too_long = failed.count("EMSGSIZE")
    assert not sender.waiting
    assert set(failed) <= {"ENOENT", "EMSGSIZE"}
    lost = sum(len(sent[which]) - len(got[which]) for which in range(2))
    assert lost + len(sent[2]) == len(failed)
    assert lost <= too_long
    for which in range(2):
        remaining = iter(sent[which])
        assert all(data in remaining for data in got[which])  # in order, none twice


def test_a_datagram_channel_needs_a_socket_that_a_host_has():
    stage = VirtualStage()
    with stage.server:
        channel = datagram_dispatcher()
    stage.server.crash()
    with pytest.raises(UsageError):
        channel.create_socket()
