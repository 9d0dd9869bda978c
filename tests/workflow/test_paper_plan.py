"""The paper's configuration plans the whole DAG before any data is there but the annotation files."""

import subprocess
import sys

from pipeline.config.overlay import load


def test_the_papers_configuration_plans_every_stage(repository, tmp_path):
    overlay = repository / "config/paper.yaml"
    root = load([repository / "config.yaml", overlay])
    sources = [*root.use.datasets, *root.use.benchmarks]
    for path in [path for name in sources for path in root.source(name).annotations]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"), "--cores", "8", "-n"]
    words = ["--directory", str(tmp_path), "--configfile", str(overlay), "-p"]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    commands = [line for line in done.stdout.splitlines() if line.startswith("Shell command: ")]
    assert max(map(len, commands)) < 20_000, "Linux takes 128 KiB; growth shall not come near it"
    plan = dict(line.split() for line in (done.stdout + done.stderr).splitlines() if len(line.split()) == 2)
    shards = sum(root.source(name).shards for name in sources)
    trained = sum(root.source(name).shards for name in root.use.datasets)
    picked = len(root.use.benchmarks) * len(root.use.selectors)
    expected = {"decode_shard": shards, "score_shard": trained, "train_policy": len(root.use.runs)}
    expected |= {"select_frames": picked, "answer_questions": picked * len(root.use.lmms)}
    assert {name: int(plan[name]) for name in expected} == expected
    assert "make_world" not in plan
    assert not any(name.startswith("train_asset") for name in plan)
