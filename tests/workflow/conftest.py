"""A finished run of the default configuration, made of stand-ins, and what a change makes Snakemake plan on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.dry_runs import Plan
from tests.support.finished_run import finish, plan_under


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which Snakemake has run the default configuration with stand-ins for the stages."""
    return finish(repository, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def plan(repository: Path, finished: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans a run with overlays: rule name → number of jobs, without `all`."""
    return partial(plan_under, repository, finished, tmp_path)
