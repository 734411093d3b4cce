"""The line server with the classic mistake is found out, and the corrected one stands the same search."""

from __future__ import annotations

import pytest

from examples.line_server import upload, upload_patiently
from simnet import Network
from simnet.scenario.run import execute

SEEDS = range(300)


def failing(program) -> list[int]:
    return [seed for seed in SEEDS if not execute(program, Network(seed=seed, trace=False)).passed]


@pytest.mark.parametrize("program", [upload, upload_patiently])
def test_both_servers_work_on_a_calm_network(program):
    program(Network())


def test_one_recv_taken_for_one_message_is_found_out_by_storms():
    assert failing(upload)


def test_the_corrected_server_survives_the_same_storms():
    assert failing(upload_patiently) == []


def test_one_cut_is_enough_to_make_the_total_wrong():
    net = Network()
    net.on("client", "segment", nth=1).cut(5)  # "add 1" and "2\r\n"
    outcome = execute(upload, net)
    assert "answered [b'total 1', b'error'" in str(outcome.error)
