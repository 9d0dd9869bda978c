"""The log of groups gives back what the run did, and what other settings would have made of it."""

import csv
import math

import pytest
from refocus.cli.main import main
from refocus.train.replay import replay
from refocus.train.run_log import read

from tests.support.tiny_training import SETTINGS, build_trainer

GROUPS = [
    {"step": 0, "qa_id": "a", "picks": [[1, 2], [3, 4]], "reward": [0.0, 1.0], "advantage": [-1.0, 1.0]},
    {"step": 0, "qa_id": "b", "picks": [[1, 2], [2, 1]], "reward": [0.5, 0.5], "advantage": [0.0, 0.0]},
    {"step": 1, "qa_id": "a", "picks": [[1, 2], [1, 3]], "reward": [math.nan, 0.2], "advantage": [0.0, 0.0]},
]


@pytest.fixture
def run(tmp_path):
    build_trainer(tmp_path, SETTINGS.model_copy(update={"max_steps": 3})).run()
    return tmp_path / "out"


def test_with_the_runs_own_settings_it_finds_the_runs_own_numbers(run):
    metrics = [line for line in read(run / "metrics.jsonl") if "time/step" in line]
    rows = list(replay(read(run / "groups.jsonl"), SETTINGS))
    assert [row["step"] for row in rows] == [0, 1, 2]
    for row, line in zip(rows, metrics, strict=True):
        assert row["advantage_shift"] < 1e-3
        assert row["reward_mean"] == pytest.approx(line["reward/mean"], abs=1e-6)
        assert row["reward_group_std"] == pytest.approx(line["reward/group_std"], abs=1e-6)
        assert row["frac_zero_std"] == line["reward/frac_zero_std"]
        assert row["distinct_frames"] == line["select/distinct_frames"]
        assert row["advantage_abs_max"] == pytest.approx(line["advantage/abs_max"], abs=1e-3)


@pytest.mark.parametrize(("scale", "largest"), [("none", 0.5), ("group", 1.0), ("batch", 0.5 / math.sqrt(0.125))])
def test_each_scale_of_the_advantage(scale, largest):
    settings = SETTINGS.model_copy(update={"advantage_scale": scale, "advantage_eps": 1e-9})
    first, second = replay(GROUPS, settings)
    assert first["advantage_abs_max"] == pytest.approx(largest)
    assert first["advantage_shift"] == pytest.approx(abs(largest - 1), abs=1e-6)
    assert first["frac_zero_std"] == 0.5 and first["distinct_frames"] == 3
    assert second["reward_mean"] == pytest.approx(0.2) and second["advantage_abs_max"] == 0


def test_masked_groups_do_not_count():
    counts = [row["groups"] for row in replay(GROUPS, SETTINGS.model_copy(update={"zero_variance": "mask"}))]
    assert counts == [1, 0]
    assert [row["groups"] for row in replay(GROUPS, SETTINGS)] == [2, 1]


def test_the_command_writes_a_table_and_refuses_other_files(run, tmp_path, capsys):
    words = ["replay", str(run / "groups.jsonl"), "--advantage-scale", "none"]
    assert main([*words, "--out", str(tmp_path / "r.csv")]) == 0
    with (tmp_path / "r.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    assert main(words) == 0 and capsys.readouterr().out == (tmp_path / "r.csv").read_text()
    assert main(["replay", str(run / "metrics.jsonl")]) == 2
