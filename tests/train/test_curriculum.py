"""A growing T': which stage holds when, what it changes and what it leaves alone."""

import pytest
from refocus.config.parsing import parse
from refocus.config.train import TrainSettings
from refocus.core.errors import UsageError
from refocus.train.run_log import read

from tests.support.tiny_training import COUNTS, SETTINGS, build_trainer, questions, training_set

STAGES = ((0.0, 1), (0.5, 2), (0.75, 3))


def grown(**changes):
    return SETTINGS.model_copy(update={"picks": 3, "curriculum": STAGES, "max_steps": 8, **changes})


def test_each_stage_holds_from_its_share_of_the_steps():
    """Exactly at the share, whatever the rounding of share times steps; without a curriculum T' never changes."""
    assert [grown().picks_at(step, 8) for step in range(8)] == [1, 1, 1, 1, 2, 2, 3, 3]
    tenths = TrainSettings(picks=10, curriculum=tuple((n / 10, n + 1) for n in range(10)))
    for steps in (10, 30, 110, 1000):
        assert [tenths.picks_at(n * steps // 10, steps) for n in range(10)] == list(range(1, 11))
        assert [tenths.picks_at(n * steps // 10 - 1, steps) for n in range(1, 10)] == list(range(1, 10))
    assert {TrainSettings(picks=7).picks_at(step, 5) for step in range(5)} == {7}


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([[0.1, 2], [0.5, 3]], "rise from 0.0"),
        ([[0.0, 2], [0.5, 3], [0.5, 3]], "rise from 0.0"),
        ([[0.0, 2], [1.0, 3]], "below 1"),
        ([], "rise from 0.0"),
        ([[0.0, 1], [0.5, 2]], "last T' is 2, and picks is 3"),
        ([[0.0, 4], [0.5, 3]], "from 1 to picks"),
        ([[0.0, 0], [0.5, 3]], "from 1 to picks"),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused(stages, message):
    """With the key and the reason."""
    with pytest.raises(UsageError, match=f"curriculum: .*{message}"):
        parse(TrainSettings, {"picks": 3, "curriculum": stages})


def test_a_curriculum_is_part_of_the_identity_and_none_is_not():
    """Runs from before the option keep their fingerprint; with it they are others."""
    fixed = TrainSettings(picks=3)
    assert "curriculum" not in fixed.identity()
    assert parse(TrainSettings, fixed.identity()) == fixed
    stepped = fixed.model_copy(update={"curriculum": STAGES})
    assert stepped.fingerprint() != fixed.fingerprint()
    assert parse(TrainSettings, stepped.identity()) == stepped


def test_clips_are_measured_by_the_last_stage():
    """So that the questions are the same throughout; what is too short for the last T' is dropped and counted."""
    settings = grown(picks=4, curriculum=((0.0, 1), (0.5, 4)))
    made = training_set(settings)
    assert made.dropped == {"no more frames than picks": 3}
    assert len(made.train) + len(made.validation) == len(questions(COUNTS)) - 3


def test_the_stages_show_in_the_run(tmp_path):
    """Groups have the stage's number of picks; learning rates are those of a fixed T'; validation asks both."""
    runtime = SETTINGS.runtime.model_copy(update={"validate_every": 4})
    build_trainer(tmp_path / "grown", grown(runtime=runtime)).run()
    build_trainer(tmp_path / "fixed", grown(curriculum=None, runtime=runtime)).run()
    lines, fixed = (read(tmp_path / name / "out" / "metrics.jsonl") for name in ("grown", "fixed"))
    steps = [line for line in lines if "lr/new" in line]
    assert [line["select/frames"] for line in steps] == [1, 1, 1, 1, 2, 2, 3, 3]
    assert [line["lr/new"] for line in steps] == [line["lr/new"] for line in fixed if "lr/new" in line]
    for group in read(tmp_path / "grown" / "out" / "groups.jsonl"):
        assert {len(picks) for picks in group["picks"]} == {grown().picks_at(group["step"], 8)}
    asked = [line for line in lines if "validation/accuracy" in line]
    assert ["validation/stage/reward" in line for line in asked] == [True, True, False]
    assert asked[0]["validation/stage/reward"] != asked[0]["validation/reward"]
    assert not any("validation/stage/reward" in line for line in fixed)
