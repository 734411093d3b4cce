"""TLS draws its keys in OpenSSL: ciphertext differs from run to run.  When and how much it is does not."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import attrs
import pytest

pytest.importorskip("trustme", reason="the test extra is not installed: no certificates")

from simnet import Network
from simnet.fuzz.campaign import search
from simnet.scenario import loads, record_of, replay, run_scenario
from simnet.scenario.replay import first_difference
from tests.unit.test_tls_storms import MESSAGE, converse
from tests.unit.tls_channels import certificate, x509

ROOT = Path(__file__).parents[2]
SEEDS = range(8)


def traced(seed, covers_contents=False):
    net = Network(seed=seed)
    net.trace.covers_contents = covers_contents
    with suppress(OSError):  # the storm has refused a connection; that is equal, too
        converse(net)
    return net.trace


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_seeds_give_equal_traces_but_for_the_ciphertext(seed):
    first, again = traced(seed), traced(seed)
    assert first.digest() == again.digest(), first_difference(first, again)


def test_the_ciphertext_differs():
    assert traced(0, covers_contents=True).digest() != traced(0, covers_contents=True).digest()


def test_different_seeds_are_different_runs():
    assert len({traced(seed).digest() for seed in SEEDS}) > 1


PROGRAM = "from tests.determinism.test_tls import traced; print(traced(3).digest())"


def test_equal_seeds_are_equal_under_every_hash_seed_and_certificate():
    """Each process has keys of its own, of one size."""
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_certificates_of_tests_have_one_size(monkeypatch):
    drawn = [1 << 151, (1 << 151) - 1, 1 << 158, 1 << 151]  # 20 bytes in DER, 19, 20, 20
    monkeypatch.setattr(x509, "random_serial_number", lambda: drawn.pop(0))
    sizes = {len(certificate.__wrapped__().cert_chain_pems[0].bytes()) for _ in range(3)}
    assert (drawn, len(sizes)) == ([], 1)


def hasty(net):
    """A program with a mistake: it takes the first read for all there is."""
    net.trace.covers_contents = False
    try:
        client, _ = converse(net)
    except OSError:  # as above
        return
    if client is not None and client.told.count("read"):
        assert client.events()[-1] != "close" or client.received == MESSAGE, "a part was taken for all"


def test_a_search_finds_and_shrinks_a_mistake_over_tls():
    found = search(hasty, runs_max=300)
    assert "a part was taken" in str(found.outcome.error)
    assert 1 <= len(found.script) <= 3


SCENARIO = """
format = 1
title = "What was read before a reset is taken for the whole answer"
faults = ["the 3rd segment of server:32768 -> client:1 is reset"]

[program]
call = "tests.determinism.test_tls:hasty"

[expect]
outcome = "fails"
error = "AssertionError"
says = "a part was taken"
"""


def test_a_scenario_over_tls_repeats_by_its_faults_and_by_a_record_of_the_same_openssl():
    scenario = loads(SCENARIO)
    verdict = run_scenario(scenario)
    assert verdict.as_expected, str(verdict)
    recorded = attrs.evolve(scenario, record=record_of(verdict.outcome))
    assert replay(recorded).digest == recorded.record.digest == verdict.digest
