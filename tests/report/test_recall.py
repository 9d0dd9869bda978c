"""Recall, coverage and precision of picks, what chance gives, and the maps of needles."""

import itertools
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.frames.sampling import uniform
from refocus.qa.evidence import Evidence, visible
from refocus.qa.records import Question
from refocus.report.needle_figure import draw_needles
from refocus.report.needle_maps import found, grid, needle_csv, needle_table, shown_rows
from refocus.report.recall import Sought
from refocus.report.recall_figure import draw_recall
from refocus.report.recall_set import RecallSet, SoughtGroup, read_truth
from refocus.report.recall_table import recall_table
from refocus.report.results import BenchmarkData, result_rows
from refocus.report.selector_names import readable
from refocus.report.table_files import to_markdown
from refocus.select.picks import Selection

TIMES = tuple(float(n) for n in range(10))


def question(number: int) -> Question:
    return Question(
        f"q{number}", "b", "t", f"c{number}", "v.mp4", None, None, "?", ("a", "b"), 0, "a", "", str(number), ()
    )


def sought(*spans, number: int = 0, times=TIMES) -> Sought:
    return Sought(question(number), tuple(visible(span, times) for span in spans), tuple(times))


def picks(*times: float) -> Selection:
    frames = tuple(range(len(times)))
    return Selection(frames, times, frames)


@pytest.mark.parametrize(
    ("times", "recall", "coverage", "precision"),
    [
        ((2.0, 7.0), 1.0, 1.0, 1.0),
        ((2.0, 3.0), 0.5, 0.0, 1.0),
        ((2.0, 4.0, 5.0, 9.0), 0.5, 0.0, 0.25),
        ((0.0,), 0.0, 0.0, 0.0),
        ((), 0.0, 0.0, 0.0),
    ],
)
def test_recall_counts_spans_and_precision_picks(times, recall, coverage, precision):
    made = sought((2.0, 4.0), (6.5, 8.0)).measure(picks(*times))
    assert made == {"recall": recall, "coverage": coverage, "precision": precision}


@pytest.mark.parametrize(("span", "frame"), [((3.2, 3.4), 3.0), ((9.5, 9.5), 9.0), ((-2.0, -1.0), 0.0)])
def test_a_span_between_two_kept_frames_is_shown_by_the_frame_of_its_middle(span, frame):
    hits = [time_s for time_s in TIMES if sought(span).measure(picks(time_s))["recall"]]
    assert hits == [frame]


@pytest.mark.parametrize("k", [1, 2, 4, 10])
def test_chance_is_the_mean_over_all_choices_of_frames(k):
    one = sought((2.0, 4.0), (6.5, 8.0))
    every = [one.measure(picks(*chosen))["recall"] for chosen in itertools.combinations(TIMES, k)]
    assert one.by_chance(k) == pytest.approx(np.mean(every))


@pytest.mark.parametrize(("total", "width", "k"), [(64, 8, 4), (128, 8, 4), (96, 5, 8), (40, 30, 4)])
def test_the_arithmetic_of_even_spacing_is_the_mean_over_places_of_the_needle(total, width, k):
    """Places wrap around, as those at the ends would else be counted less."""
    times = tuple(map(float, range(total)))
    chosen = set(uniform(total, k))
    hits = [bool(chosen & {(first + n) % total for n in range(width)}) for first in range(total)]
    assert sought((0.0, float(width)), times=times).by_uniform(k) == pytest.approx(np.mean(hits))


class Store:
    def __contains__(self, clip_id):
        return clip_id != "c3"

    def record(self, clip_id):
        return SimpleNamespace(timestamps_s=TIMES)


def test_every_question_is_counted_or_passed_over_for_one_reason():
    truth = {f"q{n}": [span] for n, span in enumerate([(2.0, 4.0), (0.0, 10.0), (5.0, 5.1), (1.0, 2.0)])}
    group = SoughtGroup("b")
    group.add([question(n) for n in range(5)], Evidence(truth, complete=False), Store())
    assert [one.question.qa_id for one in group.sought] == ["q0", "q2"]
    assert (group.everywhere, group.unreadable, group.unknown) == (1, 1, 1)


def test_tables_of_evidence_find_their_benchmarks_in_any_order(tmp_path):
    """Two benchmarks may name their questions alike; a table about neither serves the one that has none."""
    for name, start in (("a", 1.0), ("elsewhere", 5.0)):
        rows = {"source_id": ["0"], "dataset": [name], "start_s": [start], "end_s": [start + 1]}
        pq.write_table(pa.table(rows), tmp_path / f"{name}.parquet")
    paths = [tmp_path / "elsewhere.parquet", tmp_path / "a.parquet"]
    benchmarks = [BenchmarkData(name, "", ()) for name in "ab"]
    for order in (paths, paths[::-1]):
        assert read_truth(order, benchmarks).spans == {("a", "0"): [(1.0, 2.0)], ("b", "0"): [(5.0, 6.0)]}


