"""asyncssh on both sides: a command, its input and output, a forwarded port; keys are made here."""

import asyncio

import asyncssh

LINES = [f"line {number}\n" for number in range(1000)]


class Open(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False

    def connection_requested(self, host, port, *origin):
        return True


async def count(process):
    lines = [line async for line in process.stdin]
    process.stdout.write(f"{process.command}: {len(lines)} lines\n")
    process.exit(0)


async def shout(reader, writer):
    writer.write((await reader.readline()).upper())
    writer.close()


async def serve(key):
    await asyncssh.listen("", 22, server_host_keys=[key], server_factory=Open, process_factory=count)
    async with await asyncio.start_server(shout, "127.0.0.1", 7) as server:
        await server.serve_forever()


async def work(key):
    known = asyncssh.import_known_hosts(f"server {key.export_public_key().decode()}")
    async with asyncssh.connect(
        "server", known_hosts=known, username="ada", config=None, client_keys=None, agent_path=None
    ) as connection:
        ran = await connection.run("count", input="".join(LINES), check=True)
        reader, writer = await connection.open_connection("127.0.0.1", 7)
        writer.write(b"bread\n")
        shouted = await reader.read()
    return ran.stdout, shouted


def run(network):
    key = asyncssh.generate_private_key("ssh-ed25519")
    network.host("server").spawn(lambda: asyncio.run(serve(key)), daemon=True)
    working = network.host("client").spawn(lambda: asyncio.run(work(key)))
    network.run()
    assert working.result == (f"count: {len(LINES)} lines\n", b"BREAD\n")
