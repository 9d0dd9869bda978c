"""Each benchmark's figures as its authors and lmms-eval make them, against sums done by hand."""

import csv
import io

import pytest
from refocus.config.tables import TablesSettings
from refocus.evaluate.answers import OPEN, Answer, AnswerSet
from refocus.qa.adapters.videommmu import BEFORE_LECTURE
from refocus.qa.records import Question
from refocus.report.columns import columns_of
from refocus.report.knowledge_table import table2
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import to_csv, to_latex, to_markdown
from refocus.report.tables import table1

SETTINGS = TablesSettings(bootstrap_resamples=50)
PAPER_LMM = "OpenGVLab/InternVL3-8B-hf"


def asked(bench: str, name: str, video: str, category: str, *flags: str, options=("x", "y")) -> Question:
    right = 0 if options else -1
    text = (video, f"{video}.mp4", None, None, "?", tuple(options), right, "x", category, name, flags)
    return Question(f"{bench}-{name}", bench, "test", *text)


def answered(bench: BenchmarkData, right: str, selector: str = "uniform", frames: int = 1) -> AnswerSet:
    """`right` holds one letter per question: 1 right, 0 wrong, o open."""
    made = {
        question.qa_id: Answer((0,), flags=(OPEN,)) if letter == "o" else Answer((0,), (0.0,), 0, letter == "1", "A")
        for question, letter in zip(bench.questions, right, strict=True)
    }
    return AnswerSet(bench.name, "lmm", PAPER_LMM, selector, frames, 0, made)


def row_of(table) -> dict[str, str]:
    return next(csv.DictReader(io.StringIO(to_csv(table))))


def test_videomme_by_duration_where_overall_is_also_the_mean_of_equal_groups():
    groups = ("short", "medium", "long")
    bench = BenchmarkData(
        "mme",
        "videomme",
        tuple(asked("mme", f"{g}{n}", f"{g}{n // 3}", "Counting", f"duration:{g}") for g in groups for n in range(6)),
    )
    row = row_of(table1(Results([bench], [answered(bench, "111110" + "111000" + "100000")]), 1, SETTINGS))
    values = [float(row[f"mme.{group}"]) for group in (*groups, "overall")]
    assert values == pytest.approx([500 / 6, 50, 100 / 6, 50], abs=1e-3)
    assert sum(values[:3]) / 3 == pytest.approx(values[3], abs=1e-3)


def test_longvideobench_by_its_four_groups_and_over_questions():
    """Of 1, 1, 2 and 4 questions 1, 0, 1 and 3 are right: overall 5 of 8, not the mean of the groups, 56.25 %."""
    sizes = {"15": 1, "60": 1, "600": 2, "3600": 4}
    bench = BenchmarkData(
        "lvb",
        "longvideobench",
        tuple(
            asked("lvb", f"{s}-{n}", f"{s}-{n}", "S2E", f"duration_group:{s}") for s in sizes for n in range(sizes[s])
        ),
    )
    row = row_of(table1(Results([bench], [answered(bench, "1" + "0" + "10" + "1110")]), 1, SETTINGS))
    assert [float(row[f"lvb.{s} s"]) for s in sizes] == [100, 0, 50, 75]
    assert [row[f"lvb.{s} s.n"] for s in sizes] == ["1", "1", "2", "4"]
    assert float(row["lvb.overall"]) == 62.5


def test_mlvu_macro_over_tasks_and_micro_over_questions():
    """plotQA 2 of 2, needle 1 of 4, ego 0 of 1: m-avg (100 + 25 + 0) / 3, micro 3 of 7."""
    tasks = ["plotQA"] * 2 + ["findNeedle"] * 4 + ["ego"]
    bench = BenchmarkData("mlvu", "mlvu", tuple(asked("mlvu", str(n), str(n), task) for n, task in enumerate(tasks)))
    row = row_of(table1(Results([bench], [answered(bench, "11" + "1000" + "0")]), 1, SETTINGS))
    assert float(row["mlvu.m-avg"]) == pytest.approx(125 / 3, abs=1e-3)
    assert float(row["mlvu.overall"]) == pytest.approx(300 / 7, abs=1e-3)


