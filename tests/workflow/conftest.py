"""A finished run of the default configuration, made of stand-ins, and what a change makes Snakemake plan on it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.dry_runs import STAND_IN, Plan, planned, snakemake, write


@pytest.fixture(scope="session")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which Snakemake has run the default configuration with stand-ins for the stages."""
    home = tmp_path_factory.mktemp("finished")
    for model in ("lmm", "policy", "siglip"):
        for name in ("config.json", "model.safetensors"):
            write(home / "assets" / model / name, "{}" if name == "config.json" else model)
    listed = snakemake(repository, "--directory", str(home), "--summary")
    assert listed.returncode == 0, listed.stderr
    outputs = [line.split("\t")[0] for line in listed.stdout.splitlines() if line.startswith("results/")]
    write(home / "outputs.txt", "\n".join(outputs) + "\n")
    write(home / "bin" / "python", STAND_IN)
    (home / "bin" / "python").chmod(0o755)
    ran = snakemake(repository, "--directory", str(home), "--quiet", "all", python=home / "bin" / "python")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return home


@pytest.fixture
def plan(repository: Path, finished: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans a run with overlays: rule name → number of jobs, without `all`."""

    def run(*overlays: dict) -> Plan:
        paths = [tmp_path / f"overlay{number}.yaml" for number in range(len(overlays))]
        for path, overlay in zip(paths, overlays, strict=True):
            path.write_text(yaml.safe_dump(overlay))
        words = ["--directory", str(finished), "-n", "--quiet", "rules", "--configfile", *map(str, paths)]
        done = snakemake(repository, *words)
        assert done.returncode == 0, done.stderr
        return planned(done.stdout + done.stderr)

    return run
