"""The shipped overlays on top of the default and of the paper's settings: what they plan, and that their runs learn."""

import json
from pathlib import Path

import pytest
from refocus.config.layers import read
from refocus.config.overlay import load

from tests.support.dry_runs import planned, snakemake

pytestmark = pytest.mark.slow

ABLATIONS = ["advantage", "beta", "candidates", "frames", "reward_model"]
OVERLAYS = ["config/curriculum.yaml", *(f"config/ablations/{name}.yaml" for name in ABLATIONS)]
AFTER = {
    "train_policy",
    "select_frames",
    "measure_recall",
    "measure_likelihood",
    "answer_bins",
    "answer_questions",
    "make_tables",
    "draw_figures",
}
TINY = {
    "results": "results",
    "world": {"seed": 0, "training_videos": 8, "benchmark_videos": 4},
    "datasets": {"nextqa": {"shards": 2}, "llava_video": {"shards": 2}},
    "decode": {"fps": 3.0},
    "screen": {"duplicates": "off", "leaks": "off"},
    "train": {"batch": 4, "clips_per_batch": 2, "max_steps": 4, "validation_share": 0.3, "runtime": {"processes": 1}},
}


def layers(repository: Path, overlay: str) -> list[Path]:
    names = [overlay, "config/ablations/world.yaml"] if "reward_model" in overlay else [overlay]
    return [repository / name for name in names]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_in_the_world_nothing_before_training_runs_again(repository, plan, overlay):
    jobs = plan(*(read(path) for path in layers(repository, overlay)))
    runs = load([repository / "config.yaml", *layers(repository, overlay)]).use.runs
    assert jobs["train_policy"] == len(runs)
    assert set(jobs) == AFTER


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_over_the_papers_settings_every_run_is_planned_on_one_set_of_pairs(repository, tmp_path, overlay):
    paper = [repository / "config.yaml", repository / "config/paper.yaml"]
    whole = load(paper)
    few = {kind: {name: {"shards": 1} for name in getattr(whole, kind)} for kind in ("datasets", "benchmarks")}
    (tmp_path / "few.json").write_text(json.dumps(few))
    root = load([*paper, repository / overlay])
    for name in (*root.use.datasets, *root.use.benchmarks):
        for path in root.source(name).annotations:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
    files = [paper[1], repository / overlay, tmp_path / "few.json"]
    words = ["--directory", str(tmp_path), "-n", "--quiet", "rules", "--configfile", *map(str, files)]
    done = snakemake(repository, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = planned(done.stdout + done.stderr)
    assert jobs["train_policy"] == len(root.use.runs) and jobs["filter_pairs"] == 1
    assert jobs["score_shard"] == len(root.use.datasets), "the filter has one LMM"
    assert jobs["select_frames"] == sum(len(root.selectors_on(name)) for name in root.use.benchmarks)


@pytest.fixture(scope="session")
def small_world(repository, tmp_path_factory) -> Path:
    """A world of a few videos up to the filtered pairs."""
    home = tmp_path_factory.mktemp("world")
    (home / "assets").symlink_to(repository / "assets")
    (home / "tiny.json").write_text(json.dumps(TINY))
    target = "results/filtered/tiny/pairs.parquet"
    words = ["--directory", str(home), "--configfile", str(home / "tiny.json"), "--", target]
    done = snakemake(repository, *words)
    assert done.returncode == 0, done.stderr[-2000:]
    return home


@pytest.mark.parametrize("overlay", ["config/curriculum.yaml", "config/ablations/reward_model.yaml"])
def test_every_run_of_an_overlay_learns_in_a_small_world(repository, small_world, overlay):
    """A few steps each, where a run differs by more than a number: T' that grows, and another reward model."""
    files = [*layers(repository, overlay), small_world / "tiny.json"]
    root = load([repository / "config.yaml", *files])
    names = [name for name in root.use.runs if name.endswith("-s0") or "-s" not in name]
    wanted = [f"results/train/{name}/metrics.jsonl" for name in names]
    words = ["--configfile", *map(str, files), "--", *wanted]
    done = snakemake(repository, "--directory", str(small_world), *words)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, path in zip(names, wanted, strict=True):
        lines = [json.loads(line) for line in (small_world / path).read_text().splitlines()]
        steps = [line for line in lines if "time/step" in line]
        settings = root.run_train(name)
        assert len(steps) == TINY["train"]["max_steps"]
        assert steps[-1]["select/frames"] == settings.picks
        assert all(0 <= line["policy/entropy_share"] <= 1.001 for line in steps)
        assert not any(line["reward/failed"] for line in steps)
        assert any("validation/accuracy" in line for line in lines)
