"""`refocus answer` by hand: frames that a rule added are answered, missing videos told, and none at all refused."""

import shutil

import pytest
from refocus.config.answer import AnswerSettings
from refocus.config.tables import TablesSettings
from refocus.evaluate.answers import UNREADABLE, Answer, AnswerSet, read_answers, write_answers
from refocus.evaluate.letters import named_option
from refocus.evaluate.replies import Reading
from refocus.lmm.prompts import LETTERS
from refocus.report import figure_set
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import to_markdown
from refocus.report.tables import table1
from refocus.select.last_frame import LAST_FRAME
from refocus.select.likelihood_bins import ALL, Bin

from tests.support.asked_videos import AskedVideos, build_asked_videos
from tests.support.tiny_lmm import build_lmm


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> AskedVideos:
    return build_asked_videos(tmp_path_factory.mktemp("bench"), ("even.mp4", "long.mp4"))


@pytest.fixture(scope="module")
def lmm(tmp_path_factory):
    return build_lmm(tmp_path_factory.mktemp("lmm"))


def answer(bench, lmm, videos, picks, out, *more) -> int:
    words = ["--qa", bench.qa, "--selections", picks, "--videos", videos, "--model", lmm, "--out", out, *more]
    return bench.refocus("answer", *words)


def test_frames_that_a_rule_added_are_answered(bench, lmm, tmp_path):
    picks = bench.select("uniform", 4, tmp_path / "picks", "--keep-last-frame")
    assert answer(bench, lmm, bench.videos, picks.parent, tmp_path) == 0
    made = read_answers(tmp_path / "n4.s0.parquet").answers.values()
    assert {answer.flags for answer in made} == {(LAST_FRAME,)}
    assert all(answer.prediction >= 0 and answer.n_frames == 4 for answer in made)


def test_a_missing_video_fails_the_job_or_is_told_and_its_questions_are_flagged(bench, lmm, tmp_path, caplog):
    picks = bench.select("uniform", 2, tmp_path / "picks")
    shutil.copytree(bench.videos, tmp_path / "videos")
    (tmp_path / "videos" / "long.mp4").unlink()
    assert answer(bench, "no model is loaded", tmp_path / "videos", picks.parent, tmp_path / "out") == 1
    assert "1 of 2 videos are not in" in caplog.text and not (tmp_path / "out").exists()
    assert answer(bench, lmm, tmp_path / "videos", picks.parent, tmp_path, "--max-failure-rate", 0.5) == 0
    assert "1 of 2 videos are not in" in caplog.text and "long.mp4" in caplog.text
    made = list(read_answers(tmp_path / "n2.s0.parquet").answers.values())
    assert [answer.flags for answer in made] == [(), (), (UNREADABLE,), (UNREADABLE,)]


@pytest.mark.parametrize("folder", ["empty", "not there"])
def test_without_any_video_the_status_is_2_and_nothing_is_written(bench, tmp_path, folder, caplog):
    picks = bench.select("uniform", 2, tmp_path / "picks")
    (tmp_path / "empty").mkdir()
    assert answer(bench, "no model is loaded", tmp_path / folder, picks.parent, tmp_path / "out") == 2
    assert "none of the 2 videos" in caplog.text
    assert not (tmp_path / "out").exists()


def test_generated_replies_are_stored_and_read_by_either_harness(bench, lmm, tmp_path):
    picks = bench.select("uniform", 2, tmp_path / "picks")
    words = ["--qa", bench.qa, "--selections", picks.parent, "--videos", bench.videos, "--model", lmm]
    words += ["--method", "generation", "--max-new-tokens", 2, "--extractor", "authors", "--out", tmp_path]
    assert bench.refocus("answer", *words) == 0
    made = read_answers(tmp_path / "n2.s0.parquet")
    assert made.extractor == "authors" and all(answer.logits == () for answer in made.answers.values())
    for question in bench.questions:
        answer = made.answers[question.qa_id]
        assert answer.prediction == named_option(answer.raw_reply, question.options, "authors")
        assert answer.correct == (answer.prediction == question.answer_index)


def test_tables_count_stored_replies_by_the_other_harness(bench):
    """`Because I think (C)`: the first of the letters begins a word, the one in brackets is what is meant."""
    data = BenchmarkData("bench", "csv", tuple(bench.questions))
    replies = ["Because I think (C)", "B"]  # lmms-eval: C, the authors: B
    texts = {q.qa_id: replies[n % 2] for n, q in enumerate(bench.questions)}
    answers = {qa: Answer((0, 1), (), 1, False, text) for qa, text in texts.items()}
    results = Results([data], [AnswerSet("bench", "lmm", "lmm", "uniform", 2, 0, answers, "authors")])

    def read(found: Results) -> list[int]:
        return [found.answer("lmm", "uniform", "bench", 2, q.qa_id).prediction for q in bench.questions]

    assert read(results.counted_by(None)) == [1, 1, 1, 1]
    assert read(results.counted_by("lmms_eval")) == [2, 1, 2, 1]
    assert results.counted_by("lmms_eval").readings == {Reading("lmms_eval", "csv")}
    text = to_markdown(table1(results, 2, TablesSettings(bootstrap_resamples=0)))
    assert "generated replies as by Video-MME's own evaluation" in text


def test_figures_count_stored_replies_as_the_tables_do(bench, tmp_path, monkeypatch):
    """Replies that lmms-eval reads as the right option; the file was read by the authors' rule, which sees a B."""
    letters = {q.qa_id: LETTERS[q.answer_index] for q in bench.questions}
    answers = {qa: Answer((0, 1), (), 1, False, f"Because I think ({letter})") for qa, letter in letters.items()}
    for selector, path in (("uniform", "answers/n2.s0.parquet"), ("all", "bins/all.parquet")):
        made = AnswerSet("bench", "lmm", "lmm", selector, 2, 0, answers)
        (tmp_path / path).parent.mkdir()
        write_answers(tmp_path / path, made, AnswerSettings(method="generation", extractor="authors").identity())
    drawn = {}
    monkeypatch.setattr(figure_set, "draw_accuracy", lambda results, *_: drawn.setdefault("results", results))
    monkeypatch.setattr(figure_set, "draw_bins", lambda groups, *_: drawn.setdefault("groups", groups))
    monkeypatch.setattr(figure_set, "save", lambda *_: None)
    words = ["--qa", bench.qa, "--index", bench.index, "--answers", tmp_path / "answers", "--n-frames", 2]
    words += ["--bins", tmp_path / "bins/all.parquet", "--extractor", "lmms_eval", "--out", tmp_path / "figures"]
    assert bench.refocus("figures", *words) == 0
    first = bench.questions[0]
    assert drawn["results"].answer("lmm", "uniform", "bench", 2, first.qa_id).correct
    assert drawn["groups"][0].value(Bin(ALL)) == 1
