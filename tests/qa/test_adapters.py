"""What each format's rows become. Rows are synthetic, in the shape of the published files."""

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters import adapter
from refocus.qa.ingest import SourceFiles, read_source

NEXTQA = ["video", "frame_count", "width", "height", "question", "answer", "qid", "type", "a0", "a1", "a2", "a3", "a4"]


def nextqa_row(**changes):
    row = dict(zip(NEXTQA, ["4010069381", "369", "640", "480", "why does the dog jump", "2", "6", "CW"], strict=False))
    return {**row, "a0": "hungry", "a1": "tired", "a2": "catch ball", "a3": "cold", "a4": "asleep", **changes}


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, NEXTQA)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(format, *paths, root):
    return read_source(SourceFiles("set", format, tuple(paths), root))


def test_nextqa_rows(tmp_path):
    """Video by map, split by file name, key video_qid."""
    table = write_csv(tmp_path / "val.csv", [nextqa_row()])
    (tmp_path / "map_vid_vidorID.json").write_text('{"4010069381": "1164/4010069381"}')
    video = tmp_path / "videos" / "NExTVideo" / "1164" / "4010069381.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    found = read("nextqa", table, root=tmp_path / "videos")
    (question,) = found.questions
    assert question.video_path == "NExTVideo/1164/4010069381.mp4"
    assert (question.split, question.source_id, question.category) == ("val", "4010069381_6", "CW")
    assert question.options == ("hungry", "tired", "catch ball", "cold", "asleep")
    assert (question.answer_index, question.answer_text) == (2, "catch ball")
    assert not found.missing


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "7"}, "answer_out_of_range"),
        ({"answer": "two"}, "unparsable_answer"),
        ({"answer": "-1"}, "unparsable_answer"),
        ({"answer": "²"}, "unparsable_answer"),
        ({"question": "  "}, "empty_question"),
        ({"video": ""}, "missing_field"),
        ({"video": "../../etc/passwd"}, "unsafe_path"),
        ({"video": "/etc/passwd"}, "unsafe_path"),
    ],
)
def test_nextqa_broken_rows(tmp_path, changes, reason):
    """A broken row is rejected with its file, row and field; the rows beside it are kept."""
    table = write_csv(tmp_path / "val.csv", [nextqa_row(), nextqa_row(qid="7", **changes), nextqa_row(qid="8")])
    found = read("nextqa", table, root=tmp_path)
    assert [question.source_id for question in found.questions] == ["4010069381_6", "4010069381_8"]
    (reject,) = found.rejects
    assert reject.reason == reason
    assert "val.csv row 2, line 3: " in reject.detail
    assert next(iter(changes)) in reject.detail


def test_nextqa_rows_of_the_wrong_length_or_encoding(tmp_path):
    """Too few cells or bytes that are no UTF-8 cost one row each."""
    table = write_csv(tmp_path / "val.csv", [nextqa_row()])
    with table.open("ab") as handle:
        handle.write(b"1,2,3\r\n5,1,1,1,caf\xe9,0,1,CW,a,b,c,d,e\r\n6,1,1,1,fine,0,1,CW,a,b,c,d,e\r\n")
    found = read("nextqa", table, root=tmp_path)
    assert [question.source_id for question in found.questions] == ["4010069381_6", "6_1"]
    assert [reject.reason for reject in found.rejects] == ["bad_row", "bad_text"]


def test_videomme_rows(tmp_path):
    """Lettered options lose their letters, the duration group is a flag."""
    row = {
        "video_id": "001",
        "duration": "short",
        "domain": "Knowledge",
        "sub_category": "History",
        "url": "https://www.youtube.com/watch?v=-XXXXXXXXXX",
        "videoID": "-XXXXXXXXXX",
        "question_id": "001-1",
        "task_type": "Counting Problem",
        "question": "How many?",
        "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."],
        "answer": "C",
    }
    rows = [row, {**row, "question_id": "001-2", "answer": "E"}, {**row, "question_id": "001-3", "options": None}]
    path = tmp_path / "test.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "-XXXXXXXXXX.MKV").touch()
    found = read("videomme", path, root=tmp_path)
    (question,) = found.questions
    assert (question.options, question.answer_index) == (("One.", "Two.", "Three.", "Four."), 2)
    assert question.flags[0] == "duration:short"
    assert question.video_path == "data/-XXXXXXXXXX.MKV"
    assert [(r.source_id, r.reason) for r in found.rejects] == [
        ("001-2", "answer_out_of_range"),
        ("001-3", "missing_field"),
    ]


READ_ALONE = ["nextqa", "llava_video", "videomme", "mlvu", "vista", "longvideobench", "videommmu"]


@pytest.mark.parametrize("format", READ_ALONE)
def test_a_file_that_is_not_there_or_not_of_its_kind_is_named(tmp_path, format):
    """Nothing can be read: the message names the file."""
    name = {"nextqa": "val.csv", "videomme": "a.parquet"}.get(format, "a.json")
    with pytest.raises(RefocusError, match=name):
        read(format, tmp_path / name, root=tmp_path)
    (tmp_path / name).write_text("not,what\nit,should be")
    with pytest.raises(RefocusError, match=name):
        read(format, tmp_path / name, root=tmp_path)


def test_unknown_formats_and_options_are_named(tmp_path):
    """The message lists what is known."""
    with pytest.raises(UsageError, match="videomme"):
        adapter("videomne")
    with pytest.raises(UsageError, match="splitt"):
        read_source(SourceFiles("set", "nextqa", (), tmp_path, options={"splitt": "train"}))


COUNTS = {
    "nextqa": (["nextqa/val.csv", "nextqa/map_vid_vidorID.json"], 4996, 570, 0),
    "videomme": (["videomme/test-00000-of-00001.parquet"], 2700, 900, 0),
    "mlvu": (["mlvu/1_plotQA.json", "mlvu/2_needle.json", "mlvu/4_count.json"], 539 + 355 + 206 - 2, 495, 2),
    "longvideobench": (["longvideobench/lvb_val.json"], 1337, 753, 0),
    "videommmu": (["videommmu/adaptation_video.json"], 300, 300, 0),
}


@pytest.mark.parametrize("format", COUNTS)
def test_real_annotations_give_the_published_counts(shared_data, tmp_path, format):
    """Rows of the published files, all accounted for."""
    files, questions, videos, rejects = COUNTS[format]
    found = read(format, *(shared_data / "annotations" / file for file in files), root=tmp_path)
    assert (len(found.questions), len(found.rejects)) == (questions, rejects)
    assert len({question.clip_id for question in found.questions}) == videos
    assert len({question.qa_id for question in found.questions}) == questions
