"""`refocus train` from files to files, with a real reward LMM in small."""

import argparse
import dataclasses
import functools
import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import simplejpeg
import torch
from refocus.cli import train as command
from refocus.config.identity import weights
from refocus.config.overlay import merge
from refocus.config.overlay import read as read_yaml
from refocus.config.root import Root
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import write_table
from refocus.core.lease import lease
from refocus.filter.pairs import VARIANCE_SCHEMA
from refocus.frames.index import IndexRow, write_index
from refocus.lmm import Prompt, load_lmm
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.provenance import described
from refocus.qa.records import write_questions
from refocus.reward.margin import margins
from refocus.train import run as run_module
from refocus.train.reward_model import LmmRewardModel
from refocus.train.run_log import read
from torch.distributed.run import parse_args

from tests.support.tiny_lmm import build_lmm
from tests.support.tiny_policy import build_policy
from tests.support.tiny_training import COUNTS, questions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A supervised base, a reward LMM, pairs, and a shard of five clips of noise."""
    folder = tmp_path_factory.mktemp("inputs")
    build_policy(dtype=torch.float32).save_pretrained(folder / "base")
    build_lmm(folder / "lmm")
    random = np.random.default_rng(0)
    rows, blob = [], b""
    for clip, n in enumerate(COUNTS):
        jpegs = [simplejpeg.encode_jpeg(random.integers(0, 256, (48, 48, 3), dtype=np.uint8)) for _ in range(n)]
        starts = np.cumsum([len(blob), *map(len, jpegs)])[:-1].tolist()
        blob += b"".join(jpegs)
        seconds = [i / 4 for i in range(n)]
        rows.append(
            IndexRow(f"c{clip}", "ok", None, n, seconds, list(range(n)), "s.tar", starts, list(map(len, jpegs)))
        )
    (folder / "s.tar").write_bytes(blob)
    write_index(folder / "s.index.parquet", rows, {})
    missing = dataclasses.replace(questions(COUNTS)[0], qa_id="gone", clip_id="nowhere")
    write_questions(folder / "pairs.parquet", [*questions(COUNTS), missing], "filter")
    return folder


def call(inputs, out, *words, **settings):
    values = {"candidates": 4, "picks": 2, "batch": 4, "clips_per_batch": 2, "max_steps": 2, "reward_model": "tiny"}
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    fixed = [
        "--pairs", inputs / "pairs.parquet", "--index", inputs / "s.index.parquet", "--start", inputs / "base",
        "--reward-model", inputs / "lmm", "--lmm-settings", '{"dtype": "float32"}', "--out", out, "--device", "cpu",
        "--settings", json.dumps({**values, **settings}), "--runtime", json.dumps({"validate_every": 2}),
    ]  # fmt: skip
    command.run(parser.parse_args([str(word) for word in [*fixed, *words]]))


def test_a_run_leaves_everything_a_reader_expects(inputs, tmp_path):
    """policy/ and initial/ load and differ, logs have a line per step, curves are drawn; a rerun trains nothing."""
    call(inputs, tmp_path, save_dtype="float16")
    names = {
        "policy",
        "best",
        "initial",
        "work",
        "tensorboard",
        "metrics.jsonl",
        "groups.jsonl",
        "curves.png",
        "curves.svg",
    }
    assert {path.name for path in tmp_path.iterdir()} == names
    policy, initial = (FramePolicy.from_pretrained(tmp_path / name) for name in ("policy", "initial"))
    assert not torch.equal(policy.heads.query.weight, initial.heads.query.weight)
    assert torch.equal(
        policy.vision.embeddings.patch_embedding.weight, initial.vision.embeddings.patch_embedding.weight
    )
    lines = read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "time/step" in line] == [0, 1]
    assert [line["step"] for line in lines if "validation/accuracy" in line] == [0, 1]
    written = (tmp_path / "policy" / "model.safetensors").read_bytes()
    call(inputs, tmp_path, save_dtype="float16")
    assert (tmp_path / "policy" / "model.safetensors").read_bytes() == written


def test_a_run_says_where_its_policies_come_from(inputs, tmp_path, monkeypatch):
    """Both states are complete as `refocus push` wants them; the numbers are the run's own; a rerun changes no byte."""
    monkeypatch.setattr(sys, "argv", ["refocus", "train", "--pairs", "/home/ann/pairs.parquet"])
    call(inputs, tmp_path, validation_share=0.4)
    lines = [line for line in read(tmp_path / "metrics.jsonl") if "validation/accuracy" in line]
    made = {state: described(tmp_path / state) for state in ("policy", "best")}
    policy = made["policy"]
    assert not (tmp_path / "initial" / "provenance.json").exists()
    assert (policy.state, policy.step, policy.steps, policy.seed) == ("policy", 2, 2, 0)
    assert made["best"].state == "best" and made["best"].step == 2
    (toy,) = policy.data
    assert (toy.name, toy.format, toy.synthetic, toy.videos + toy.held_back_videos) == ("toy", "", False, len(COUNTS))
    assert (toy.held_back_videos, toy.held_back_questions, toy.questions) == (2, 6, 9)
    assert policy.left_out == {"no frames": 1} and policy.filter is None
    assert policy.validation.accuracy == lines[-1]["validation/accuracy"] and policy.validation.videos == 2
    assert policy.base.weights == weights(str(inputs / "base")) and policy.base.name == "…/base"
    assert policy.command == "refocus train --pairs …/pairs.parquet" and policy.settings["train"]["picks"] == 2
    assert str(inputs) not in json.dumps(policy.model_dump())
    card = (tmp_path / "policy" / "README.md").read_text()
    assert "| toy | `unknown` | 9 | 3 | 6 | 2 |" in card
    written = [(tmp_path / state / "provenance.json").read_bytes() for state in made]
    call(inputs, tmp_path, validation_share=0.4)
    assert [(tmp_path / state / "provenance.json").read_bytes() for state in made] == written