def lectures() -> BenchmarkData:
    """Two questions a track about the same two lectures, and an open one in Adaptation."""
    tracks = ("Perception", "Comprehension", "Adaptation")
    rows = [asked("mmmu", f"{t}/{n}", f"lecture{n}", t, f"track:{t}") for t in tracks for n in (1, 2)]
    return BenchmarkData(
        "mmmu", "videommmu", (*rows, asked("mmmu", "Adaptation/3", "lecture3", "Adaptation", options=()))
    )


def pictures() -> BenchmarkData:
    rows = [asked("before", f"Adaptation/{n}", f"picture{n}", "Adaptation", BEFORE_LECTURE) for n in (2, 1)]
    return BenchmarkData("before", "videommmu", tuple(rows))


def test_videommmu_by_track_and_overall_as_the_mean_of_the_tracks():
    """Open questions do not count, so that Adaptation has two like the others."""
    bench = lectures()
    results = Results([bench], [answered(bench, "11" + "10" + "00" + "o", frames=32)])
    row = row_of(table2(results, 32, SETTINGS))
    assert [float(row[f"mmmu.{t}"]) for t in ("perception", "comprehension", "adaptation", "overall")] == [
        100,
        50,
        0,
        50,
    ]
    assert (row["mmmu.adaptation.n"], row["mmmu.perception.paper"], row["mmmu.delta.paper"]) == ("2", "73.0", "-0.1")
    assert row["mmmu.delta"] == "" and "not asked without the lecture" in to_markdown(table2(results, 32, SETTINGS))
    assert "1 answers to open questions are not counted" in to_markdown(table2(results, 32, SETTINGS))


def test_overall_weighs_tracks_not_questions():
    """Where a track has lost questions: Perception 2 of 2, Adaptation 0 of 1 is 50, not 67."""
    rows = [asked("m", f"P/{n}", "a", "Perception") for n in (1, 2)] + [asked("m", "A/1", "a", "Adaptation")]
    bench = BenchmarkData("m", "videommmu", tuple(rows))
    row = row_of(table2(Results([bench], [answered(bench, "110")]), 1, SETTINGS))
    assert float(row["m.overall"]) == 50


def test_knowledge_gained_pairs_each_question_with_itself_without_the_lecture():
    """Before, one of two is right; after uniform none, after ours both: all of what was left is lost, and gained."""
    bench, before = lectures(), pictures()
    made = [
        answered(bench, "11" + "11" + "00" + "o"),
        answered(bench, "11" + "11" + "11" + "o", "refocus/a"),
        answered(before, "10"),
    ]
    results = Results([bench, before], made)
    table = table2(results, 1, SETTINGS)
    rows = {row["selector"]: row for row in csv.DictReader(io.StringIO(to_csv(table)))}
    assert float(rows["uniform"]["mmmu.delta"]) == -100
    assert (float(rows["refocus/a"]["mmmu.delta"]), float(rows["refocus/a"]["mmmu.delta.gain"])) == (100, 200)
    assert "before: 1 frames of the question's picture" in to_markdown(table)


def test_latex_has_a_delta_that_it_can_set():
    bench = lectures()
    text = to_latex(table2(Results([bench], [answered(bench, "11" + "10" + "00" + "o")]), 1, SETTINGS))
    assert r"$\Delta$knowledge" in text and "Δ" not in text


def test_questions_without_their_lecture_are_no_benchmark_of_their_own():
    bench, before = lectures(), pictures()
    results = Results([bench, before], [answered(bench, "111111o"), answered(before, "00")])
    assert list(results.benchmarks) == ["mmmu"]
    assert [key for key, _ in table1(results, 1, SETTINGS).columns] == ["mmmu.overall", "seconds"]


def test_there_is_no_table_2_without_video_mmmu():
    bench = BenchmarkData("mlvu", "mlvu", (asked("mlvu", "0", "0", "ego"),))
    assert table2(Results([bench], [answered(bench, "1")]), 1, SETTINGS) is None


@pytest.mark.parametrize(("form", "last"), [("videomme", "overall"), ("mlvu", "overall"), ("cgbench", "overall")])
def test_the_figure_of_the_whole_comes_last(form, last):
    assert columns_of(BenchmarkData("b", form, (asked("b", "0", "0", "k", "duration:short"),)))[-1].group == last
