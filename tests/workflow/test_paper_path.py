"""config/paper.yaml runs from ten sets of published files to tables and figures, over small data in the same formats.

The data and the two checkpoints lie where the configuration says, so that no path of it is replaced. The models have
random weights: what is shown is that every stage takes what the one before it makes, not that anything is learned.
Random margins vary enough for the paper's tau; the reward model's head is scaled, so that about half of them exceed it.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest
import torch
from refocus.config.overlay import load
from refocus.config.root import Root
from refocus.config.selectors import slug
from refocus.core.files import write_json
from refocus.evaluate.answers import SCHEMA as ANSWER_SCHEMA
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import INDEX_SCHEMA
from refocus.qa.records import CLIP_SCHEMA, QUESTION_SCHEMA, REJECT_SCHEMA
from refocus.reward.margin import margins
from refocus.reward.margin_table import MARGIN_SCHEMA
from refocus.select.selections import NO_FRAMES, OF_THE_FILE
from refocus.select.selections import SCHEMA as SELECTION_SCHEMA
from safetensors.torch import load_file
from transformers import InternVLForConditionalGeneration

from tests.support.dry_runs import planned, snakemake
from tests.support.paper_fixtures import COPIED, LEAKED, LETTERS, Part, write_sources
from tests.support.tiny_lmm import build_lmm
from tests.support.tiny_public import write_video_ma2mba
from tests.workflow.test_rerun_matrix import TRAINING

pytestmark = pytest.mark.slow

CPU = {"runtime": {"device": "cpu", "threads": 1}}  # a machine without a GPU, and its cores for two jobs at once
TRAINED_ON = {"nextqa", "llava_video", "activitynetqa", "perceptiontest", "cinepile", "vista"}
ASKED = {"videomme", "longvideobench", "mlvu", "videommmu"}
FRAMES, CUT = 48, 40  # kept frames of a video: 12 seconds at 4 per second, and of the one cut after 10


def overlay(root: Root) -> dict:
    """All that differs from config/paper.yaml."""
    return {
        # Two of the four runs, and one selector of each kind: all of them are planned in test_paper_plan.
        "use": {"runs": ["t32", "t4"], "selectors": ["uniform", "random", "refocus/t32", "refocus/t4", "swapped/t32"]},
        "reward": CPU,
        "train": CPU,
        "select": CPU,
        "likelihood": CPU,
        "answer": CPU,
        "decode": {"runtime": {"workers": 1}},
        # Every set's few clips fit one shard of 64, and 6,300 empty ones would take hours; VISTA's second stays empty.
        "datasets": {name: {"shards": 2 if name == "vista" else 1} for name in root.use.datasets},
        "benchmarks": {name: {"shards": 1} for name in root.use.benchmarks},
    }


@dataclass(frozen=True)
class Run:
    """What the run left behind, and what it was given."""

    home: Path
    root: Root
    parts: dict[str, Part]
    snakemake: Callable[..., CompletedProcess[str]]

    def table(self, path: str) -> pd.DataFrame:
        return pd.read_parquet(self.home / self.root.results / path)

    def tables(self, pattern: str) -> pd.DataFrame:
        paths = sorted((self.home / self.root.results).glob(pattern))
        return pd.concat(map(pd.read_parquet, paths), ignore_index=True)

    def index(self, name: str) -> pd.DataFrame:
        """The clips of a set with their frames and their questions' ids."""
        index = self.tables(f"frames/{name}/*.index.parquet")
        return index.merge(self.table(f"qa/{name}.clips.parquet"), on="clip_id", validate="1:1")

    def text(self, path: str) -> str:
        return (self.home / self.root.results / path).read_text()

    def plan(self, change: dict) -> dict[str, int]:
        """What a changed configuration would run."""
        write_json(self.home / "change.json", change)
        return planned(completed(self.snakemake(str(self.home / "change.json"), "-n", "--quiet", "rules")))


