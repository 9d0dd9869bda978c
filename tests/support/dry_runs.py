"""Snakemake called from tests: dry runs, on stand-ins for the stages, and runs of small data."""

import os
import subprocess
from pathlib import Path

from tests.support.forked_python import JOBS_PYTHON, forked_python

Plan = dict[str, int]

# Stands in for `python -m refocus STAGE`: makes every output of the workflow that is missing at the time.
STAND_IN = """\
#!/bin/sh
while read -r file; do
    [ -e "$file" ] || { mkdir -p "$(dirname "$file")"; echo made > "$file"; }
done < outputs.txt
"""


def snakemake(
    root: Path, *words: str, python: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the workflow of the checkout `root` where no hub can be reached.

    python: what its jobs run, by default one that starts in milliseconds.
    """
    quick = forked_python()
    command = [str(quick), "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--cores", "2", *words]
    environment = {**os.environ, JOBS_PYTHON: str(python or quick), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def planned(text: str) -> Plan:
    """The job counts of a dry run's statistics."""
    jobs: Plan = {}
    if "Job stats:" in text:
        for line in text.split("Job stats:")[1].splitlines()[3:]:
            name, _, count = line.rpartition(" ")
            if not count.isdigit():
                break
            jobs[name.strip()] = int(count)
    return {name: count for name, count in jobs.items() if name not in ("all", "total")}
