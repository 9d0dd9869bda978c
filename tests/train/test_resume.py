"""Killed anywhere is never killed: SIGKILL in every phase, and checkpoints that are no longer what was written."""

import json
import os
import random
import signal
from pathlib import Path

import pytest
from refocus.core.errors import RefocusError, UsageError
from refocus.train.run_log import read

from tests.support.killing import PLACES, Death, run
from tests.support.tiny_training import RUNTIME, SETTINGS, build_trainer

pytestmark = pytest.mark.slow

SIX = SETTINGS.model_copy(
    update={"runtime": RUNTIME.model_copy(update={"checkpoint_every": 2, "validate_every": 2, "keep_checkpoints": 1})}
)
DEATHS = [
    Death("prefix", 8),
    Death("rollout", 4),
    Death("reward", 7, after=True),
    Death("score", 4),
    Death("backward", 5),
    Death("backward", 3, after=True),
    Death("optimiser", 4),
    Death("optimiser", 4, after=True),
    Death("tensors of a checkpoint", 1),
    Death("tensors of a checkpoint", 5, half=True),
    Death("tensors of a checkpoint", 6, after=True),
    Death("state of a checkpoint", 2),
    Death("state of a checkpoint", 1, after=True),
    Death("renaming of a checkpoint", 2),
    Death("renaming of a checkpoint", 2, after=True),
    Death("removal of a checkpoint", 1),
    Death("validation", 2),
    Death("line of a log", 1, half=True),
    Death("line of a log", 12, half=True),
    Death("line of a log", 17, after=True),
    Death("publishing of the logs", 2),
    Death("publishing of the logs", 3, after=True),
    Death("writing of the policy", 1),
    Death("writing of the policy", 2, after=True),
]