def test_other_settings_in_the_same_work_folder_are_refused(inputs, tmp_path):
    """By the names of the keys; runtime may change freely."""
    call(inputs, tmp_path, max_steps=1)
    call(inputs, tmp_path, "--clips-per-micro-batch", 1, max_steps=1)
    with pytest.raises(UsageError, match=r"train\.entropy"):
        call(inputs, tmp_path, "--entropy-weight", 0.5, max_steps=1)


@pytest.mark.fault("two at once", "train", "a second trainer keeps out of the checkpoints")
def test_a_second_trainer_keeps_out_of_a_work_folder_in_use(inputs, tmp_path, monkeypatch):
    """As after a kill of Snakemake whose job still runs, when the same command is started again."""
    call(inputs, tmp_path)
    [held] = tmp_path.glob("work/*/in-use-by")
    before = (tmp_path / "metrics.jsonl").read_bytes()
    monkeypatch.setattr(run_module, "lease", functools.partial(lease, patience_s=0))
    with lease(held.parent), pytest.raises(RefocusError, match="is in use by process"):
        call(inputs, tmp_path)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


@pytest.mark.fault("input replaced or corrected", "train", "other questions begin anew beside the old checkpoints")
def test_grown_data_begins_anew_beside_the_old_checkpoints(inputs, tmp_path):
    """A configuration keeps its work folder when its data grow: neither a refusal nor a run on stale checkpoints."""
    call(inputs, tmp_path / "all", "--work-dir", tmp_path / "work")
    write_questions(tmp_path / "fewer.parquet", questions(COUNTS)[:-1], "filter")
    call(inputs, tmp_path / "fewer", "--work-dir", tmp_path / "work", "--pairs", tmp_path / "fewer.parquet")
    assert len(list((tmp_path / "work").iterdir())) == 2
    for out in ("all", "fewer"):
        assert [line["step"] for line in read(tmp_path / out / "metrics.jsonl") if "time/step" in line] == [0, 1]


