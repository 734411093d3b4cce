"""trio wraps no socket but one of the very class."""

import trio


async def serve():
    await trio.serve_tcp(trio.sleep_forever, 7)


def run(network):
    network.host("server").spawn(trio.run, serve)
    network.run()
