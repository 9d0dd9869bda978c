"""LongVideoBench as JSON and as parquet. Rows are synthetic, in the published form."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.qa.ingest import SourceFiles, read_source

ROW = {
    "video_id": "@user-7262468242692689194",
    "question": "On a red table, what is there?",
    "question_wo_referring_query": "What is there?",
    "candidates": ["a cup", "a hat", "N/A", "a dog"],
    "correct_choice": 3,
    "position": [854, 948],
    "topic_category": "NP-News-Programs",
    "question_category": "S2O",
    "level": "L1-Perception",
    "id": "@user-7262468242692689194_0",
    "video_path": "7262468242692689194.mp4",
    "subtitle_path": "7262468242692689194_en.json",
    "duration_group": 15,
    "starting_timestamp_for_subtitles": 0,
    "duration": 12.5,
    "view_count": 9,
}


def read(path, root):
    return read_source(SourceFiles("set", "longvideobench", (path,), root))


def as_json(folder, *rows):
    (folder / "lvb_val.json").write_text(json.dumps(rows))
    return folder / "lvb_val.json"


def test_json_rows(tmp_path):
    """The file follows from `video_path` and never from `video_id`; the index counts from 0."""
    (question,) = read(as_json(tmp_path, ROW), tmp_path).questions
    assert question.video_path == "videos/7262468242692689194.mp4"
    assert question.options == ("a cup", "a hat", "N/A", "a dog")
    assert (question.answer_index, question.answer_text, question.split) == (3, "a dog", "val")
    assert (question.source_id, question.category) == ("@user-7262468242692689194_0", "S2O")
    assert question.flags == ("duration_group:15", "topic_category:NP-News-Programs", "level:L1-Perception")
    assert question.start_s is None and question.end_s is None


def test_parquet_rows_are_the_same_questions(tmp_path):
    """Padding goes at the end alone; whole numbers may be floats."""
    kept = ("video_id", "question", "topic_category", "question_category", "level", "id", "video_path")
    row = {name: ROW[name] for name in kept} | {"correct_choice": 3.0, "duration_group": 15.0}
    row |= {f"option{number}": text for number, text in enumerate([*ROW["candidates"], "N/A"])}
    pq.write_table(pa.Table.from_pylist([row, {**row, "option4": None}]), tmp_path / "validation.parquet")
    first, second = read(tmp_path / "validation.parquet", tmp_path).questions
    (expected,) = read(as_json(tmp_path, ROW), tmp_path).questions
    assert first == expected
    assert second.options == expected.options


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"correct_choice": None}, "no_answer"),
        ({"correct_choice": -1}, "answer_out_of_range"),
        ({"correct_choice": 4}, "answer_out_of_range"),
        ({"correct_choice": "D"}, "bad_field"),
        ({"candidates": None}, "missing_field"),
        ({"candidates": "a cup"}, "bad_field"),
        ({"candidates": []}, "no_options"),
        ({"video_path": None}, "missing_field"),
        ({"video_path": "../../a.mp4"}, "unsafe_path"),
        ({"question": " "}, "empty_question"),
    ],
)
def test_broken_rows(tmp_path, changes, reason):
    """Each is a reject that names file, row and field; the file is not guessed from another field."""
    found = read(as_json(tmp_path, ROW, {**ROW, **changes}, "text"), tmp_path)
    assert len(found.questions) == 1
    reject, text = found.rejects
    assert (reject.reason, text.reason) == (reason, "bad_row")
    assert reject.detail.startswith("lvb_val.json row 1: ")
    field = "options" if reason == "no_options" else next(iter(changes)).split("_")[0]
    assert field in reject.detail


def test_the_published_distribution(shared_data, tmp_path):
    """Options per row, duration groups, TikTok files, repeated options."""
    found = read(shared_data / "annotations" / "longvideobench" / "lvb_val.json", tmp_path)
    count = [len(question.options) for question in found.questions]
    assert [count.count(size) for size in (5, 4, 3)] == [984, 352, 1]
    groups = [flag for question in found.questions for flag in question.flags if flag.startswith("duration_group:")]
    assert [groups.count(f"duration_group:{size}") for size in (15, 60, 600, 3600)] == [189, 172, 412, 564]
    assert [[q.answer_index for q in found.questions].count(index) for index in range(5)] == [291, 304, 270, 290, 182]
    assert sum("duplicate_options" in question.flags for question in found.questions) == 8
    assert sum(question.source_id.startswith("@") for question in found.questions) >= 135
    assert not [question for question in found.questions if "@" in question.video_path]
