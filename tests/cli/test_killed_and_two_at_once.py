"""Stages that are killed before a file gets its name, at any moment, and two that write the same at once."""

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.core import files

from tests.support.reliability import ALL, WITHOUT_DECODE
from tests.support.stages_by_hand import STAGES, assert_as_expected, content, words

FORK = multiprocessing.get_context("fork")  # what the test has replaced stays replaced
KILLS, LONGEST_S = 3, 0.3


def killed_at(call: int, command: list[str]) -> None:
    """Runs a command that kills itself before the n-th file gets its name."""
    names, calls = files.replaced, 0

    def deadly(draft: Path, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        names(draft, path)

    files.replaced = deadly
    main(command)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("killed", ALL, "what has its name is whole, and the next run gives the same bytes")
def test_killed_before_a_file_gets_its_name(inputs, tmp_path, stage):
    """The second file, where the stage names two."""
    call = 1 if stage in ("decode", "embed", "certainty", "likelihood", "answer", "export") else 2
    child = FORK.Process(target=killed_at, args=(call, words(stage, inputs.home, tmp_path)))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    drafts = list((tmp_path / stage).rglob(".*"))
    for path in (tmp_path / stage).rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(tmp_path).parts)
        if path.is_file() and not hidden and path.name != "cost.json":
            expected = inputs.home / "expected" / stage / path.relative_to(tmp_path / stage)
            assert content(path) == content(expected)
    assert main(words(stage, inputs.home, tmp_path)) == 0
    remove(drafts)
    assert_as_expected(stage, inputs.home, tmp_path)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("killed", ALL, "with all its processes, at random moments: the next run gives the same bytes")
def test_killed_with_its_group_at_random_moments(inputs, tmp_path, stage):
    rng = random.Random(stage)
    for _ in range(KILLS):
        child = FORK.Process(target=in_a_group, args=(words(stage, inputs.home, tmp_path),))
        child.start()
        child.join(rng.uniform(0.0, LONGEST_S))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.join()
    drafts = list((tmp_path / stage).rglob(".*"))
    assert main(words(stage, inputs.home, tmp_path)) == 0
    remove(drafts)
    assert_as_expected(stage, inputs.home, tmp_path)


def in_a_group(command: list[str]) -> None:
    """Runs it in a group of its own, which its workers join."""
    os.setsid()
    main(command)


def remove(drafts: list[Path]) -> None:
    """What killed runs left under hidden names."""
    for path in drafts:
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"decode"}))
@pytest.mark.fault("two at once", WITHOUT_DECODE, "both write the same, whole, under the name: the bytes of one alone")
def test_two_that_write_the_same_write_what_one_alone_does(inputs, tmp_path, stage):
    """Without Snakemake, whose lock keeps runs apart. A shard is written piece by piece: the second is told."""
    both = [FORK.Process(target=ends, args=(words(stage, inputs.home, tmp_path),)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    assert_as_expected(stage, inputs.home, tmp_path)


def ends(command: list[str]) -> None:
    """With the command's status."""
    raise SystemExit(main(command))