def recall_set(groups) -> RecallSet:
    asked = [one for group in groups for one in group.sought]
    hit = {one.question.qa_id: picks(one.spans_s[0][0]) for one in asked}
    half = {qa_id: made if n % 2 else picks(0.0) for n, (qa_id, made) in enumerate(hit.items())}
    miss = {qa_id: picks(0.0) for qa_id in hit}
    made = {("uniform", 1): miss, ("topk", 1): half, ("aks", 1): hit, ("refocus/a", 1): hit, ("refocus/b", 1): half}
    return RecallSet(groups, made, [1], result_rows({name for name, _ in made}), 0.95, is_world=False)


def test_the_table_has_every_selector_the_mean_over_seeds_chance_and_what_was_passed_over():
    group = SoughtGroup("b", [sought((2.0, 4.0), number=n) for n in range(8)], unknown=3)
    text = to_markdown(recall_table(recall_set([group])))
    rows = {line.split("|")[2].strip(): line.split("|")[3].strip() for line in text.splitlines() if "(n=8)" in line}
    assert rows["uniform"] == "0.0" and rows["aks"] == "100.0" and rows["topk"].startswith("50.0 [")
    assert rows["refocus (mean of 2 runs)"].startswith("75.0 [")
    assert rows["frames drawn without looking (expected)"] == "20.0"
    assert "95% interval over videos" in text
    assert "not counted, as nothing says when their answer can be seen: 3 of b" in text


def test_a_figure_is_drawn_even_where_no_evidence_is_known():
    shown = draw_recall(recall_set([SoughtGroup("b", unknown=3)]), 1)
    assert any("nothing says" in text.get_text() for text in shown.texts)


def needles() -> SoughtGroup:
    group = SoughtGroup("niah")
    for number, (total, first) in enumerate(itertools.product((16, 32), range(1, 13))):
        times = tuple(map(float, range(total)))
        start = first * (total - 4) / 13
        group.sought.append(sought((start, start + 4.0), number=number, times=times))
    return group


def test_every_needle_lies_in_one_cell_and_the_cells_give_the_whole():
    group = needles()
    data, cells = recall_set([group]), grid(group.sought, 4)
    assert cells.lengths == (16, 32)
    assert sorted(one.question.qa_id for one in cells.whole.sought) == sorted(
        one.question.qa_id for one in group.sought
    )
    assert all(
        3 * d / 12 - 0.1 <= one.depth <= (3 * d + 3) / 12 + 0.1 for (d, _), c in cells.cells.items() for one in c.sought
    )
    row = next(row for row in data.rows if row.name == "topk")
    counts = np.array([[len(cells.cells[d, column].sought) for column in range(2)] for d in range(4)])
    assert (found(data, cells, row, 1) * counts).sum() / counts.sum() == pytest.approx(0.5)


def test_many_lengths_are_put_together_by_octaves():
    every = [sought((2.0, 4.0), times=tuple(map(float, range(n)))) for n in range(20, 40)]
    assert grid(every, 2).lengths == (32, 64)


def test_fig5_shows_uniform_the_best_without_training_and_ours_with_the_arithmetic():
    group = needles()
    data, cells = recall_set([group]), grid(group.sought, 4)
    assert [row.kind for row in shown_rows(data, cells, 1)] == ["uniform", "aks", "refocus"]
    text = "\n".join(item.get_text() for item in draw_needles(data, cells, 1).findobj(lambda a: hasattr(a, "get_text")))
    for part in ("uniform: 0 % found", "best without training, AKS: 100 % found", "25.0 % at 16, 12.5 % at 32 frames"):
        assert part in text
    first, *_ = needle_table(data, cells, 1).rows
    assert [cell.score.value for cell in first[1]] == [0.25, 0.125, 0.1875]
    assert len(needle_csv(data, cells, 1).splitlines()) == 1 + len(data.rows) * 8


def test_selectors_have_names_for_readers_and_runs_only_where_they_tell_them_apart():
    assert readable(["topk-options", "refocus/demo"]) == ["top-k similarity (with options)", "ReFoCUS"]
    assert readable(["refocus/a", "refocus/b", "imported/x"]) == ["ReFoCUS [a]", "ReFoCUS [b]", "imported/x"]
    assert readable(["refocus T' = 8 (mean of 3 runs)"]) == ["ReFoCUS T' = 8 (mean of 3 runs)"]
