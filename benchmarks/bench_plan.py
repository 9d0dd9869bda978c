"""What planning the paper's run costs at full size: `python -m benchmarks.bench_plan`.

Makes what ingest leaves of 300,000 clips (their tables, not their questions) beside empty annotation files, and
dry-runs config/paper.yaml over it: seconds, memory, jobs, and how many of them are for a shard without clips.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from refocus.config.overlay import load
from refocus.core.files import write_table
from refocus.core.results_folder import CLIPS

ROOT = Path(__file__).resolve().parents[1]
# Of the sizes that config/paper.yaml assumes, VISTA's is a guess, and the largest: here a good half of it is there.
CLIPS_THERE = {"vista": 100_000}


def main() -> None:
    """Prints one line before ingest and one after."""
    root = load([ROOT / "config.yaml", ROOT / "config" / "paper.yaml"])
    names = [*root.use.datasets, *root.use.benchmarks]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in names:
            for path in root.source(name).annotations:
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).touch()
        print(f"before ingest: {planned(home)}")  # noqa: T201
        filled = 0
        for name in names:
            clips, entry = CLIPS_THERE.get(name, root.plan.sources[name].clips), root.source(name)
            per_shard = root.ingest.clips_per_shard
            made_with = {**root.ingest.identity(), "format": entry.format, "limit": entry.limit, "options": {}}
            shards = pa.array([clip // per_shard for clip in range(int(clips))], pa.int32())
            write_table(CLIPS.at(home / root.results, dataset=name), pa.table({"shard": shards}), "ingest", made_with)
            filled += -(-int(clips) // per_shard)
        print(f"after ingest, {filled} shards with clips: {planned(home)}")  # noqa: T201


def planned(home: Path) -> str:
    """Seconds of this process's children, memory and jobs of one dry run."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(home), "-n"]
    words += ["--quiet", "rules", "--cores", "8", "--configfile", str(ROOT / "config" / "paper.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "pipeline"), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, text[-3000:]
    jobs = {name: re.findall(rf"^{name} +(\d+)$", text, re.M)[-1] for name in ("total", "decode_shard", "score_shard")}
    counts = ", ".join(f"{count} {name}" for name, count in jobs.items())
    return f"{used.ru_utime + used.ru_stime:.1f} CPU seconds, {used.ru_maxrss / 2**20:.2f} GiB; jobs: {counts}"


if __name__ == "__main__":
    main()
