"""MLVU dev: the official files and the parquet copy, with either layout of the videos. Rows are synthetic."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.qa.ingest import SourceFiles, read_source

ITEM = {"video": "needle_1.mp4", "duration": 300, "question": "What?", "candidates": ["red", "blue", "a", "b"]}
COPY = {"video_name": "needle_1.mp4", "duration": 300.0, "candidates": ITEM["candidates"], "answer": "B"}
COPY |= {"question": "What?\n(A) red\n(B) blue\n(C) a\n(D) b\n", "task_type": "needle", "question_id": "Q0"}


def official(folder, *rows):
    (folder / "2_needle.json").write_text(json.dumps(rows))
    return folder / "2_needle.json"


def copy(folder, *rows):
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "copy.parquet")
    return folder / "copy.parquet"


def read(*paths, root):
    return read_source(SourceFiles("set", "mlvu", paths, root))


def test_rows_of_both_forms(tmp_path):
    """Answers by text in the official files, by letter in the copy whose questions repeat the options."""
    rows = [{**ITEM, "answer": "blue", "question_type": "findNeedle"}]
    rows += [{**ITEM, "answer": "green", "question_type": "x"}]
    rows += [{"video": "a.mp4", "question": "Tell", "answer": "all", "scoring_points": []}]
    found = read(official(tmp_path, *rows), copy(tmp_path, COPY), root=tmp_path)
    assert [(q.question, q.options, q.answer_index, q.source_id) for q in found.questions] == [
        ("What?", ("red", "blue", "a", "b"), 1, "2_needle_0"),
        ("What?", ("red", "blue", "a", "b"), 1, "Q0"),
    ]
    assert [reject.reason for reject in found.rejects] == ["answer_not_an_option", "open_ended"]


@pytest.mark.parametrize("place", ["video/2_needle", "2_needle", "video", "mlvu", ""])
def test_either_form_finds_videos_in_either_layout(tmp_path, place):
    """One folder per task, as published, or everything flat, as lmms-eval unpacks it."""
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "needle_1.mp4").touch()
    row = {**ITEM, "answer": "blue", "question_type": "findNeedle"}
    found = read(official(tmp_path, row), copy(tmp_path, COPY), root=tmp_path)
    assert {question.video_path for question in found.questions} == {f"{place}/needle_1.mp4".lstrip("/")}
    assert not found.missing


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("What?\n(A) red\n(B) blue\n(C) a\n(D) b\n", "What?"),
        ("What?\nWhen?\n\n(A) red\n(B) blue\n(C) a\n(D) b", "What?\nWhen?"),
        ("(A) is a letter?\n(A) red\n(B) blue\n(C) a\n(D) b\n", "(A) is a letter?"),
        ("What?\n(A)red \n(B) blue.\nand more\n(C) a\n(D) b\n", "What?"),
        ("What?\n", "What?"),
    ],
)
def test_the_copys_questions_lose_their_options(tmp_path, question, left):
    """Whatever precedes them stays, and nothing else."""
    (found,) = read(copy(tmp_path, {**COPY, "question": question}), root=tmp_path).questions
    assert found.question == left
    assert not found.flags


def test_options_that_cannot_be_told_from_the_question_stay(tmp_path):
    """Nothing is cut by guess; a flag says so."""
    text = "What?\n(A) red\n(C) a\n(D) b"
    (found,) = read(copy(tmp_path, {**COPY, "question": text}), root=tmp_path).questions
    assert (found.question, found.flags) == (text, ("options_in_question",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "E"}, "answer_out_of_range"),
        ({"answer": "blue"}, "unparsable_answer"),
        ({"answer": None}, "missing_field"),
        ({"candidates": None}, "missing_field"),
        ({"question": "(A) red\n(B) blue\n(C) a\n(D) b\n"}, "empty_question"),
        ({"video_name": "../a.mp4"}, "unsafe_path"),
    ],
)
def test_broken_rows_of_the_copy(tmp_path, changes, reason):
    """Each is a reject that names file and row; the rows beside it are kept."""
    found = read(copy(tmp_path, COPY, {**COPY, "question_id": "Q1", **changes}), root=tmp_path)
    assert [question.source_id for question in found.questions] == ["Q0"]
    (reject,) = found.rejects
    assert (reject.source_id, reject.reason) == ("Q1", reason)
    assert reject.detail.startswith("copy.parquet row 1: ")


def test_generative_rows_are_rejected(shared_data, tmp_path):
    """Sub-scene questions have no options."""
    found = read(shared_data / "annotations" / "mlvu" / "8_sub_scene.json", root=tmp_path)
    assert [reject.reason for reject in found.rejects] == ["open_ended"] * 201
    assert not found.questions
