"""A study's page says what its runs show and nothing else: every sentence follows from numbers, gaps are named."""

import json
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.config.overlay import load
from refocus.config.selectors import slug
from refocus.evaluate.answers import Answer, AnswerSet, write_answers
from refocus.qa.records import Question, write_questions
from refocus.report.study import Study
from refocus.report.study_figures import draw_study
from refocus.report.study_page import page
from scipy import stats

SEEDS = (0, 1, 2)
KINDS = ["moment/color"] * 20 + ["static/corner"] * 5


def write_run(results: Path, run: str, reward: float, temporal: float, share: float = 0.5, steps: int = 50) -> None:
    """A finished run whose values rise to those given, and are constant in the last tenth."""
    folder = results / "train" / run
    (folder / "policy").mkdir(parents=True)
    (folder / "policy" / "config.json").write_text("{}")
    lines = []
    for step in range(steps):
        done = min(1.0, step / (0.8 * steps))
        values = {"reward/mean": done * reward, "select/temporal_entropy": done * temporal}
        lines.append({"step": step, **values, "policy/entropy_share": 1 - done * (1 - share)})
        if step % 10 == 0:
            lines.append({"step": step, "validation/reward": done * reward, "validation/accuracy": 0.5})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_results(results: Path, root, right: dict[str, int]) -> None:
    """Question tables and answers; `right`: moment-dependent questions of 20 answered right, by selector."""
    for name in root.use.benchmarks:
        where = ("v.mp4", None, None, "?", ("x", "y"), 0, "x")
        questions = [
            Question(f"{name}{n}", name, "test", f"c{n}", *where, kind, f"{n}", ()) for n, kind in enumerate(KINDS)
        ]
        write_questions(results / "qa" / f"{name}.parquet", questions, "ingest")
        for selector, count in right.items():
            for n in root.answer.n_frames:
                rows = {q.qa_id: Answer((0,), (0.0, 0.0), 0, i < count, "A") for i, q in enumerate(questions)}
                path = results / "answers" / name / "tiny" / slug(selector) / f"n{n}.s0.parquet"
                write_answers(path, AnswerSet(name, "tiny", "assets/lmm", selector, n, 0, rows), {})


@pytest.fixture
def root(repository):
    return load([repository / "config.yaml", repository / "config" / "study.yaml"])


@pytest.fixture
def results(root, tmp_path) -> Path:
    """All runs: learned beats uniform at T' = 2 and 4, not at 8; the curriculum gains; β = 0 collapses."""
    folder = tmp_path / "results"
    right = {"uniform": 10, "oracle": 20}
    for seed in SEEDS:
        for run, count in (("t2", 16), ("t4", 15), ("t8", 9), ("c8", 17), ("flat", 16)):
            right[f"refocus/{run}-s{seed}"] = count + (seed == 2)
            low = run == "flat"
            if run in ("t2", "flat"):
                right[f"swapped/{run}-s{seed}"] = 10 if run == "t2" else count + (seed == 1)
            write_run(folder, f"{run}-s{seed}", 0.5 if low else 0.8 + 0.01 * seed, (-3 if low else -1) - 0.1 * seed)
    write_results(folder, root, right)
    return folder


def test_the_page_says_what_the_numbers_say(root, results):
    text = page(Study(root, results), ["snakemake"], [])
    assert "Not run yet" not in text
    assert "at 2 of 3 values of T'" in text
    assert "| 2 | 50.0 | 81.7 [74.5, 88.8] | 80.0, 80.0, 85.0 | +31.7 [+24.5, +38.8] | 100.0 |" in text
    assert "| 8 | 50.0 | 46.7 [39.5, 53.8] |" in text
    assert "## A curriculum, T' = 2→4→8, against T' = 8 from the start" in text
    assert "Higher: accuracy with 8 frames, % (+40.0 [+40.0, +40.0])" in text
    assert "## β = 0 against β = 0.05" in text
    assert "shows in temporal entropy and reward" in text
    assert "accuracy is 0.0 [-12.4, 12.4] points lower: no sign that the picks depend on the question" in text
    assert "| the same with its picks for another question of the video, % | 81.7 [74.5, 88.8] | 50.0 [50.0" in text
    assert "policy, T' = 2, β = 0" in text
    assert "nan" not in text.lower()
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in tables} == {5, 6, 7}, "no cell holds a bar"


def test_no_collapse_is_told_where_there_is_none(root, results):
    for seed in SEEDS:
        (results / f"train/flat-s{seed}/metrics.jsonl").write_text(
            (results / f"train/t2-s{seed}/metrics.jsonl").read_text()
        )
    text = page(Study(root, results), [], [])
    assert "shows in neither temporal entropy nor reward" in text
    assert "Not significant: accuracy with 2 frames" in text


def test_intervals_are_students_over_paired_seeds(root, results):
    study = Study(root, results)
    (comparison,) = [c for c in study.comparisons if c.what == "entropy_weight"]
    row = next(row for row in study.rows(comparison) if row.measure.key == "reward/mean")
    differences = [0.5 - (0.8 + 0.01 * seed) for seed in SEEDS]
    assert row.difference.values == pytest.approx(differences)
    low, high = stats.t.interval(0.95, 2, loc=sum(differences) / 3, scale=0.01 / 3**0.5)
    assert (row.difference.low, row.difference.high) == pytest.approx((low, high))
    assert row.difference.sign == -1


def test_what_is_missing_is_named_and_left_out(root, results):
    """A run without its policy, answers of one selector, all of the curriculum."""
    (results / "train/t2-s1/policy/config.json").unlink()
    for seed in SEEDS:
        (results / f"train/c8-s{seed}/policy/config.json").unlink()
    for path in (results / "answers/mlvu/tiny/refocus--t4-s0").iterdir():
        path.unlink()
    study = Study(root, results)
    assert study.missing == ["run t2-s1", "run c8-s0", "run c8-s1", "run c8-s2", "answers of refocus/t4-s0"]
    text = page(study, [], [])
    assert "run t2-s1" in text and "Not run yet." in text
    assert "80.0, 85.0" in text, "two seeds of T' = 2 are left"


def test_one_seed_decides_nothing(root, results):
    for seed in (1, 2):
        (results / f"train/flat-s{seed}/policy/config.json").unlink()
    text = page(Study(root, results), [], []).split("## β = 0")[1]
    assert "With one seed there is no interval, so nothing is decided." in text
    assert "one seed |" in text and "no difference" not in text


def test_nothing_at_all_still_gives_a_page(root, tmp_path):
    study = Study(root, tmp_path)
    assert draw_study(study) == {}
    assert "Nothing to compare yet." in page(study, [], []) and "answers of uniform" in page(study, [], [])


def test_the_command_writes_the_page_and_a_picture_of_each(repository, results, tmp_path):
    files = ["--base", str(repository / "config.yaml"), "--configfile", str(repository / "config/study.yaml")]
    out = tmp_path / "docs" / "study.md"
    assert main(["study", *files, "--results", str(results), "--out", str(out)]) == 0
    names = {"accuracy", "curriculum-c8-s0", "entropy_weight-flat-s0", "fig6_temporal_entropy"}
    assert {path.stem for path in (tmp_path / "docs" / "study").iterdir()} == names
    assert all(f"![{name}](study/{name}.png)" in out.read_text() for name in names)
