"""Figures are drawn from whatever there is, say when it is synthetic, and do not change between equal runs."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.colors import to_hex
from refocus.cli.main import main
from refocus.config.tables import FiguresSettings
from refocus.core.errors import RefocusError
from refocus.evaluate.answers import UNREADABLE, Answer, AnswerSet
from refocus.qa.evidence import Evidence
from refocus.qa.records import Question, write_questions
from refocus.report import style
from refocus.report.accuracy_figure import draw_accuracy
from refocus.report.accuracy_panels import FAMILIES
from refocus.report.example_strips import MOST_PICTURES, Example, Picked, draw_examples, spread
from refocus.report.examples import BOTH, WIN, Material, choose, drawn_by_lot, first_win, proportion
from refocus.report.results import WORLD_GROUPS, BenchmarkData, Results
from refocus.report.series import read_metrics, smooth
from refocus.report.subsets_figure import _runs, draw_subsets
from refocus.report.training_figure import draw_curves
from refocus.report.variance_figure import draw_variance, read_variances
from refocus.select.last_frame import LAST_FRAME
from refocus.select.picks import Selection


def texts(figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def question(number: int, category: str = "moment/color", clip: str | None = None) -> Question:
    clip = clip or f"c{number}"
    return Question(
        f"q{number}", "videomme", "t", clip, "v.mp4", None, None, "?", ("a", "b"), 0, "a", category, f"{number}", ()
    )


def variances(*rows: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["qa_id", "variance", "category"])


def test_fig2_marks_tau_and_the_kept_share():
    figure = draw_variance(variances(("a", 0.1, ""), ("b", 0.5, "")), {"tau": 0.21, "kept": 1, "questions": 2})
    assert "τ = 0.21" in texts(figure) and "kept 1 of 2" in texts(figure) and "50.0%" in texts(figure)
    assert "synthetic" not in texts(figure)


def test_fig2_tells_apart_what_must_be_seen_in_the_synthetic_world():
    found = variances(("a", 0.1, "static/corner"), ("b", 0.5, "moment/color"), ("c", 0.4, "sequence/after"))
    figure = draw_variance(found, {"tau": 0.21, "kept": 1, "questions": 2})
    assert all(f"{name} (1)" in texts(figure) for name in WORLD_GROUPS.values())
    assert "synthetic world" in texts(figure)


def test_fig2_of_nothing_is_empty_not_an_error():
    assert "kept 0 of 0" in texts(draw_variance(variances(), {"tau": 0.21, "kept": 0, "questions": 0}))


def test_variances_are_joined_with_categories_and_questions_without_a_variance_are_left_out(tmp_path):
    rows = pa.table({"qa_id": ["q1", "b", "q0"], "variance": [0.3, None, 0.1]})
    pq.write_table(rows, tmp_path / "variance.parquet")
    (tmp_path / "summary.json").write_text(json.dumps({"tau": 0.21}))
    write_questions(tmp_path / "qa.parquet", [question(0, "static/corner"), question(2)], "ingest")
    found, summary = read_variances(tmp_path, [tmp_path / "qa.parquet"])
    assert found.values.tolist() == [["q1", 0.3, ""], ["q0", 0.1, "static/corner"]]
    assert summary == {"tau": 0.21}
    assert read_variances(tmp_path)[0]["category"].tolist() == ["", ""]
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
    with pytest.raises(RefocusError, match=r"metrics\.jsonl .* line 2 is no JSON"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_bars_show_every_selector_and_what_was_not_run():
    questions = tuple(question(n, ("moment/color", "static/corner")[n % 2]) for n in range(8))
    bench = BenchmarkData("videomme", "videomme", questions)
    rows = {q.qa_id: Answer((0,), (1.0, 0.0), 0, True, "A") for q in questions}
    made = [AnswerSet("videomme", "tiny", "x", name, n, 0, rows) for name, n in (("uniform", 4), ("oracle", 8))]
    text = texts(draw_accuracy(Results([bench], made), 4))
    assert "95 % confidence interval" in text and "99.5 % confidence" in texts(
        draw_accuracy(Results([bench], made), 4, 0.995)
    )
    assert "uniform" in text and "not run" in text and "one moment" in text and "synthetic world" in text


def test_every_lmm_has_its_bars_colored_by_what_a_selector_is():
    bench = BenchmarkData("b", "videomme", tuple(question(n, "") for n in range(4)))
    right = {"a": 1, "b": 3}
    selectors = {
        "uniform": "controls",
        "topk": "without training",
        "initial/r": "controls",
        "refocus/r": "learned",
        "swapped/r": "controls",
        "oracle": "oracle",
        "imported/x": "without training",
    }
    made = [
        AnswerSet(
            "b", lmm, "x", name, 4, 0, {f"q{n}": Answer((0,), (1.0, 0.0), 0, n < right[lmm], "A") for n in range(4)}
        )
        for lmm in right
        for name in selectors
    ]
    figure = draw_accuracy(Results([bench], made), 4)
    widths = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert widths == [[25.0] * 7, [75.0] * 7] and "a: b" in texts(figure)
    colors = [to_hex(bar.get_facecolor()).upper() for bar in figure.axes[0].patches]
    assert colors == [FAMILIES[family] for family in selectors.values()]


def picked(color: int, timestamps_s, shares=(), correct=None) -> Picked:
    images, chosen = np.full((len(timestamps_s), 8, 8, 3), color, np.uint8), int(np.argmax(shares)) if shares else -1
    return Picked(images, timestamps_s, chosen, shares, correct)


def example(*pictured: str, **picks: Picked) -> Example:
    names = {name.replace("_", "/"): pick for name, pick in picks.items()}
    shown = pictured or tuple(names)
    return Example(question(0), [0.0, 1.0, 2.0, 3.0], names, shown, [0.1, 0.2, 0.6, 0.1], [(1.5, 2.5)], WIN)


def test_examples_show_the_frames_that_were_picked_the_answers_and_how_it_came_out():
    uniform, ours = picked(50, [1.0], (0.3, 0.7), False), picked(200, [2.0, 3.0], (0.9, 0.1), True)
    other = picked(9, [2.0], (0.9, 0.1), True)
    shown = example("uniform", "refocus/demo", uniform=uniform, refocus_demo=ours, oracle=other)
    figure = draw_examples([shown], "a note")
    for part in ("a note", "ReFoCUS", "oracle (told the evidence) ✓", "A. a ✓ 90 %", "B. b ✗ 70 %", "right: A. a", WIN):
        assert part in texts(figure)
    pictures = [int(image.get_array().max()) for axes in figure.axes for image in axes.images]
    assert pictures == [50, 200, 200]  # the oracle has a lane, no pictures


def test_written_answers_are_shown_without_a_share_and_without_an_option_where_they_name_none():
    questions = (question(1), question(2))
    rows = {"q1": Answer((0,), (), 1, False, "B."), "q2": Answer((0,), (), -1, False, "no idea")}
    made = [AnswerSet("videomme", "tiny", "x", name, 2, 0, rows, "lmms_eval") for name in ("uniform", "refocus/demo")]
    picks = {one.selector: {q.qa_id: Selection((1,), (1.0,), (1,)) for q in questions} for one in made}
    results = Results([BenchmarkData("videomme", "videomme", questions)], made)
    examples, _ = drawn_by_lot(Material(results, picks, Store(), Evidence({}), {}, 2, FiguresSettings()))
    lines = texts(draw_examples(examples)).splitlines()
    assert lines.count("B. b ✗") == lines.count("✗") == 2, "a question each, by two selectors"


@pytest.mark.parametrize("count", [0, 1, 32])
def test_examples_hold_any_number_of_picks(count):
    axes = draw_examples([example(uniform=picked(50, [0.1 * n for n in range(count)]))]).axes
    assert sum(len(a.images) for a in axes) == min(count, MOST_PICTURES)


@pytest.mark.parametrize("times", [[5.0], [5.0, 5.1, 5.2], [0.0, 0.1, 9.9, 10.0], [1.0, 5.0, 9.0]])
def test_pictures_stay_in_order_apart_and_inside_and_move_no_more_than_they_must(times):
    middles = spread(times, 2.0, 0.0, 10.0)
    assert all(high - low >= 2.0 - 1e-9 for low, high in itertools.pairwise(middles))
    assert middles[0] >= 1.0 and middles[-1] <= 9.0
    if all(high - low >= 2.0 for low, high in itertools.pairwise([-1.0, *times, 11.0])):
        assert middles == pytest.approx(times)


def test_evidence_is_framed_and_lies_between_dashed_lines():
    figure = draw_examples([example(uniform=picked(50, [1.0, 2.0]))])
    strip = next(axes for axes in figure.axes if axes.images)
    framed = [patch for patch in strip.patches if to_hex(patch.get_edgecolor()) == "#000000"]
    assert len(framed) == 1, "the second of the two frames shows the evidence"
    dashed = {line.get_xdata()[0] for line in strip.lines if line.get_linestyle() == "--"}
    assert dashed == {1.5, 2.5}


def test_the_likelihood_is_that_of_the_samples_in_percent():
    curve = next(axes for axes in draw_examples([example(uniform=picked(50, [1.0]))]).axes if axes.patches)
    values = next(patch for patch in curve.patches if hasattr(patch, "get_data")).get_data().values
    assert values.tolist() == pytest.approx([10, 20, 60, 10])


def test_no_examples_are_a_figure_that_says_so():
    assert "none" in texts(draw_examples([], "none"))


def test_examples_are_drawn_by_lot_one_per_clip_in_the_proportion_of_the_results():
    questions = [question(n, clip=f"c{n // 2}") for n in range(80)]
    results = {q.qa_id: WIN if n % 4 == 0 else BOTH for n, q in enumerate(questions)}
    chosen = choose(questions, results, 8, seed=0)
    assert chosen == choose(questions[::-1], results, 8, seed=0) != choose(questions, results, 8, seed=1)
    assert len({q.clip_id for q in chosen}) == 8
    assert [results[q.qa_id] for q in chosen] == [BOTH] * 6 + [WIN] * 2
    assert len(choose(questions, results, 500, seed=0)) == 40


@pytest.mark.parametrize("places", range(9))
def test_places_are_shared_out_in_proportion_and_none_is_lost(places):
    counts = {"a": 5, "b": 2, "c": 1}
    shares = proportion(counts, places)
    assert sum(shares.values()) == places
    assert all(abs(shares[name] - places * counts[name] / 8) < 1 for name in counts)


class Store:
    """Stored clips of four frames; that of question 0 is missing."""

    def __contains__(self, clip_id):
        return clip_id != "c0"

    def record(self, clip_id):
        return SimpleNamespace(n_frames=4, timestamps_s=[0.0, 1.0, 2.0, 3.0])

    def images(self, clip_id, indices, size):
        return np.zeros((len(indices), 8, 8, 3), np.uint8)


def test_the_one_question_is_the_first_in_file_order_that_only_the_policy_answers_of_those_on_most_moments():
    questions = tuple(question(n) for n in range(5))
    right = {"uniform": (False, True, False, False, False), "refocus/demo": (True, True, False, True, True)}
    answers = {
        name: {q.qa_id: Answer((0,), (1.0, 0.0), 0, hit, "A") for q, hit in zip(questions, hits, strict=True)}
        for name, hits in right.items()
    }
    bench = BenchmarkData("videomme", "videomme", questions)
    results = Results([bench], [AnswerSet("videomme", "tiny", "x", name, 2, 0, rows) for name, rows in answers.items()])
    picks = {name: {q.qa_id: Selection((1,), (1.0,), (1,)) for q in questions} for name in right}
    material = Material(results, picks, Store(), Evidence({}), {}, 2, FiguresSettings())
    (shown,), note = first_win(material)
    assert shown.question.qa_id == "q3" and list(shown.picks) == ["uniform", "refocus/demo"] and note == ""
    truth = {(q.dataset, q.source_id): [(0.0, 2.0)] * (1 + (q.qa_id == "q4")) for q in questions}
    (shown,), _ = first_win(replace(material, truth=Evidence(truth)))
    assert shown.question.qa_id == "q4", "it needs two moments"
    unseen = {key: [(0.0, 2.0), (2.0, 3.0)] if key[1] == "4" else spans for key, spans in truth.items()}
    (shown,), _ = first_win(replace(material, truth=Evidence(unseen)))
    assert shown.question.qa_id == "q3", "the picks of q4 show one of its two moments"
    _, above = drawn_by_lot(material)
    assert "Of 4 questions, 2 are answered right only from ReFoCUS's frames, 1 from both" in above


@pytest.mark.parametrize(("flag", "counted"), [(LAST_FRAME, 2), (UNREADABLE, 1)])
def test_an_answer_counts_however_its_frames_were_picked_but_not_without_them(flag, counted):
    questions = (question(1), question(2))
    rows = {"q1": Answer((0,), (1.0, 0.0), 0, True, "A"), "q2": Answer((0,), (1.0, 0.0), 0, True, "A", (flag,))}
    bench, names = BenchmarkData("videomme", "videomme", questions), ("uniform", "refocus/demo")
    results = Results([bench], [AnswerSet("videomme", "tiny", "x", name, 2, 0, rows) for name in names])
    picks = {name: {q.qa_id: Selection((1,), (1.0,), (1,)) for q in questions} for name in names}
    _, above = drawn_by_lot(Material(results, picks, Store(), Evidence({}), {}, 2, FiguresSettings()))
    assert f"Of {counted} questions, 0 are answered right only from ReFoCUS's frames, {counted} from both" in above


def test_equal_figures_give_equal_files(tmp_path):
    files = [style.save(draw_subsets(32, 4), tmp_path / name, "fig", ("png", "svg"), 60) for name in "ab"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_the_command_draws_what_it_is_given(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1, "reward/mean": 0.5}\n')
    out = tmp_path / "figures"
    assert main(["figures", "--runs", f"demo={tmp_path / 'run'}", "--out", str(out), "--formats", '["svg"]']) == 0
    drawn = {"fig6_temporal_entropy.svg", "fig6_temporal_entropy.csv", "fig7_subsets.svg", "training.svg"}
    assert {path.name for path in out.iterdir()} == drawn
    assert main(["figures", "--answers", str(tmp_path), "--out", str(out)]) == 2
