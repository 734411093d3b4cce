"""pika's blocking connection, and a small broker of AMQP 0-9-1 that marshals with pika's own frames."""

import socketserver
import threading
from collections import deque

import pika
from pika import frame, spec

from tests.unmodified.probe import happened
from tests.unmodified.serving import served

ORDERS = [b"%d loaves " % number * 150 for number in range(8)]


class Broker(socketserver.BaseRequestHandler):
    """What a client meets that publishes, and one that consumes and acknowledges; queues are the server's."""

    def handle(self):
        self.unread, self.receiving, self.consumes = b"", None, None
        self.frames = iter(self.next_frame, None)
        next(self.frames)  # the header of the protocol
        can = {"capabilities": {"publisher_confirms": True, "basic.nack": True}}
        self.say(0, spec.Connection.Start(server_properties=can, mechanisms=b"PLAIN", locales=b"en_US"))
        for each in self.frames:
            if isinstance(each, frame.Method):
                answer = ANSWERS.get(type(each.method))
                if answer is not None:
                    answer(self, each.channel_number, each.method)
            elif isinstance(each, frame.Header):
                self.size, self.parts = each.body_size, []
            elif isinstance(each, frame.Body):
                self.parts.append(each.fragment)
                if sum(map(len, self.parts)) == self.size:
                    self.publish(each.channel_number)

    def next_frame(self):
        while True:
            consumed, found = frame.decode_frame(self.unread)
            if found is not None:
                self.unread = self.unread[consumed:]
                return found
            data = self.request.recv(4096)
            if not data:
                return None
            self.unread += data

    def say(self, channel, method):
        self.request.sendall(frame.Method(channel, method).marshal())

    def start(self, channel, method):
        assert method.response in (b"\0ada\0enchantress", "\0ada\0enchantress")
        self.say(0, spec.Connection.Tune(channel_max=10, frame_max=4096, heartbeat=0))

    def open(self, channel, method):
        self.say(0, spec.Connection.OpenOk())

    def open_channel(self, channel, method):
        self.say(channel, spec.Channel.OpenOk())

    def declare(self, channel, method):
        waiting = self.server.queues.setdefault(method.queue, deque())
        self.say(channel, spec.Queue.DeclareOk(method.queue, len(waiting), 0))

    def select(self, channel, method):
        self.published = 0
        self.say(channel, spec.Confirm.SelectOk())

    def receive(self, channel, method):
        self.receiving = method.routing_key

    def publish(self, channel):
        self.published += 1
        with self.server.changed:
            self.server.queues[self.receiving].append(b"".join(self.parts))
            self.server.changed.notify_all()
        self.say(channel, spec.Basic.Ack(self.published))

    def consume(self, channel, method):
        self.say(channel, spec.Basic.ConsumeOk(method.consumer_tag))
        self.consumes = method.queue, method.consumer_tag, 0
        self.deliver(channel)

    def deliver(self, channel):
        """The next one, as soon as there is one: of those that are not acknowledged a consumer has one."""
        queue, consumer, tag = self.consumes
        with self.server.changed:
            self.server.changed.wait_for(lambda: self.server.queues.get(queue))
            body = self.server.queues[queue].popleft()
        self.consumes = queue, consumer, tag + 1
        parts = [frame.Method(channel, spec.Basic.Deliver(consumer, tag + 1, False, "", queue))]
        parts.append(frame.Header(channel, len(body), spec.BasicProperties()))
        parts += [frame.Body(channel, body[start : start + 1000]) for start in range(0, len(body), 1000)]
        self.request.sendall(b"".join(part.marshal() for part in parts))

    def acknowledged(self, channel, method):
        self.server.acknowledged.append(method.delivery_tag)
        if len(self.server.acknowledged) < len(ORDERS):
            self.deliver(channel)

    def cancel(self, channel, method):
        self.say(channel, spec.Basic.CancelOk(method.consumer_tag))

    def close_channel(self, channel, method):
        self.say(channel, spec.Channel.CloseOk())

    def close(self, channel, method):
        self.say(0, spec.Connection.CloseOk())


ANSWERS = {
    spec.Connection.StartOk: Broker.start,
    spec.Connection.Open: Broker.open,
    spec.Channel.Open: Broker.open_channel,
    spec.Queue.Declare: Broker.declare,
    spec.Confirm.Select: Broker.select,
    spec.Basic.Publish: Broker.receive,
    spec.Basic.Consume: Broker.consume,
    spec.Basic.Ack: Broker.acknowledged,
    spec.Basic.Cancel: Broker.cancel,
    spec.Channel.Close: Broker.close_channel,
    spec.Connection.Close: Broker.close,
}


def connect():
    """A connection, and how often it had to be tried."""
    parameters = pika.ConnectionParameters(
        "server",
        credentials=pika.PlainCredentials("ada", "enchantress"),
        connection_attempts=3,
        retry_delay=2,
        socket_timeout=20,
    )
    return pika.BlockingConnection(parameters)


def publish():
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.confirm_delivery()
        for order in ORDERS:
            channel.basic_publish("", "orders", order)


def consume():
    received = []
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        for method, _, body in channel.consume("orders"):
            received.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(received) == len(ORDERS):
                break
        channel.cancel()
    return received


def run(network):
    acknowledged = []
    client = served(
        network, Broker, 5672, queues={}, changed=threading.Condition(), acknowledged=acknowledged
    )
    client.spawn(publish)
    consuming = network.host("baker").spawn(consume)
    network.run()
    assert consuming.result == ORDERS
    assert acknowledged == list(range(1, len(ORDERS) + 1))
    refused = happened(network, "connect", "refused")
    assert network.now >= 2 * refused
