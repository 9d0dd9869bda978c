"""Results that were copied: with their times nothing runs again; without, it is said why, and one command mends it."""

import os
import shutil
import subprocess

import pytest
from refocus.cli.main import main

from tests.support.dry_runs import snakemake
from tests.support.finished_run import plan_under

pytestmark = pytest.mark.slow
WEIGHTS = "results/train/demo/policy/model.safetensors"
LARGE = 1_200_000  # bytes; up to a million, Snakemake compares digests where times differ


@pytest.fixture
def original(finished, tmp_path):
    """A finished run whose policies are as large as real ones, so that their times decide."""
    home = shutil.copytree(finished, tmp_path / "original")
    for state in ("policy", "initial"):
        weights = home / WEIGHTS.replace("policy", state)
        time = weights.stat().st_mtime_ns
        weights.write_bytes(bytes(LARGE))
        os.utime(weights, ns=(time, time))
    return home


def test_a_copy_with_its_times_plans_nothing(repository, original, tmp_path):
    subprocess.run(["cp", "-a", original, tmp_path / "copy"], check=True)
    assert plan_under(repository, tmp_path / "copy", tmp_path, {}) == {}


def test_a_copy_without_its_times_says_why_and_is_mended_by_touching(repository, original, tmp_path, capsys):
    copy = shutil.copytree(original, tmp_path / "copy", copy_function=shutil.copy)  # as `cp -r`
    (copy / WEIGHTS).touch()  # whichever order the files were copied in
    jobs = plan_under(repository, copy, tmp_path, {})
    assert jobs and not set(jobs) & {"decode_shard", "score_shard", "filter_pairs", "train_policy"}
    assert main(["why", "--directory", str(copy), "--cores", "1"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    told = next(line for line in lines if line.startswith("select_frames"))
    assert f"newer than what was made of it: {WEIGHTS}" in told
    assert "cp -r" in last and "snakemake --touch" in last
    before = (copy / WEIGHTS).read_bytes()
    assert snakemake(repository, "--directory", str(copy), "--touch", "--quiet", "all").returncode == 0
    assert plan_under(repository, copy, tmp_path, {}) == {} and (copy / WEIGHTS).read_bytes() == before
