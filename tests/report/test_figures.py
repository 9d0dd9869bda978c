"""Figures are drawn from whatever there is, say when it is synthetic, and do not change between equal runs."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.cli.main import main
from refocus.core.errors import RefocusError
from refocus.evaluate.answers import Answer, AnswerSet
from refocus.qa.records import Question
from refocus.report import style
from refocus.report.accuracy_figure import draw_accuracy
from refocus.report.example_strips import Example, draw_examples
from refocus.report.examples import choose
from refocus.report.results import BenchmarkData, Results
from refocus.report.series import read_metrics, smooth
from refocus.report.subsets_figure import _runs, draw_subsets
from refocus.report.training_figure import draw_curves
from refocus.report.variance_figure import draw_variance, read_variances


def texts(figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def question(number: int, category: str = "moment/color", clip: str | None = None) -> Question:
    clip = clip or f"c{number}"
    return Question(
        f"q{number}", "videomme", "t", clip, "v.mp4", None, None, "?", ("a", "b"), 0, "a", category, f"{number}", ()
    )


def test_fig2_marks_tau_and_the_kept_share():
    figure = draw_variance({"a": 0.1, "b": 0.5}, {"tau": 0.21, "kept": 1, "questions": 2})
    assert "τ = 0.21" in texts(figure) and "kept 1 of 2" in texts(figure) and "50.0%" in texts(figure)
    assert "synthetic" not in texts(figure)


def test_fig2_tells_moments_from_statics_in_the_synthetic_world():
    kinds = {"a": "static/corner", "b": "moment/color"}
    figure = draw_variance({"a": 0.1, "b": 0.5}, {"tau": 0.21, "kept": 1, "questions": 2}, kinds)
    assert "moment-dependent (1)" in texts(figure) and "synthetic world" in texts(figure)


def test_fig2_of_nothing_is_empty_not_an_error():
    assert "kept 0 of 0" in texts(draw_variance({}, {"tau": 0.21, "kept": 0, "questions": 0}))


def test_questions_without_a_variance_are_left_out(tmp_path):
    pq.write_table(pa.table({"qa_id": ["a", "b"], "variance": [0.3, None]}), tmp_path / "variance.parquet")
    (tmp_path / "summary.json").write_text(json.dumps({"tau": 0.21}))
    assert read_variances(tmp_path) == ({"a": 0.3}, {"tau": 0.21})
    with pytest.raises(RefocusError, match="nowhere"):
        read_variances(tmp_path / "nowhere")


@pytest.mark.parametrize("windows", ["wrapped", "literal"])
def test_fig7_has_a_row_for_each_of_the_16_subsets(windows):
    axes = draw_subsets(64, 8, windows).axes[0]
    assert len(axes.get_yticks()) == 16
    assert all(len(line.get_xdata()) == 8 for line in axes.lines[-8:])


def test_runs_are_contiguous_stretches():
    assert _runs((0, 1, 5, 6, 7)) == [(0, 2), (5, 8)]
    assert _runs(()) == []


def test_curves_name_every_run_and_say_what_was_not_recorded():
    figure = draw_curves({"demo": [{"step": n, "reward/mean": 0.1 * n} for n in range(3)]}, note="synthetic world")
    assert "demo" in texts(figure) and "not recorded" in texts(figure) and "synthetic world" in texts(figure)


def test_smoothing_keeps_constants_and_stays_inside_the_data():
    assert smooth([2.0] * 50) == pytest.approx(np.full(50, 2.0))
    values = np.random.default_rng(0).random(100)
    assert values.min() <= smooth(values).min() and smooth(values).max() <= values.max()


def test_broken_metrics_are_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    with pytest.raises(RefocusError, match=r"metrics\.jsonl"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_bars_show_every_selector_and_what_was_not_run():
    questions = tuple(question(n, ("moment/color", "static/corner")[n % 2]) for n in range(8))
    bench = BenchmarkData("videomme", "videomme", questions)
    rows = {q.qa_id: Answer((0,), (1.0, 0.0), 0, True, "A") for q in questions}
    made = [AnswerSet("videomme", "tiny", "x", name, n, 0, rows) for name, n in (("uniform", 4), ("oracle", 8))]
    text = texts(draw_accuracy(Results([bench], made), 4))
    assert "uniform" in text and "not run" in text and "moment-dependent" in text and "synthetic world" in text


def test_strips_show_picks_answers_and_evidence():
    thumbnails = np.zeros((3, 8, 8, 3), np.uint8)
    picks = {"uniform": ([1.0], False), "refocus/demo": ([2.0], True)}
    example = Example(question(0), thumbnails, [0.0, 1.0, 2.0, 3.0], picks, [0.1, 0.2, 0.6, 0.1], [(1.5, 2.5)])
    text = texts(draw_examples([example], "synthetic world"))
    assert "uniform ✗" in text and "refocus/demo ✓" in text and "A. a ✓" in text and "Eq. 10" in text


class Store:
    def __contains__(self, clip_id):
        return clip_id != "c0"

    def record(self, clip_id):
        return type("Record", (), {"n_frames": 0 if clip_id == "c1" else 9})


def test_examples_are_chosen_by_seed_with_one_per_clip_and_kinds_in_turn():
    """Clips that are missing (c0) or failed (c1) are never drawn."""
    kinds = ("moment/color", "moment/place", "static/corner")
    questions = [question(n, kinds[n % 3], f"c{n // 3}") for n in range(24)]
    chosen = choose(questions, Store(), 4, seed=0)
    assert chosen == choose(questions[::-1], Store(), 4, seed=0)
    assert len({q.clip_id for q in chosen}) == 4 and not {"c0", "c1"} & {q.clip_id for q in chosen}
    assert {q.category for q in chosen} == set(kinds)
    assert len(choose(questions, Store(), 100, seed=0)) == 6


def test_equal_figures_give_equal_files(tmp_path):
    files = [style.save(draw_subsets(32, 4), tmp_path / name, "fig", ("png", "svg"), 60) for name in "ab"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_the_command_draws_what_it_is_given(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1, "reward/mean": 0.5}\n')
    out = tmp_path / "figures"
    assert main(["figures", "--train", f"demo={tmp_path / 'run'}", "--out", str(out), "--formats", '["svg"]']) == 0
    drawn = {"fig6_temporal_entropy.svg", "fig6_temporal_entropy.csv", "fig7_subsets.svg", "training.svg"}
    assert {path.name for path in out.iterdir()} == drawn
    assert main(["figures", "--answers", str(tmp_path), "--out", str(out)]) == 2
