"""Runs become settings with a mean and a range; Fig. 6 has a curve per T' and the numbers behind it."""

import csv
import io

import numpy as np
import pytest
from refocus.config.variants import Variant
from refocus.report.entropy_figure import KEY, draw_temporal_entropy, to_csv, uniform_entropy
from refocus.report.series import band, by_variant, smooth

VARIANTS = [
    Variant(label="T' = 4", trained="4", runs=("a0", "a1", "gone")),
    Variant(label="T' = 32", trained="32", runs=("b0",)),
]


def run(value: float, steps: int = 60, slope: float = 0.0) -> list[dict]:
    return [{"step": n, KEY: value + slope * n} for n in range(steps)] + [{"step": steps - 1, "validation/accuracy": 1}]


RUNS = {"a0": run(-1.0), "a1": run(-2.0, slope=0.01), "b0": run(0.0), "mine": run(0.5, 5)}


def test_a_band_is_the_mean_and_the_range_of_its_seeds():
    curve = band([RUNS["a0"], RUNS["a1"]], KEY)
    other = smooth([-2.0 + 0.01 * n for n in range(60)])
    assert curve.runs == 2 and list(curve.steps) == list(range(60))
    np.testing.assert_allclose(curve.mean, (other - 1.0) / 2)
    np.testing.assert_allclose(curve.low, other)
    np.testing.assert_allclose(curve.high, -1.0)


def test_a_seed_that_stopped_early_leaves_the_band_where_it_stopped():
    curve = band([run(0.0, 10), run(1.0, 20)], KEY, smoothed=False)
    np.testing.assert_allclose(curve.mean, [0.5] * 10 + [1.0] * 10)
    np.testing.assert_allclose(curve.low, [0.0] * 10 + [1.0] * 10)


def test_a_band_of_nothing_is_empty():
    assert band([[], [{"step": 1}]], KEY).runs == 0


def test_runs_without_a_setting_stand_alone_and_settings_without_runs_vanish():
    grouped = by_variant(RUNS, [*VARIANTS, Variant(label="T' = 8", runs=("c0",))])
    assert [(v.label, list(members)) for v, members in grouped.items()] == [
        ("T' = 4", ["a0", "a1"]), ("T' = 32", ["b0"]), ("mine", ["mine"]),
    ]  # fmt: skip


def test_fig6_has_a_curve_for_each_t_and_a_line_of_its_csv_for_each_step():
    axes = draw_temporal_entropy(RUNS, VARIANTS, "synthetic world").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["T' = 4 (2 seeds)", "T' = 32", "mine"]
    assert len(axes.collections) == 1, "one setting has several seeds"
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert levels == [uniform_entropy(4), uniform_entropy(32)]
    rows = list(csv.DictReader(io.StringIO(to_csv(RUNS, VARIANTS))))
    assert len(rows) == 60 * 3 + 5
    last = [row for row in rows if row["run"] == "a1"][-1]
    assert (last["setting"], last["trained_at"], last["step"]) == ("T' = 4", "4", "59")
    assert float(last["temporal_entropy"]) == pytest.approx(-2.0 + 0.59)


def test_fig6_of_runs_that_recorded_nothing_says_so():
    assert "not recorded" in draw_temporal_entropy({"a": []}).axes[0].texts[0].get_text()
