"""`--sdm apptainer` runs jobs in the image that REFOCUS_IMAGE names. Apptainer is a stand-in; no image is built."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from refocus.config.start_checks import IMAGE

from tests.support.dry_runs import write

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = ROOT / "workflow" / "containers"
APPTAINER = """\
#!/bin/sh
case "$*" in --version) echo "apptainer version 1.3.0"; exit;; esac
while [ "${1##*.}" != sif ]; do shift; done
echo "$1" >> entered
shift
PATH="$PWD/image:$PATH" exec "$@"
"""
STAGE = """\
#!/bin/sh
echo "$3" "$PYTHONPATH" >> ran
mkdir -p results/world/nextqa && echo made > results/world/nextqa/train.csv
"""
TARGET = "results/world/nextqa/train.csv"


@pytest.mark.slow
def test_a_job_runs_in_the_image_with_its_python_and_this_package(tmp_path):
    for path, text in (("bin/apptainer", APPTAINER), ("bin/singularity", APPTAINER), ("image/python", STAGE)):
        write(tmp_path / path, text)
        (tmp_path / path).chmod(0o755)
    (tmp_path / "refocus.sif").touch()
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    words += ["--cores", "1", "--sdm", "apptainer", "--notemp", "--", TARGET]
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    refused = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert refused.returncode == 2 and IMAGE in refused.stderr
    environment[IMAGE] = str(tmp_path / "refocus.sif")
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    ran = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else done.stderr
    assert ran.startswith(f"world {ROOT / 'pipeline'}"), done.stderr
    assert (tmp_path / "entered").read_text().split() == [str(tmp_path / "refocus.sif")]


def test_the_images_install_what_the_project_pins():
    """requirements.txt, and the kernels as the extra `gpu` names them."""
    docker, definition = ((CONTAINERS / name).read_text() for name in ("Dockerfile", "refocus.def"))
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["gpu"]
    assert sorted(re.findall(r"[\w-]+==[\w.]+", docker)) == sorted(extra)
    assert docker.count("/tmp/requirements.txt") == definition.count("/tmp/requirements.txt") == 2
    base = re.search(r"^ARG BASE=(\S+)", docker, re.M)
    assert base and f"From: {base[1]}\n" in definition
