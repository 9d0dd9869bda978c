"""A finished run of the default configuration, made of stand-ins, and what Snakemake plans on it under overlays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.dry_runs import STAND_IN, Plan, planned, snakemake, write


def finish(repository: Path, home: Path) -> Path:
    """Makes `home` a working directory in which Snakemake has run the default configuration with stand-ins.

    Its model `assets/other` is there for configurations that name another one.
    """
    for model in ("lmm", "policy", "siglip", "other"):
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


def plan_under(repository: Path, home: Path, folder: Path, *overlays: Mapping[str, Any]) -> Plan:
    """Rule → number of jobs that a run with these overlays would have, without `all`.

    Args:
        home: a finished run.
        folder: where the overlays are written.
    """
    paths = [folder / f"overlay{number}.yaml" for number in range(len(overlays))]
    for path, overlay in zip(paths, overlays, strict=True):
        path.write_text(yaml.safe_dump(overlay))
    words = ["--directory", str(home), "-n", "--quiet", "rules", "--configfile", *map(str, paths)]
    done = snakemake(repository, *words)
    assert done.returncode == 0, done.stderr
    return planned(done.stdout + done.stderr)
