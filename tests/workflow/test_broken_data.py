"""Broken rows, a missing and a truncated video: the whole DAG completes and lists each with its reason."""

import csv
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.dry_runs import snakemake

pytestmark = pytest.mark.slow

OVERLAY = {
    "use": {"selectors": ["uniform", "oracle", "refocus/demo"]},
    "world": {"seed": 3, "training_videos": 12, "benchmark_videos": 8},
    "decode": {"fps": 2.0},
    "train": {"candidates": 4, "batch": 4, "clips_per_batch": 2, "max_steps": 2, "runtime": {"processes": 1}},
    "answer": {"n_frames": [2]},
    "tables": {"n_frames": 2},
    "figures": {"examples": 1},
    "likelihood": {"samples": 0},
}
BROKEN = {  # column → value, reason it is rejected for
    "question": ("", "empty_question"),
    "answer": ("seven", "unparsable_answer"),
    "video": ("../../etc/passwd", "unsafe_path"),
}


def run(repository: Path, home: Path, *words: str, **how: Path) -> str:
    """Its whole output."""
    (home / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY))
    (home / "assets").exists() or (home / "assets").symlink_to(repository / "assets")
    done = snakemake(repository, "--directory", str(home), "--configfile", str(home / "overlay.yaml"), *words, **how)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def break_things(world: Path) -> dict[str, tuple[str, str]]:
    """Adds broken rows, removes one video of each part and cuts another; path → its status and what its reason says."""
    table = world / "nextqa" / "train.csv"
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with table.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), lineterminator="\n")
        for number, (column, (value, _)) in enumerate(BROKEN.items()):
            writer.writerow({**rows[0], "qid": f"9{number}", column: value})
    fates = {}
    for folder in ("nextqa", "videomme"):
        videos = sorted((world / folder).rglob("*.mp4"))
        videos[0].unlink()
        content = videos[1].read_bytes()
        videos[1].write_bytes(content[: len(content) // 2])
        fates |= {
            videos[0].relative_to(world / folder).as_posix(): ("failed", "no such file"),
            videos[1].relative_to(world / folder).as_posix(): ("partial", "the video ends at"),
        }
    return fates


@pytest.mark.fault(
    "input missing or unreadable",
    "ingest decode filter answer workflow",
    "broken rows, lost and cut videos are listed with their reason, and the run completes",
)
def test_broken_rows_and_videos_are_listed_and_the_run_completes(repository, tmp_path):
    run(repository, tmp_path, "--until", "make_world", python=Path(sys.executable))
    results = tmp_path / "results"
    fates = break_things(results / "world")
    log = run(repository, tmp_path)

    rejects = pd.read_parquet(results / "qa/nextqa.rejects.parquet")
    assert sorted(rejects["reason"]) == sorted(reason for _, reason in BROKEN.values())
    assert all("train.csv" in detail for detail in rejects["detail"])
    for part in ("nextqa", "videomme"):
        clips = pd.read_parquet(results / f"qa/{part}.clips.parquet").set_index("clip_id")
        index = pd.concat(map(pd.read_parquet, sorted((results / "frames" / part).glob("*.index.parquet"))))
        assert set(index["clip_id"]) == set(clips.index)
        bad = index[index["status"] != "ok"]
        told = {clips.loc[row.clip_id, "video_path"]: (row.status, row.error) for row in bad.itertuples()}
        assert len(told) == 2 and told.keys() <= fates.keys()
        for path, (status, reason) in told.items():
            assert status == fates[path][0] and fates[path][1] in reason
            assert any(path in line and fates[path][1] in line for line in log.splitlines()), "seen while it runs"

    lost = set(pd.read_parquet(results / "frames/nextqa/000000.index.parquet").query("status == 'failed'")["clip_id"])
    questions = pd.read_parquet(results / "qa/nextqa.parquet")
    gone = set(questions[questions["clip_id"].isin(lost)]["qa_id"])
    pairs = pd.read_parquet(results / "filtered/tiny/pairs.parquet")
    assert gone and not gone & set(pairs["qa_id"])
    summary = json.loads((results / "filtered/tiny/summary.json").read_text())
    assert summary["kept"] == len(pairs)
    assert summary["datasets"]["nextqa"]["no_reward"] == len(gone), "dropped, and counted"

    answers = pd.read_parquet(results / "answers/videomme/tiny/uniform/n2.s0.parquet")
    benchmark = pd.read_parquet(results / "qa/videomme.parquet")
    assert set(answers["qa_id"]) == set(benchmark["qa_id"]), "a question whose video is lost is still answered for"
    assert (results / "tables/table1.md").read_text().count("without any decoded frame") == 1