@pytest.mark.fault("input missing or unreadable", "train", "named, status 2")
def test_missing_inputs_are_named(inputs, tmp_path):
    """One line that says which flag."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(UsageError, match="--pairs"):
        command.run(parser.parse_args(["--out", str(tmp_path)]))
    with pytest.raises(UsageError, match="max_step'"):
        call(inputs, tmp_path, max_step=3)


def test_the_reward_is_the_margin_of_each_subset_alone(inputs):
    """Batched over clips, questions and repeated subsets, each reward equals Eq. 5 on that subset by itself."""
    lmm = load_lmm(str(inputs / "lmm"))
    random = np.random.default_rng(1)
    features = {
        f"c{c}": lmm.encode(random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)) for c, n in enumerate(COUNTS)
    }
    asked = questions(COUNTS)[1::4]
    subsets = [[(0, 2), (1, 3), (0, 2)] for _ in asked]
    rewards = LmmRewardModel(lmm, features.__getitem__)(asked, subsets)
    for row, question in enumerate(asked):
        for column, frames in enumerate(subsets[row]):
            prompt = Prompt(question.question, question.options)
            logits = lmm.score(features[question.clip_id], [(frames, 0)], [prompt])[0].logsumexp(-1)
            expected = margins([logits], [question.answer_index])[0]
            assert rewards.reward[row, column].item() == pytest.approx(expected, abs=1e-4)
            assert bool(rewards.correct[row, column]) == (int(logits.argmax()) == question.answer_index)


def test_deepspeed_is_asked_for_where_it_is_missing(inputs, tmp_path, monkeypatch):
    """Before anything is loaded, with the extra that brings it; the other strategies do not touch it."""
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UsageError, match=r"pip install '\.\[deepspeed\]'"):
        call(inputs, tmp_path, "--strategy", "deepspeed")
    assert not any(tmp_path.iterdir())


def test_a_configuration_gives_the_rules_inputs(repository, tmp_path, monkeypatch):
    """--config finds pairs, frames, base and reward model where the rules put them, and says what is not there yet."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"results: {tmp_path}/results\n")
    words = ["--config", str(repository / "config.yaml"), str(overlay), "--out", str(tmp_path / "out")]
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(UsageError, match=r"pairs\.parquet is missing"):
        command.run(parser.parse_args(words))
    root = Root.model_validate(merge(read_yaml(repository / "config.yaml"), {"results": f"{tmp_path}/results"}))
    frames = [
        tmp_path / "results" / "frames" / name / f"{shard:06d}.index.parquet"
        for name in root.use.datasets
        for shard in range(root.datasets[name].shards)
    ]
    for path in (tmp_path / "results" / "filtered" / root.reward.model / "pairs.parquet", *frames):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    jobs = []
    monkeypatch.setattr("refocus.train.parallel.launch", lambda work, job, processes, device: jobs.append(job))
    command.run(parser.parse_args(words))
    assert list(jobs[0].frames) == frames
    assert jobs[0].start == root.policy.start and jobs[0].settings == root.run_train(root.use.runs[0])
    assert jobs[0].variance is None and jobs[0].pool == ()
    overlay.write_text(f"results: {tmp_path}/results\ntrain: {{questions: all}}\n")
    with pytest.raises(UsageError, match=r"variance\.parquet is missing"):
        command.run(parser.parse_args(words))
    for flags in (["--pairs", "other.parquet"], ["--picks", "3"], ["--settings", "{}"]):
        with pytest.raises(UsageError, match=f"{flags[0]} is not read beside a configuration"):
            command.run(parser.parse_args([*words, *flags]))
    with pytest.raises(UsageError, match="no run 'demmo'"):
        command.run(parser.parse_args([*words, "--run", "demmo"]))


def test_a_configuration_that_lies_around_changes_no_run_by_flags(inputs, tmp_path, monkeypatch):
    """`refocus init` puts a config.yaml where the workflow's jobs are started, with their settings as flags."""
    (tmp_path / "config.yaml").write_text("results: elsewhere\ntrain: {max_steps: 99}\n")
    monkeypatch.chdir(tmp_path)
    jobs = []
    monkeypatch.setattr("refocus.train.parallel.launch", lambda work, job, processes, device: jobs.append(job))
    call(inputs, tmp_path / "out", "--max-steps", "2")
    assert jobs[0].settings.max_steps == 2 and "elsewhere" not in str(jobs[0])