def completed(done: CompletedProcess[str]) -> str:
    """The output of a run that succeeded."""
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def write_models(root: Root, home: Path) -> None:
    """Tiny checkpoints as their repositories hold them: large models' weights in several files, in bfloat16."""
    folder = build_lmm(home / root.lmms["internvl3-8b"].path, letters=LETTERS)
    model = InternVLForConditionalGeneration.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight *= 4
    (folder / "model.safetensors").unlink()
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="60KB")
    write_video_ma2mba(home / root.policy.start, dtype=torch.bfloat16, shards=2)


@pytest.fixture(scope="module")
def run(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole DAG, once."""
    home = tmp_path_factory.mktemp("paper")
    layers = [repository / "config.yaml", repository / "config/paper.yaml", home / "this_machine.json"]
    write_json(layers[-1], overlay(load(layers[:2])))
    root = load(layers)
    assert {root.source(name).format for name in root.use.datasets} == TRAINED_ON
    assert {root.source(name).format for name in root.use.benchmarks} == ASKED
    parts = write_sources(root, home)
    write_models(root, home)
    words = ["--directory", str(home), "--configfile", *map(str, layers[1:])]
    completed(snakemake(repository, *words))
    return Run(home, root, parts, functools.partial(snakemake, repository, *words))


def test_every_row_of_the_ten_formats_is_a_question_or_a_reject(run):
    for name, part in run.parts.items():
        questions, rejects = run.table(f"qa/{name}.parquet"), run.table(f"qa/{name}.rejects.parquet")
        assert list(questions.columns) == QUESTION_SCHEMA.names and list(rejects.columns) == REJECT_SCHEMA.names
        assert dict(zip(rejects["source_id"], rejects["reason"], strict=True)) == part.odd
        assert len(questions) == part.rows - len(rejects) and questions["qa_id"].is_unique
        clips = run.table(f"qa/{name}.clips.parquet")
        assert list(clips.columns) == CLIP_SCHEMA.names and set(clips["clip_id"]) == set(questions["clip_id"])


def test_all_videos_but_the_missing_are_decoded_as_the_paper_says(run):
    """min(4 fps, 512) frames of 384 x 384; of CinePile half the videos are gone, which its own limit allows."""
    assert (run.root.decode.fps, run.root.decode.max_frames, run.root.decode.size) == (4, 512, 384)
    for name, part in run.parts.items():
        index, questions = run.index(name), run.table(f"qa/{name}.parquet")
        assert set(INDEX_SCHEMA.names) <= set(index.columns) and set(index["clip_id"]) == set(questions["clip_id"])
        failed = index[index["status"] == "failed"]
        assert failed["error"].str.contains("no such file").all()
        assert questions["clip_id"].isin(failed["clip_id"]).sum() == part.gone > 0
        there = index[index["status"] == "ok"]
        assert len(there) + len(failed) == len(index)
        cut = there["end_s"].notna()
        assert (there["n_frames"] == cut.map({True: CUT, False: FRAMES})).all()
        assert cut.sum() == (name == "perceptiontest")
    cinepile = run.index("cinepile")
    assert (cinepile["status"] == "failed").sum() > max(run.root.decode.tolerated_failures, 0.05 * len(cinepile))
    paths = sorted((run.home / run.root.results / "frames/vista").glob("*.index.parquet"))
    assert [len(pd.read_parquet(path)) for path in paths] == [10 + 1, 0]
    store = FrameStore.open(paths)
    assert store.images(run.index("vista").query("status == 'ok'")["clip_id"].iloc[0]).shape == (FRAMES, 384, 384, 3)


def test_sixteen_subsets_of_at_most_32_frames_are_scored_for_every_question(run):
    for name in run.root.use.datasets:
        questions = run.table(f"qa/{name}.parquet").set_index("qa_id")
        rows = run.tables(f"reward/internvl3-8b/{name}/[0-9]*[0-9].parquet")
        skipped = run.tables(f"reward/internvl3-8b/{name}/*.skipped.parquet")
        assert list(rows.columns) == MARGIN_SCHEMA.names
        assert set(skipped["reason"]) == {"clip_failed"} and len(skipped) == run.parts[name].gone
        assert set(rows["qa_id"]) == set(questions.index) - set(skipped["qa_id"])
        for qa_id, asked in rows.groupby("qa_id"):
            assert sorted(asked["subset"]) == list(range(16))
            for row in asked.itertuples():
                frames = list(row.frame_indices)
                assert frames == sorted(set(frames)) and len(frames) <= 32
                assert len(row.logits) == len(questions.loc[qa_id, "options"]) == len(row.logits_raw)
                assert [row.margin] == pytest.approx(margins([row.logits], questions.loc[[qa_id], "answer_index"]))
        whole = rows[(rows["subset"] >= 8) & (rows["frame_indices"].map(max) == FRAMES - 1)]
        assert (whole["frame_indices"].map(len) == 32).any(), "complements have more than 32 frames to choose from"


def test_the_filter_keeps_what_varies_more_than_the_papers_tau(run):
    pool = pd.concat([run.table(f"qa/{name}.parquet") for name in run.root.use.datasets])
    variance, pairs = (
        run.table("filtered/internvl3-8b/variance.parquet"),
        run.table("filtered/internvl3-8b/pairs.parquet"),
    )
    rows = run.tables("reward/internvl3-8b/*/[0-9]*[0-9].parquet")
    by_hand = rows.astype({"margin": float}).groupby("qa_id")["margin"].var()
    assert sorted(variance["qa_id"]) == sorted(pool["qa_id"])
    told = variance.set_index("qa_id")["variance"].dropna()
    pd.testing.assert_series_equal(told.sort_index(), by_hand, check_names=False, atol=1e-9)
    copies = run.table("screened/duplicates.parquet")
    assert list(copies[["dataset", "of_dataset"]].itertuples(index=False, name=None)) == [("llava_video", "nextqa")]
    assert COPIED in pool.set_index("qa_id").loc[copies["qa_id"].item(), "video_path"]
    leaks = run.table("screened/leaks.parquet")
    assert set(leaks["youtube_id"]) == {LEAKED} and set(leaks["benchmark"]) == {"videomme"}
    dropped = {*copies["qa_id"], *leaks["qa_id"]}
    assert set(pairs["qa_id"]) == set(by_hand[by_hand > 0.21].index) - dropped
    summary = json.loads(run.text("filtered/internvl3-8b/summary.json"))
    assert (summary["tau"], summary["questions"], summary["kept"]) == (0.21, len(pool), len(pairs))
    assert 0.2 < len(pairs) / len(pool) < 0.9, "some are kept and some are not"
    assert set(pairs["dataset"]) == set(run.root.use.datasets)


@pytest.mark.parametrize(("name", "picks"), [("t32", 32), ("t4", 4)])
def test_every_run_judges_16_candidates_per_pair_and_updates(run, name, picks):
    pairs = run.table("filtered/internvl3-8b/pairs.parquet").set_index("qa_id")
    lines = [json.loads(line) for line in run.text(f"train/{name}/groups.jsonl").splitlines()]
    metrics = [json.loads(line) for line in run.text(f"train/{name}/metrics.jsonl").splitlines()]
    asked = [line["qa_id"] for line in lines]
    held_back = set(pairs.drop(asked)["clip_id"])
    assert len(set(asked)) == len(asked) and held_back, "one epoch, and a slice of the videos kept for validation"
    assert not held_back & set(pairs.loc[asked, "clip_id"])
    for line in lines:
        assert len(line["picks"]) == len(line["reward"]) == len(line["advantage"]) == 16
        assert all(len(set(subset)) == len(subset) == picks for subset in line["picks"])
        reward, advantage = np.array(line["reward"]), np.array(line["advantage"])
        assert abs(reward).max() <= 1
        assert np.allclose(advantage * (reward.std() + 1e-4), reward - reward.mean(), atol=3e-6)  # six digits are kept
    steps = [line for line in metrics if "reward/mean" in line]
    assert [line["groups"] for line in steps] == [len(asked)], "all pairs fit one batch of 192"
    assert any("validation/accuracy" in line for line in metrics)
    folder = run.home / run.root.results / "train" / name
    before, after = (load_file(folder / part / "model.safetensors") for part in ("initial", "policy"))
    assert before.keys() == after.keys() and any(not torch.equal(before[key], after[key]) for key in before)
    assert all(tensor.isfinite().all() for tensor in after.values())


def test_every_selector_picks_distinct_frames_in_temporal_order(run):
    for name in run.root.use.benchmarks:
        questions, index = run.table(f"qa/{name}.parquet"), run.index(name).set_index("clip_id")
        clip = dict(zip(questions["qa_id"], questions["clip_id"], strict=True))
        for selector in run.root.selectors_on(name):
            for n in (4, 8, 16, 32):
                picked = run.table(f"selections/{name}/{slug(selector)}/n{n}.s0.parquet")
                assert list(picked.columns) == [*SELECTION_SCHEMA.names, *OF_THE_FILE.names]
                assert list(picked["qa_id"]) == list(questions["qa_id"])
                for row in picked.itertuples():
                    frames, at = list(row.frame_indices), index.loc[clip[row.qa_id]]
                    if at["status"] == "failed":
                        assert NO_FRAMES in row.flags and not frames
                    elif frames:  # a swapped selection needs another question about the same clip
                        assert frames == sorted(set(frames)) == sorted(row.pick_order) and len(frames) == n
                        assert list(row.timestamps_s) == [at["timestamps"][frame] for frame in frames]
                        assert frames[-1] == FRAMES - 1 or not run.root.benchmarks[name].keeps_last_frame
                    else:
                        assert selector.startswith("swapped/")
    shown = run.table("selections/videomme/refocus--t32/n32.s0.parquet")
    plain = run.table("selections/videomme/uniform/n32.s0.parquet")
    assert not all(map(list.__eq__, map(list, shown["frame_indices"]), map(list, plain["frame_indices"])))


def test_every_question_is_answered_from_the_frames_that_were_picked(run):
    for name in run.root.use.benchmarks:
        questions = run.table(f"qa/{name}.parquet").set_index("qa_id")
        for selector in map(slug, run.root.selectors_on(name)):
            for n in (4, 8, 16, 32):
                picked = run.table(f"selections/{name}/{selector}/n{n}.s0.parquet").set_index("qa_id")
                answers = run.table(f"answers/{name}/internvl3-8b/{selector}/n{n}.s0.parquet")
                assert list(answers.columns) == ANSWER_SCHEMA.names
                assert list(answers["qa_id"]) == list(questions.index)
                for row in answers.itertuples():
                    options = questions.loc[row.qa_id, "options"]
                    assert list(row.frame_indices) == list(picked.loc[row.qa_id, "frame_indices"])
                    if len(row.frame_indices) and len(options):
                        assert len(row.logits) == len(options) and row.prediction == row.logits.argmax()
                        assert row.correct == (row.prediction == questions.loc[row.qa_id, "answer_index"])
                    else:
                        assert (row.prediction, row.correct) == (-1, False) and len(row.flags)


def test_tables_and_figures_stand_beside_the_papers_numbers(run):
    table = pd.read_csv(run.home / run.root.results / "tables/table1.csv")
    assert set(table["selector"]) >= {"uniform", "random", "refocus/t32"}
    table = table.set_index("selector")
    assert table.loc["refocus/t32", "videomme.overall.paper"] == 66.0
    uniform = run.table("answers/videomme/internvl3-8b/uniform/n32.s0.parquet")
    assert table.loc["uniform", "videomme.overall"] == pytest.approx(100 * uniform["correct"].mean(), abs=1e-3)
    assert "paper" in run.text("tables/table1.md") and "32 frm" in run.text("tables/table4.md")
    for name in ("fig2_variance", "fig7_subsets", "training", "accuracy", "fig9_examples", "one_question"):
        assert (run.home / run.root.results / f"figures/{name}.png").stat().st_size > 1000


def test_nothing_is_left_to_do_and_another_tau_redoes_only_what_follows_it(run):
    assert run.plan({}) == {}
    unused = {"measure_initial_likelihood"}  # no initial/<run> picks here
    assert set(run.plan({"filter": {"tau": 0.3}})) == {"filter_pairs"} | TRAINING - unused