def results(folder: Path) -> dict[str, object]:
    """Weights to the byte, and the logs without what a clock or the memory says."""
    found: dict[str, object] = {
        f"{name}/model.safetensors": (folder / "out" / name / "model.safetensors").read_bytes()
        for name in ("policy", "best")
    }
    for log in ("metrics.jsonl", "groups.jsonl"):
        found[log] = [
            {key: value for key, value in line.items() if not key.startswith(("time/", "tokens", "memory/"))}
            for line in read(folder / "out" / log)
        ]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, object]:
    """The results of a run that was never killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, SIX) == 0
    found = results(folder)
    assert len(found["metrics.jsonl"]) == 6 + 4 and len(found["groups.jsonl"]) > 12
    return found


def assert_same(found: dict[str, object], whole: dict[str, object]) -> None:
    assert [name for name in whole if found[name] != whole[name]] == []


@pytest.mark.parametrize("death", DEATHS, ids=lambda d: f"{d.place}-{d.call}{'-after' * d.after}{'-half' * d.half}")
@pytest.mark.fault(
    "killed", "train", "in every phase: weights, metrics and groups are those of a run that never stopped, bit for bit"
)
def test_killed_in_any_phase_is_never_killed(tmp_path, whole, death):
    """Weights, metrics and groups of the run that goes on are those of one that never stopped, bit for bit."""
    assert run(tmp_path, SIX, death) == -signal.SIGKILL
    assert run(tmp_path, SIX) == 0
    assert_same(results(tmp_path), whole)


@pytest.mark.fault("killed", "train", "many times in one run: the same, bit for bit")
def test_killed_again_and_again_is_never_killed(tmp_path, whole):
    """One run that dies in most places, one after the other, also while it cuts its logs back."""
    places = {death.place: death for death in DEATHS if death.call < 4}
    for death in (*places.values(), Death("cutting back of the logs", 3)):
        run(tmp_path, SIX, death)
    assert run(tmp_path, SIX) == 0
    assert_same(results(tmp_path), whole)


def test_every_place_is_killed_in():
    """No place to die is forgotten."""
    assert {death.place for death in DEATHS} | {"cutting back of the logs"} == set(PLACES)


@pytest.mark.fault("killed", "train", "at random moments: the same, bit for bit")
def test_killed_at_random_moments_is_never_killed(tmp_path, whole):
    """By the clock, wherever that may be."""
    moments = random.Random(0)
    for _ in range(12):
        run(tmp_path, SIX, seconds=moments.uniform(0.05, 0.8))
    assert run(tmp_path, SIX) == 0
    assert_same(results(tmp_path), whole)


# ---- checkpoints that are not whole


def damaged(folder: Path, name: str) -> None:
    """Changes one byte, or cuts the file short."""
    data = bytearray(folder.joinpath(name).read_bytes())
    if name == "state.json":
        data = data[: len(data) // 2]
    else:
        data[-3] ^= 1
    folder.joinpath(name).write_bytes(data)


@pytest.fixture
def stopped(tmp_path):
    """A run that has died in its last step, with checkpoints after steps 2 and 4."""
    settings = SIX.model_copy(update={"runtime": SIX.runtime.model_copy(update={"keep_checkpoints": 2})})
    assert run(tmp_path, settings, Death("optimiser", 6)) == -signal.SIGKILL
    assert sorted(path.name for path in (tmp_path / "work").glob("step-*")) == ["step-00000002", "step-00000004"]
    return tmp_path, settings


@pytest.mark.parametrize(
    "name", ["policy.safetensors", "optimiser-00000.safetensors", "random.safetensors", "state.json", None]
)
@pytest.mark.fault(
    "damaged input or result",
    "train",
    "a checkpoint that is not whole is named and the one before it taken, to the same end",
)
def test_a_checkpoint_that_is_not_whole_gives_way_to_the_one_before(stopped, whole, name, caplog):
    """Cut short, changed in one bit or incomplete: a warning names it, and the end is the same."""
    folder, settings = stopped
    newest = folder / "work" / "step-00000004"
    if name is None:
        (newest / "policy.safetensors").unlink()
    else:
        damaged(newest, name)
    trainer = build_trainer(folder, settings)
    assert trainer.checkpoints.resume(trainer.policy, trainer.optimiser, trainer.ranks)[0] == 2
    assert "step-00000004 cannot be read" in caplog.text
    assert run(folder, settings) == 0
    assert_same(results(folder), whole)


@pytest.mark.fault("clock wrong", "train", "checkpoints dated in the future are gone on from, to the same end")
def test_checkpoints_dated_in_the_future_are_gone_on_from(stopped, whole):
    folder, settings = stopped
    for path in (folder / "work").rglob("*"):
        os.utime(path, (4e9, 4e9))
    assert run(folder, settings) == 0
    assert_same(results(folder), whole)


def test_a_random_state_that_was_changed_is_no_checkpoint(stopped, caplog):
    """It is a number like any other: only the digest of the state says so."""
    folder, settings = stopped
    state = folder / "work" / "step-00000004" / "state.json"
    values = json.loads(state.read_text())
    values["python"][0]["random"][1][7] ^= 1
    state.write_text(json.dumps(values))
    trainer = build_trainer(folder, settings)
    assert trainer.checkpoints.resume(trainer.policy, trainer.optimiser, trainer.ranks)[0] == 2
    assert "state.json is not what was written" in caplog.text


@pytest.mark.parametrize("name", ["metrics.jsonl", "groups.jsonl"])
@pytest.mark.fault(
    "damaged input or result", "train", "a log that lost lines: from the checkpoint before them on, to the same end"
)
def test_a_log_that_lost_lines_takes_the_run_back_to_where_it_had_them(stopped, whole, name, caplog):
    """Nothing brings back what a log no longer says but the steps themselves."""
    folder, settings = stopped
    log = folder / "work" / name
    lines = log.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] < 3]
    log.write_bytes(b"".join(kept))
    trainer = build_trainer(folder, settings)
    assert trainer.checkpoints.resume(trainer.policy, trainer.optimiser, trainer.ranks)[0] == 2
    assert f"{name} has lost lines" in caplog.text
    assert run(folder, settings) == 0
    assert_same(results(folder), whole)


@pytest.mark.fault(
    "damaged input or result", "train", "a finished run whose log was cut says so and ends with status 1"
)
def test_a_finished_run_whose_log_was_cut_does_not_end_well(tmp_path):
    """It would write the shorter log over the whole one."""
    assert run(tmp_path, SIX) == 0
    log = tmp_path / "work" / "metrics.jsonl"
    log.write_bytes(log.read_bytes()[:300])
    with pytest.raises(RefocusError, match="remove the folder to start anew"):
        build_trainer(tmp_path, SIX).run()


@pytest.mark.fault(
    "damaged input or result", "train", "no checkpoint is whole: says so, and does not begin anew by itself"
)
def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(stopped):
    """Somebody has to say so."""
    folder, settings = stopped
    for path in (folder / "work").glob("step-*"):
        damaged(path, "policy.safetensors")
    with pytest.raises(RefocusError, match=r"no checkpoint in .* can be gone on from.*; remove the folder"):
        build_trainer(folder, settings).run()


def test_another_runs_checkpoint_is_refused_before_anything_is_written(stopped):
    """By the names of the keys that differ, and the logs stay as they are."""
    folder, settings = stopped
    before = (folder / "work" / "metrics.jsonl").read_bytes()
    with pytest.raises(UsageError, match=r"toy, curriculum differ"):
        build_trainer(folder, settings, identity={"toy": 2, "curriculum": [[0.0, 2]]}).run()
    assert (folder / "work" / "metrics.jsonl").read_bytes() == before


def test_the_best_checkpoint_stays(tmp_path):
    """Beside the newest, and its policy is in best/; the policy after the last step is in policy/."""
    settings = SIX.model_copy(update={"lr_new": 1e-2, "lr_pretrained": 1e-3})
    trainer = build_trainer(tmp_path, settings)
    scores = iter([0.1, 0.9, 0.3, 0.2])
    trainer.validation.__class__, called = FixedScores, trainer.validation
    called.scores = scores
    trainer.run()
    assert sorted(path.name for path in (tmp_path / "work").glob("step-*")) == ["step-00000002", "step-00000006"]
    best = (tmp_path / "out" / "best" / "model.safetensors").read_bytes()
    assert best != (tmp_path / "out" / "policy" / "model.safetensors").read_bytes()


class FixedScores:
    """A validation that knows its answers."""

    def __call__(self, policy, now):
        score = next(self.scores)
        return {"validation/accuracy": score, "validation/accuracy_uniform": 0.5, "validation/reward": 0.0}
