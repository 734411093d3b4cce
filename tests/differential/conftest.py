"""The kernels that the tests of this directory compare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simnet.oracle.live import LiveKernel
from simnet.oracle.namespace import NoNamespace


@pytest.fixture(scope="session")
def live_or_none() -> Iterator[LiveKernel | None]:
    """The live kernel, or None where it cannot be asked without being disturbed."""
    try:
        kernel = LiveKernel()
    except NoNamespace:
        yield None
        return
    with kernel:
        yield kernel


@pytest.fixture
def live(live_or_none: LiveKernel | None) -> LiveKernel:
    if live_or_none is None:
        pytest.skip("no private network namespace can be made here")
    return live_or_none
