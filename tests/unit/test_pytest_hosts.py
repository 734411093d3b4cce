"""Tests that run on a host, with their fixtures.

Each test runs a pytest of its own, in an interpreter of its own, for what is interposed is the whole
interpreter's.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

SHOP = """
import asyncio
import socket
import pytest

CLIENT = pytest.mark.simnet(host="client")

async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
    writer.close()

async def serve():
    async with await asyncio.start_server(answer, "", 7) as server:
        await server.serve_forever()

def open_shop(net):
    net.host("shop").spawn(lambda: asyncio.run(serve()), daemon=True)
"""


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [each for each in modules if find_spec(each) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    of_asyncio = "asyncio_default_fixture_loop_scope = function\n" if find_spec("pytest_asyncio") else ""
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{of_asyncio}")
    pytester.makepyfile(shop=SHOP)

    def run_tests(text, *options):
        pytester.makepyfile(test_shop="from shop import *\n" + text)
        return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", *options)

    return run_tests


def test_blocking_code_of_a_test_and_of_its_fixtures_runs_on_the_host(run):
    result = run(
        """
import time
torn_down = []

@pytest.fixture
def sock(net):
    open_shop(net)
    time.sleep(1)
    with socket.create_connection(("shop", 7)) as sock:
        yield sock
        time.sleep(10)
        torn_down.append((net.now, socket.gethostname()))

@CLIENT
def test_ask(net, sock, tmp_path, capsys):
    print("asks")
    sock.sendall(b"bread\\n")
    assert sock.recv(100) == b"BREAD\\n"
    assert net.now == 1.004  # a second, SYN, SYN-ACK, data, answer: 4 x 1 ms
    assert capsys.readouterr().out == "asks\\n"
    assert socket.gethostname() == "client"

def test_others_run_on_this_computer():
    assert torn_down == [(11.004, "client")]
    assert socket.gethostname() == __import__("platform").node()
"""
    )
    result.assert_outcomes(passed=2)


@needs("pytest_asyncio")
def test_pytest_asyncio_runs_a_test_and_its_fixtures_on_the_host(run):
    result = run(
        """
import pytest_asyncio

@pytest_asyncio.fixture
async def shop(net):
    open_shop(net)
    reader, writer = await asyncio.open_connection("shop", 7)
    yield reader, writer
    writer.close()
    await writer.wait_closed()

@CLIENT
@pytest.mark.asyncio
async def test_an_hour_passes_at_once(net, shop):
    reader, writer = shop
    writer.write(b"bread\\n")
    assert await reader.readline() == b"BREAD\\n"
    await asyncio.sleep(3600)
    assert net.now > 3600

@pytest.mark.asyncio
async def test_others_have_a_loop_of_this_computer():
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(0.001)
    assert 0 < loop.time() - before < 60
""",
        "--simnet-check-determinism",
    )
    result.assert_outcomes(passed=2)


@needs("pytest_asyncio")
def test_a_loop_that_is_not_of_the_test_alone_is_refused(run):
    result = run(
        """
@CLIENT
@pytest.mark.asyncio(loop_scope="module")
async def test_it(net):
    await asyncio.sleep(1)
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*UsageError: *test_it: a test on a host has a loop of its own, not one of its module"]
    )


@needs("anyio")
def test_the_plugin_of_anyio_runs_a_test_and_its_fixtures_on_the_host(run):
    result = run(
        """
import anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def stream(net):
    open_shop(net)
    async with await anyio.connect_tcp("shop", 7) as stream:
        yield stream
    await anyio.sleep(5)

@CLIENT
@pytest.mark.anyio
async def test_it(net, stream):
    await stream.send(b"bread\\n")
    assert await stream.receive() == b"BREAD\\n"
    await anyio.sleep(3600)
    assert net.now > 3600
""",
        "-p",
        "anyio",
    )
    result.assert_outcomes(passed=1)


def test_a_test_that_waits_for_ever_fails_and_the_next_one_runs(run):
    result = run(
        """
@pytest.fixture
def sock(net):
    with socket.create_server(("", 7)) as sock:
        yield sock
    raise AssertionError("not a line of this is run")

@CLIENT
def test_waits(net, sock):
    sock.accept()

@CLIENT
def test_passes(net):
    assert net.now == 0
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *Deadlock: test_waits() waits, and nothing can happen any more",
            "E *client/test_waits waits in accept at *",
        ]
    )


HASTY = """
pytestmark = CLIENT

@pytest.mark.simnet(runs=40, only=[("segment", "cut")])
@pytest.mark.asyncio
async def test_ask(net):
    open_shop(net)
    reader, writer = await asyncio.open_connection("shop", 7)
    writer.write(b"bread\\n")
    try:
        assert await reader.read(100) == b"BREAD\\n"
    finally:
        writer.transport.abort()
"""


@needs("pytest_asyncio")
def test_a_storms_failure_is_shrunk_kept_and_replayed(run, pytester):
    result = run(HASTY, "-x")
    result.stdout.fnmatch_lines(["simnet: failed with 1 fault (minimal*", "*is cut after 1 of 6 bytes"])
    (line,) = [line for line in result.outlines if line.startswith("reproduce:  ")]
    test, option = re.search(r"pytest '(.*)' (\S+)", line).groups()
    replayed = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", test, option)
    replayed.assert_outcomes(failed=1)
    replayed.stdout.fnmatch_lines(["E *AssertionError: assert b'B' == b'BREAD*"])
