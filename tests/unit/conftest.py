"""A calm network and two hosts on it, for tests that ask for them by name."""

from __future__ import annotations

import pytest

from simnet import Host, Network


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def server(network: Network) -> Host:
    return network.host("server")


@pytest.fixture
def client(network: Network) -> Host:
    return network.host("client")
