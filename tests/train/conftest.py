"""Training's worker processes start in milliseconds; what users start is spawned, and tested in tests/cli."""

import pytest

from tests.support.forked import CONTEXT


@pytest.fixture(autouse=True)
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """`launch` forks from a process that has everything loaded."""
    monkeypatch.setattr("refocus.train.parallel.mp.get_context", lambda method: CONTEXT)
