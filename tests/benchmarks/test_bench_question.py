"""The benchmark of whole questions: every part is measured, and its formulas give the costs that are known."""

import pytest
from refocus.plan.model_shapes import PUBLISHED
from refocus.policy.config import MAMBA2_SIZES, PolicyConfig

from benchmarks import bench_question
from benchmarks.bench_question import Case, Spent, beside_others, measure, report
from benchmarks.question_formula import (
    A100,
    BFLOAT16,
    FLOAT32,
    H200,
    PaperModels,
    key_value_bytes,
    lmm_parameters,
    stack_parameters,
)
from tests.support.videos import write_video

SPENT = Spent(240, 32, 2.0, 0.5, 0.0, 0.25, 0.25, 3.5, 400.0, 700.0)


@pytest.fixture(scope="module")
def models():
    return PaperModels()


def test_every_part_of_some_questions_about_a_video_is_measured(tmp_path):
    """Eight candidates; further questions cost less than the first, which reads the frames."""
    write_video(tmp_path / "video.mp4", [n / 30 for n in range(60)])
    spent = measure(Case(tmp_path / "video.mp4", 3, picks=4), lambda: None)
    assert spent.candidates == 8 and 4 <= spent.shown <= 8
    assert min(spent.decode, spent.first, spent.others, spent.again, spent.answer) > 0
    assert spent.all == pytest.approx(spent.decode + spent.first + spent.others + spent.again + spent.answer)
    assert 0 < spent.loaded_mb <= spent.peak_mb
    assert (spent.decodes, spent.readings) == (1, 1)


def test_what_is_computed_again_for_a_further_question_misses_the_bar():
    good = Spent(**{**vars(SPENT), "others": 0.7})
    slow, again = (Spent(**{**vars(good), **change}) for change in ({"others": 0.8}, {"readings": 2}))
    assert bench_question.missed({(1, 1): SPENT, (10, 10): good}) == []
    missed = bench_question.missed({(10, 10): slow, (60, 10): again})
    assert [line.partition(",")[0] for line in missed] == ["10 minutes", "60 minutes"]
    assert "| 10 | 10 | 2.50 | 3.20 | 1.28 | 1 | 1 | – |" in bench_question.shared({(10, 10): good})


def test_questions_differ(tmp_path):
    assert len({one.question for one in bench_question.questions(Case(tmp_path / "video.mp4", 10))}) == 10


def test_the_cheapest_round_counts_and_the_largest_peak(monkeypatch, tmp_path):
    rounds = iter([SPENT, Spent(**{**vars(SPENT), "decode": 1.0, "peak_mb": 650.0})])
    monkeypatch.setattr(bench_question, "run_jobs", lambda *_: [(0, next(rounds))])
    found = bench_question.best({1: tmp_path}, 2, counts=(1,))
    assert (found[1, 1].decode, found[1, 1].peak_mb) == (1.0, 700.0)


def test_the_page_has_every_case_and_says_what_is_computed(models):
    spent = {(1, 1): SPENT, (1, 10): SPENT, (60, 1): SPENT, (60, 10): SPENT}
    page = report(spent, models, "command")
    assert (page.count("\n| 1 | 10 | "), page.count("\n| 60 | 1 | ")) == (4, 3)
    assert page.index("**Measured**") < page.index("**Computed, not measured**") and "nan" not in page
    tables = [part for part in page.split("\n\n") if part.startswith("| ")]
    assert len(tables) == 6
    assert all(len({line.count("|") for line in part.strip().splitlines()}) == 1 for part in tables)


def test_the_command_writes_its_page_between_the_marks(monkeypatch, tmp_path, capsys):
    file, start, stop = tmp_path / "page.md", "before\n<!-- bench-question -->\n", "<!-- /bench-question -->\nafter\n"
    file.write_text(start + stop)
    monkeypatch.setattr(bench_question, "rendered", lambda *_: tmp_path / "minute.mp4")
    monkeypatch.setattr(bench_question, "long_video", lambda *_: tmp_path / "video.mp4")
    monkeypatch.setattr(bench_question, "best", lambda videos, rounds: {(length, 1): SPENT for length in videos})
    monkeypatch.setattr("sys.argv", ["bench", "--minutes", "1", "5", "--out", str(file)])
    assert bench_question.main() == 0
    page = capsys.readouterr().out
    assert file.read_text() == start + page + stop and "--rounds 2 --minutes 1 5`" in page


def test_ours_beside_others_is_the_measured_decode_and_the_computed_rest(models):
    rows = [line.strip("| ").split(" | ") for line in beside_others(models, {(1, 1): SPENT}).splitlines()[2:]]
    load = models.load(60, 1)
    rest = models.select_s(load, A100, BFLOAT16) + models.answer_s(load, A100)
    assert "bf16" in rows[1][0] and rows[1][1] == "2.25" and float(rows[1][4]) == pytest.approx(2.25 + rest, abs=0.01)
    assert "float32" in rows[0][0] and float(rows[0][4]) > float(rows[1][4])
    assert [row[4] for row in rows[2:]] == ["6.81", "12.49"]


@pytest.mark.parametrize(("name", "billions"), [("1B", 0.94), ("2B", 2.09), ("8B", 7.94)])
def test_weights_are_those_of_the_published_models(name, billions):
    assert lmm_parameters(PUBLISHED[f"OpenGVLab/InternVL3-{name}-hf"]) == pytest.approx(billions * 1e9, rel=0.01)


@pytest.mark.parametrize(("size", "billions"), [("370m", 0.37), ("1.3b", 1.34), ("2.7b", 2.70)])
def test_stacks_are_as_large_as_the_published_ones(size, billions):
    width, layers = MAMBA2_SIZES[size]
    config = PolicyConfig(width=width, layers=layers)
    assert stack_parameters(config) + config.vocab * width == pytest.approx(billions * 1e9, rel=0.01)


def test_one_question_costs_the_papers_models_what_a_pass_over_each_prompt_costs(models):
    """A prompt of 32 frames: 1.28e14 FLOP of 8B, 2.4e13 of its tower; 512 frames: 3.4e14 of SigLIP, 2.6e14 of 1.3B."""
    load = models.load(600, 1)
    assert (load.frames, load.answer.frames, load.select.frames) == (512, 32, 512)
    assert load.answer.flops == pytest.approx(1.28e14 + 2.4e13, rel=0.03)
    assert load.select.flops == pytest.approx(3.4e14 + 2.6e14, rel=0.03)
    assert key_value_bytes(models.model.shape) == 56 * 1024


def test_ten_questions_read_the_video_once(models):
    one, ten = models.load(600, 1), models.load(600, 10)
    assert one.select.flops < ten.select.flops < 1.01 * one.select.flops
    assert ten.select.naive_flops == pytest.approx(10 * one.select.flops)
    assert ten.answer.flops < ten.answer.naive_flops == pytest.approx(10 * one.answer.flops)
    assert models.load(3600, 1).select == one.select  # no video has more than 512 candidates


def test_seconds_follow_the_rates_of_the_data_sheets(models):
    load = models.load(60, 1)
    assert models.answer_s(load, A100) / models.answer_s(load, H200) == pytest.approx(989 / 312)
    assert models.answer_s(load, H200) == pytest.approx(load.answer.flops / 790e12 / 0.5)
    assert 10 < models.select_s(load, A100, FLOAT32) / models.select_s(load, A100, BFLOAT16) < 16
    assert models.bytes(512)["candidates, 8-bit RGB"] == 512 * 384 * 384 * 3
