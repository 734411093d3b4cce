"""amqtt's broker, and clients of paho-mqtt with loops in threads: one is cut off, and comes back."""

import asyncio
import time

import paho.mqtt.client as mqtt
from amqtt.broker import Broker

LOAVES = 5


async def serve():
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": "0.0.0.0:1883"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
            },
        }
    )
    await broker.start()
    await asyncio.Event().wait()


def client(name):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    made.reconnect_delay_set(1, 8)
    return made


def listen(connections):
    got, listener = [], client("listener")

    def on_connect(of, userdata, flags, reason, properties):
        connections.append(str(reason))
        of.subscribe("bread/#", qos=1)

    listener.on_connect = on_connect
    listener.on_message = lambda of, userdata, message: got.append((message.topic, message.payload))
    listener.connect("server", 1883, keepalive=10)
    listener.loop_start()
    while len(set(got)) < LOAVES:
        time.sleep(1)
    listener.disconnect()
    listener.loop_stop()
    return got


def publish():
    time.sleep(2)  # until there is somebody to hear
    publisher = client("publisher")
    publisher.connect("server", 1883, keepalive=10)
    publisher.loop_start()
    for number in range(LOAVES):
        publisher.publish(f"bread/{number}", b"loaf " * 100, qos=1).wait_for_publish(60)
        time.sleep(10)
    publisher.disconnect()
    publisher.loop_stop()


def run(network):
    connections = []
    network.host("server").spawn(lambda: asyncio.run(serve()), daemon=True)
    listening = network.host("listener").spawn(listen, connections)
    publishing = network.host("client").spawn(publish)
    network.run()
    assert publishing.result is None
    heard = [(f"bread/{number}", b"loaf " * 100) for number in range(LOAVES)]
    assert list(dict.fromkeys(listening.result)) == heard, "at least once, and in order"
    lost = sum(each.outcome == "reset" for each in network.recording.deviations)
    assert connections == ["Success"] * (1 + lost)