def test_a_run_on_all_questions_takes_them_from_the_filters_inputs(inputs, tmp_path):
    """And is another run than that on the filtered ones: its checkpoints lie apart."""
    rows = [{"qa_id": q.qa_id, "variance": 0.1, "n_subsets": 16, "flag": ""} for q in questions(COUNTS)]
    write_table(tmp_path / "variance.parquet", pa.Table.from_pylist(rows, VARIANCE_SCHEMA), "filter", {})
    write_questions(tmp_path / "few.parquet", questions(COUNTS)[:6], "filter")
    words = ["--variance", tmp_path / "variance.parquet", "--qa", inputs / "pairs.parquet"]
    call(inputs, tmp_path / "out", *words, "--pairs", tmp_path / "few.parquet", "--questions", "all", max_steps=9)
    asked = {group["qa_id"] for group in read(tmp_path / "out/groups.jsonl")}
    assert len(asked) > 6 and "gone" not in asked


def test_torchrun_leaves_the_flags_to_us():
    """It takes no flag of `train` for its own, but --run and --start, which it refuses unless a -- stands before."""
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    ambiguous = set()
    for flag in (flag for action in parser._actions for flag in action.option_strings):
        words = ["train", "--config", "C.yaml", "--out", "DIR", flag, "1"]
        assert parse_args(["--nproc-per-node", "2", "-m", "refocus", "--", *words]).training_script_args == words
        try:
            given = parse_args(["--nproc-per-node", "2", "-m", "refocus", *words])
        except SystemExit:
            ambiguous.add(flag)
            continue
        assert (given.training_script, given.training_script_args) == ("refocus", words)
    assert ambiguous == {"--run", "--start"}


def test_torchrun_with_two_processes_trains_what_one_does(inputs, tmp_path, repository):
    """`torchrun --nproc-per-node 2 -m refocus train --config … --out …`: one set of outputs, as one process gives."""
    call(inputs, tmp_path / "one", validation_share=0.0)
    values = {"candidates": 4, "picks": 2, "batch": 4, "clips_per_batch": 2, "max_steps": 2, "validation_share": 0.0}
    folders = {name: tmp_path / "results" / name / "toy" for name in ("frames", "filtered")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    shutil.copy(inputs / "s.tar", folders["frames"])
    shutil.copy(inputs / "s.index.parquet", folders["frames"] / "000000.index.parquet")
    shutil.copy(inputs / "pairs.parquet", folders["filtered"])
    toy = {"format": "nextqa", "annotations": ["none.csv", "none.json"], "videos": "none"}
    config = {
        "results": str(tmp_path / "results"),
        "use": {"datasets": ["toy"], "runs": ["two"]},
        "datasets": {"toy": toy},
        "lmms": {"toy": {"path": str(inputs / "lmm"), "dtype": "float32"}},
        "reward": {"model": "toy"},
        "policy": {"start": str(inputs / "base")},
        "train": {**values, "reward_model": "toy", "runtime": {"device": "cpu", "validate_every": 0}},
        "runs": {"two": {}},
    }
    (tmp_path / "C.yaml").write_text(json.dumps(config))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "refocus", "train", "--config", tmp_path / "C.yaml", "--out", tmp_path / "two"]
    done = subprocess.run([*torchrun, *map(str, words)], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "two" / "work").glob("*/step-00000002/optimiser-*"))) == 2
    one, two = (FramePolicy.from_pretrained(tmp_path / name / "policy").state_dict() for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=0, atol=1e-5)
    picks = [
        {(group["step"], group["qa_id"]): group["picks"] for group in read(tmp_path / name / "groups.jsonl")}
        for name in ("one", "two")
    ]
    assert picks[0] == picks[1]
