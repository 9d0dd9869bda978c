"""A tiny results folder with every kind of file that stages leave, written by the stages' own writers."""

import base64
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
from refocus.core import results_folder as place
from refocus.core.files import digest, file_digest, write_json, write_table, write_text
from refocus.frames.index import read_index, write_index
from refocus.frames.shard_reader import ShardReader
from refocus.frames.shared_clips import write_sources
from refocus.policy.provenance import write_provenance
from refocus.policy.trained_for import write_trained_for
from refocus.qa.records import read_clips
from refocus.qa.shard_lists import write_kept
from refocus.reward.margin_cache import MarginCache
from refocus.reward.margin_table import MARGIN_SCHEMA
from refocus.select.cost import Cost, SelectionCost, write_selection_cost

from tests.support.asked_videos import AskedVideos
from tests.support.reported_results import write_reported
from tests.support.tiny_training import build_trainer
from tests.support.trained_folder import TRAINED_FOR, provenance

FINGERPRINT = "0123456789ab"
QUESTIONS = "ba9876543210"


def write_whole(home: Path, asked: AskedVideos) -> Path:
    """Writes `home/results` and the records of two jobs in `home/.snakemake`; gives the folder."""
    results = home / "results"
    write_reported(results, asked)
    shutil.rmtree(place.RUN.at(results, run="one"))
    for name in ("bench", "taught"):
        _write_frames(results, name)
    _write_training(home, results)
    where = {"benchmark": "bench", "selector": "uniform"}
    write_selection_cost(place.SELECTION_COST.at(results, **where), SelectionCost("bench", "uniform", 6, Cost(1.5)))
    write_json(place.FILTER_SUMMARY.at(results, model="tiny"), {"kept": 1})
    world = place.WORLD.at(results)
    (world / "bench").mkdir(parents=True)
    for video in asked.videos.iterdir():
        shutil.copy(video, world / "bench" / video.name)
    write_text(world / "bench" / "even.plan", "0123456789ab")
    write_table(world / "truth" / "bench.parquet", pa.table({"source_id": ["0"], "start_s": [1.0]}), "world")
    note_job(
        home, "results/answers/bench/tiny/uniform/n2.s0.parquet", ["results/selections/bench/uniform/n2.s0.parquet"]
    )
    note_job(home, "results/tables/table1.csv", ["results/selections/bench/uniform/cost.json"])
    return results


def _write_frames(results: Path, name: str) -> None:
    """Moves the shard to where rules keep it, and one clip's margins and the assignment of clips beside it."""
    index = place.INDEX.at(results, dataset=name, shard="000000")
    tar = place.KEPT_FRAMES.at(results, fingerprint=FINGERPRINT, dataset=name) / "000000.tar"
    tar.parent.mkdir(parents=True, exist_ok=True)
    index.with_name("000000.tar").rename(tar)
    rows = read_index(index)
    for row in rows:
        object.__setattr__(row, "tar", os.path.relpath(tar, index.parent))
    write_index(index, rows, {})
    write_sources(ShardReader(tar))
    units = MarginCache(place.KEPT_MARGINS.at(results, fingerprint=FINGERPRINT, dataset=name) / "000000", {})
    units.write(rows[0], MARGIN_SCHEMA.empty_table())
    clips = read_clips(place.CLIPS.at(results, dataset=name))
    write_kept(place.KEPT_SHARDS.at(results, dataset=name), {}, clips)


def _write_training(home: Path, results: Path) -> None:
    """A run of six steps with its policy, logs and checkpoints."""
    trainer = build_trainer(home / "run")
    trainer.run()
    work = place.KEPT_CHECKPOINTS.at(results, fingerprint=FINGERPRINT) / QUESTIONS
    work.parent.mkdir(parents=True)
    (home / "run" / "work").rename(work)
    (home / "run" / "out").rename(place.RUN.at(results, run="one"))
    (home / "run").rmdir()
    policy = place.POLICY.at(results, run="one", state="policy")
    write_trained_for(policy, TRAINED_FOR)
    made = provenance(run="one", step=trainer.steps, steps=trainer.steps, fingerprints={"run": digest({"toy": 1})})
    write_provenance(policy, made)


def note_job(home: Path, file: str, inputs: list[str], began: float = 2e9, changed: bool = False) -> None:
    """What Snakemake 9.27 notes of a job that made a file; one that began at `began`, seconds, and took one."""
    record = {
        "rule": "made_up",
        "input": inputs,
        "params": [],
        "log": [],
        "starttime": began,
        "endtime": began + 1,
        "input_checksums": {name: f"sha256:{'0' * 64 if changed else file_digest(home / name)}" for name in inputs},
    }
    path = home / ".snakemake" / "metadata" / base64.urlsafe_b64encode(file.encode()).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
