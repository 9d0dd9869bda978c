"""Weights & Biases gets what metrics.jsonl holds, only where it is asked for, and is missed by name."""

import sys
import types

import pytest
from refocus.config.train import TrainRuntime
from refocus.core.errors import RefocusError, UsageError
from refocus.train.run_log import RunLog, read
from refocus.train.wandb_mirror import WandbMirror, library

from tests.support.tiny_training import SETTINGS, build_trainer

OFFLINE = TrainRuntime(wandb="offline", wandb_project="videos")


class StandIn(types.ModuleType):
    """The part of `wandb` that is used; remembers its runs."""

    class Error(Exception):
        pass

    def __init__(self, refuses: bool = False):
        super().__init__("wandb")
        self.refuses, self.runs = refuses, []

    def init(self, **words):
        if self.refuses:
            raise self.Error("api_key not configured")
        run = types.SimpleNamespace(words=words, lines=[], finished=False, metrics=[])
        run.log = run.lines.append
        run.define_metric = lambda name, step_metric: run.metrics.append((name, step_metric))
        run.finish = lambda: setattr(run, "finished", True)
        self.runs.append(run)
        return run


@pytest.fixture
def wandb(monkeypatch):
    module = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_it_gets_every_line_and_an_end(wandb, tmp_path):
    runtime = SETTINGS.runtime.model_copy(update={"wandb": "offline", "wandb_project": "videos", "validate_every": 1})
    build_trainer(tmp_path, SETTINGS.model_copy(update={"max_steps": 2, "runtime": runtime})).run()
    (run,) = wandb.runs
    assert run.lines == read(tmp_path / "out" / "metrics.jsonl") and len(run.lines) == 5
    assert run.finished and run.metrics == [("*", "step")]
    assert (run.words["project"], run.words["mode"], run.words["name"]) == ("videos", "offline", "out")
    assert run.words["config"]["candidates"] == SETTINGS.candidates


def test_a_resumed_record_begins_with_the_lines_that_were_kept(wandb, tmp_path):
    for start in (0, 2):
        record = RunLog(tmp_path, tmp_path / "out", start, False, WandbMirror(OFFLINE, "a", tmp_path, {}))
        for step in range(start, 4):
            record.metrics(step, {"reward/mean": step + 10 * start})
        record.close()
    assert [line["step"] for line in wandb.runs[1].lines] == [0, 1, 2, 3]
    assert [line["reward/mean"] for line in wandb.runs[1].lines] == [0, 1, 22, 23]
    assert {run.words["group"] for run in wandb.runs} == {"a"}


def test_where_it_is_off_it_is_never_imported(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails
    assert library(TrainRuntime()) is None
    build_trainer(tmp_path, SETTINGS.model_copy(update={"max_steps": 1})).run()


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match=r"\.\[wandb\]"):
        library(OFFLINE)


def test_a_refusal_says_what_needs_no_connection(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", StandIn(refuses=True))
    with pytest.raises(RefocusError, match=r"api_key.*offline"):
        WandbMirror(OFFLINE, "a", tmp_path, {})
