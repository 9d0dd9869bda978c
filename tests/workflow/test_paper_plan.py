"""The paper's configuration plans the whole DAG before any data is there but the annotation files."""

import json

import pytest
from refocus.config.overlay import load

from tests.support.dry_runs import snakemake

pytestmark = pytest.mark.slow

CORES = 8


def test_the_papers_configuration_plans_every_stage(repository, tmp_path):
    layers = [repository / "config/paper.yaml", tmp_path / "few_shards.json"]
    whole = load([repository / "config.yaml", layers[0]])
    few = {  # the plan is the same for every shard, and takes a minute for all of them
        kind: {name: {"shards": min(9, entry.shards)} for name, entry in getattr(whole, kind).items()}
        for kind in ("datasets", "benchmarks")
    }
    layers[1].write_text(json.dumps(few))
    root = load([repository / "config.yaml", *layers])
    sources = [*root.use.datasets, *root.use.benchmarks]
    for path in [path for name in sources for path in root.source(name).annotations]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    words = ["--directory", str(tmp_path), f"--cores={CORES}", "-n", "-p", "--configfile", *map(str, layers)]
    done = snakemake(repository, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    commands = [line for line in done.stdout.splitlines() if line.startswith("Shell command: ")]
    for stage, files in (("filter", "/reward/"), ("train", "/frames/")):
        spelled = next(line for line in commands if f" refocus {stage} " in line)
        assert spelled.count(files) == len(root.use.datasets), "thousands of paths do not fit a command (128 KiB)"
        for name in root.use.datasets:
            assert f"{files}{'internvl3-8b/' if stage == 'filter' else ''}{name}/{{000000..000008}}." in spelled
    training = next(line for line in commands if " refocus train " in line)
    runtime = json.loads(training.split("--runtime '")[1].split("'")[0])
    assert (runtime["processes"], runtime["threads"]) == (8, CORES // 8), "one process per GPU, whatever the cores"
    assert f"8 processes of 12 threads do not fit in {CORES} cores: 8 of 1 run" in done.stdout + done.stderr
    asked = done.stdout.split("rule train_policy:")[1].split("Shell command:")[0]
    caches = 8 * 1000 * root.train.runtime.feature_cache_gb
    assert f"mem_mb={32_000 + caches:.0f}," in asked, "each of the 8 processes has a cache of its own"
    plan = dict(line.split() for line in (done.stdout + done.stderr).splitlines() if len(line.split()) == 2)
    shards = sum(root.source(name).shards for name in sources)
    trained = sum(root.source(name).shards for name in root.use.datasets)
    picked = sum(len(root.selectors_on(name)) for name in root.use.benchmarks)
    expected = {"decode_shard": shards, "score_shard": trained, "train_policy": len(root.use.runs)}
    expected |= {"select_frames": picked, "answer_questions": picked * len(root.use.lmms)}
    assert {name: int(plan[name]) for name in expected} == expected
    assert "make_world" not in plan
    assert not any(name.startswith("train_asset") for name in plan)
