"""The numbers of a step: documented, right on cases known in closed form."""

import math
import re

import numpy as np
import pytest
from refocus.train.curves import draw, running_mean
from refocus.train.metrics import temporal_entropy
from refocus.train.run_log import RunLog, read

from tests.support.tiny_training import SETTINGS, build_trainer


def test_every_metric_is_documented(repository, tmp_path):
    """docs/metrics.md names what metrics.jsonl holds, no more and no less."""
    runtime = SETTINGS.runtime.model_copy(update={"validate_every": 1})
    changes = {"max_steps": 1, "curriculum": ((0.0, 1),), "runtime": runtime}
    build_trainer(tmp_path, SETTINGS.model_copy(update=changes)).run()
    logged = {name for line in read(tmp_path / "out" / "metrics.jsonl") for name in line} - {"step"}
    table = (repository / "docs" / "metrics.md").read_text().split("\n## Every number\n")[1]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])} == logged


def test_temporal_entropy_tells_spread_from_crowding():
    """Near 0 for uniform times, log(w) for times inside a fraction w of the clip, and no number for one pick."""
    rng = np.random.default_rng(0)
    spread = np.mean([temporal_entropy(rng.choice(100_000, 64, replace=False), 100_000) for _ in range(50)])
    crowd = np.mean([temporal_entropy(rng.choice(10_000, 64, replace=False), 100_000) for _ in range(50)])
    assert spread == pytest.approx(0.0, abs=0.1)
    assert crowd == pytest.approx(math.log(0.1), abs=0.1)
    assert temporal_entropy([3], 10) == 0.0
    assert math.isfinite(temporal_entropy([3, 4], 10))


def test_temporal_entropy_of_repeated_picks_is_finite():
    """One frame again and again has the entropy of its time; more repeats, less entropy; without any, the formula."""
    for n in (2, 3, 4, 32):
        assert temporal_entropy([7] * n, 100) == pytest.approx(-math.log(100))
    rows = [[0, 25, 50, 75], [0, 25, 50, 50], [0, 50, 50, 50], [50, 50, 50, 50]]
    values = [temporal_entropy(row, 100, k=1) for row in rows]
    assert values == sorted(values, reverse=True) and len(set(values)) == 4
    assert temporal_entropy([0, 1, 2, 3], 100, k=1) == pytest.approx(1 + 1 / 2 + 1 / 3 + math.log(2 / 100))


def test_a_resumed_record_is_cut_back(tmp_path):
    """Lines from the resumed step on and a half-written line are gone, in the events too."""
    record = RunLog(tmp_path, tmp_path / "out", 0, tensorboard=False)
    for step in range(4):
        record.metrics(step, {"reward/mean": step})
        record.groups(step, [{"qa_id": "a"}])
    record.close()
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 4, "rew')
    RunLog(tmp_path, tmp_path / "out", 2, tensorboard=False).close()
    for name in ("metrics.jsonl", "groups.jsonl"):
        assert [line["step"] for line in read(tmp_path / name)] == [0, 1]
        assert (tmp_path / name).read_text() == (tmp_path / "out" / name).read_text()


def test_running_mean_looks_back_only():
    """Mean over the last values, over fewer at the start."""
    np.testing.assert_allclose(running_mean(np.array([1.0, 3.0, 5.0, 7.0]), 2), [1, 2, 4, 6])


def test_curves_are_drawn_even_for_a_run_of_nothing(tmp_path):
    """A run without steps still has its files."""
    draw([], tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 0 and (tmp_path / "curves.svg").stat().st_size > 0
