"""Snakemake called from tests, on stand-ins for the stages."""

import os
import subprocess
import sys
from pathlib import Path

Plan = dict[str, int]

# Stands in for `python -m refocus STAGE`: makes every output of the workflow that is missing at the time.
STAND_IN = """\
#!/bin/sh
while read -r file; do
    [ -e "$file" ] || { mkdir -p "$(dirname "$file")"; echo made > "$file"; }
done < outputs.txt
"""


def snakemake(root: Path, *words: str, path: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the workflow of the checkout `root`.

    path: a folder with a stand-in for `python`. Jobs take it because a deployment method is said to bring their Python.
    """
    words = (*words, "--sdm", "env-modules") if path else words
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--cores", "2", *words]
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]}
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
