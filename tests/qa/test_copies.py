"""Copies of the published files: what pandas, numpy, Hugging Face and spreadsheets make of them is read all alike."""

import csv
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.loose_values import as_list, as_text, as_whole

OPTIONS = ["a cup", 'the man\'s "book"', "N/A", "10"]


def read(format, path, **options):
    return read_source(SourceFiles("set", format, (path,), path.parent, options=options or None))


# Rows as they are published; the answer is OPTIONS[1]. Category, in every format, is a field that may be missing.
NEXTQA = {"video": 4010069381, "question": "what is it", "answer": 1, "qid": 6, "type": "CH"}
NEXTQA |= {f"a{place}": text for place, text in enumerate([*OPTIONS, "none"])}
VIDEOMME = {"duration": "short", "videoID": "fFjv93ACGo8", "question_id": 17, "task_type": "OCR", "question": "what?"}
VIDEOMME |= {"options": [f"{letter}. {text}" for letter, text in zip("ABCD", OPTIONS, strict=True)], "answer": "B"}
CINEPILE = {"yt_clip_link": "https://youtu.be/fFjv93ACGo8", "question": "what?", "choices": OPTIONS}
CINEPILE |= {"answer_key": OPTIONS[1], "answer_key_position": 1, "question_category": "Theme"}
MLVU = {"video_name": "a.mp4", "question": "what?", "candidates": OPTIONS, "answer": "B", "question_id": 17}
MLVU |= {"task_type": "count"}
LONGVIDEOBENCH = {"id": 17, "video_path": "a.mp4", "question": "what?", "candidates": OPTIONS, "correct_choice": 1}
LONGVIDEOBENCH |= {"question_category": "S2E"}
PERCEPTIONTEST = {"video_name": "video_1", "question": "what?", "question_id": 17, "options": OPTIONS, "answer_id": 1}
PERCEPTIONTEST |= {"area": "Memory"}
VIDEOMMMU = {"id": 17, "question": "what?", "options": OPTIONS, "answer": "B", "question_type": "multiple-choice"}
ACTIVITYNET = {"video_name": "a", "question_id": 17, "question": "is it a cup", "answer": "yes", "type": 3}
SAID = [
    {"from": "human", "value": '<image>\nwhat?\nA. a cup\nB. the man\'s "book"\nC. N/A'},
    {"from": "gpt", "value": "B"},
]
LLAVA_VIDEO = {"id": 17, "video": "a.mp4", "conversations": SAID}
VISTA = {"id": 17, "image": "a.mp4", "conversations": SAID}

ROWS = {
    "nextqa": ("val", NEXTQA, "type"),
    "videomme": ("test", VIDEOMME, "task_type"),
    "cinepile": ("test", CINEPILE, "question_category"),
    "mlvu": ("test", MLVU, "task_type"),
    "longvideobench": ("val", LONGVIDEOBENCH, "question_category"),
    "perceptiontest": ("test", PERCEPTIONTEST, "area"),
    "videommmu": ("Adaptation", VIDEOMMMU, "question_type"),
    "activitynetqa": ("test", ACTIVITYNET, None),
    "llava_video": ("a", LLAVA_VIDEO, None),
    "vista": ("temporal_niah_mcq", VISTA, None),
}


def by_pandas(rows, path):
    """A gap makes floats of whole numbers, and lists are written as Python prints them."""
    frame = pd.DataFrame([*rows, dict.fromkeys(rows[0])])
    frame.to_csv(path, index=False)


def by_numpy(rows, path):
    """From parquet, pandas has lists as arrays, which are written without commas."""
    pd.read_parquet(pa.BufferReader(parquet(rows))).to_csv(path, index=False)


def by_spreadsheet(rows, path):
    """Semicolons between cells, and a mark of the byte order."""
    with path.open("w", newline="", encoding="utf-8-sig") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def parquet(rows):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


WRITERS = {
    "pandas.csv": by_pandas,
    "numpy.csv": by_numpy,
    "spreadsheet.csv": by_spreadsheet,
    "lines.jsonl": lambda rows, path: path.write_text("\n".join(map(json.dumps, rows)) + "\n\n"),
    "arrow.parquet": lambda rows, path: path.write_bytes(parquet(rows)),
    "text.parquet": lambda rows, path: path.write_bytes(
        parquet([{name: str(v) if isinstance(v, list) else v for name, v in row.items()} for row in rows])
    ),
}


COPIES = [(format, copy) for format in ROWS for copy in WRITERS]
for conversations in ("llava_video", "vista"):
    COPIES.remove((conversations, "numpy.csv"))  # numpy prints objects without commas, which nothing reads back


@pytest.mark.parametrize(("format", "copy"), COPIES)
def test_every_kind_of_copy_is_read(tmp_path, format, copy):
    """The same question, options and answer, whole numbers as ids, whatever wrote the file."""
    stem, row, _ = ROWS[format]
    path = tmp_path / f"{stem}.{copy.rpartition('.')[2]}"
    WRITERS[copy]([row, row], path)
    found = read(format, path)
    assert {reject.reason for reject in found.rejects} <= {"missing_field", "bad_field"}
    assert len(found.rejects) == (copy == "pandas.csv")  # the row of gaps
    one, two = found.questions
    expected = "yes" if format == "activitynetqa" else OPTIONS[1]
    assert one.answer_text == expected and one.options[one.answer_index] == expected
    assert "N/A" in one.options or format == "activitynetqa"
    assert one.qa_id != two.qa_id and (one.source_id, one.options) == (two.source_id, two.options)
    assert "17" in one.source_id or format == "cinepile" or one.source_id == "4010069381_6"


@pytest.mark.parametrize("gap", [None, float("nan"), "absent"])
@pytest.mark.parametrize("format", [name for name in ROWS if ROWS[name][2]])
def test_a_missing_category_costs_no_question(tmp_path, format, gap):
    stem, row, category = ROWS[format]
    row = {**row, category: gap}
    if gap == "absent":
        del row[category]
    path = tmp_path / f"{stem}.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    (question,) = read(format, path).questions
    assert question.category == ("Adaptation" if format == "videommmu" else "")


def test_an_option_that_is_not_applicable_may_be_right(tmp_path):
    """LongVideoBench's parquet pads with the same words; pandas reads both as missing."""
    row = {key: value for key, value in LONGVIDEOBENCH.items() if key != "candidates"}
    right = {**row, "option0": "red", "option1": "blue", "option2": "N/A", "option3": "N/A", "correct_choice": 2}
    rows = [right, {**right, "correct_choice": 0}]
    for name, value in (("a", "N/A"), ("b", None)):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist([{**row, "option2": value, "option3": value} for row in rows]), path)
        first, second = read("longvideobench", path).questions
        assert (first.options, first.answer_text) == (("red", "blue", "N/A"), "N/A")
        assert second.options == ("red", "blue")


def test_questions_and_answers_are_joined_by_numbers_too(tmp_path):
    """ActivityNet-QA with whole numbers as ids, as text in one of the two files."""
    asked = [{"video_name": 12, "question": "is it red", "question_id": 0}]
    (tmp_path / "val_q.json").write_text(json.dumps(asked))
    (tmp_path / "val_a.json").write_text(json.dumps([{"answer": "Yes", "type": 3.0, "question_id": "0"}]))
    found = read("activitynetqa", tmp_path / "val_q.json")
    assert [(q.source_id, q.answer_text, q.video_path) for q in found.questions] == [("0", "yes", "v_12.mp4")]


def test_turns_may_be_two_lists(tmp_path):
    """A Hugging Face `Sequence` of objects is an object of lists."""
    said = {name: [turn[name] for turn in SAID] for name in ("from", "value")}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([{**LLAVA_VIDEO, "conversations": said}]), path)
    assert [question.answer_text for question in read("llava_video", path).questions] == [OPTIONS[1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),
        ("['a' \"it's\"\n 'c']", ["a", "it's", "c"]),
        ("['a, b' 'c]']", ["a, b", "c]"]),
        ("[1, 2.0]", [1, 2.0]),
        ("[]", []),
        ("[None, 'a']", [None, "a"]),
        (r"['$\frac{1}{2}$']", [r"$\frac{1}{2}$".replace("\\f", "\f")]),
        ("['a' + 'b']", None),
        ("['a'", None),
        ("['it's']", None),
        ("[b'a']", [b"a"]),
        ("[print]", None),
        ("a, b", None),
        ("{'a': 1}", None),
        ("['a']['b']", None),
    ],
)
def test_lists_as_text(text, found):
    """Of JSON, Python and numpy; nothing is evaluated, and what is no list is none."""
    assert as_list(text) == found


@pytest.mark.parametrize(
    ("value", "text", "whole"),
    [(3, "3", 3), (3.0, "3", 3), (2.5, "2.5", None), (" 3.00 ", " 3.00 ", 3), ("3.1", "3.1", None), ("²", "²", None)]
    + [(value, None, None) for value in (True, None, float("nan"), float("inf"), ["3"])],
)
def test_numbers_as_text(value, text, whole):
    assert (as_text(value), as_whole(value)) == (text, whole)


CASES = {
    "nextqa_pandas/val.csv": ("nextqa", 2, "roll the handle"),
    "nextqa_parquet/val.parquet": ("nextqa", 2, "roll the handle"),
    "vmme_optstr_py/test-00000-of-00001.parquet": ("videomme", 3, "Apples."),
    "vmme_qidint/test-00000-of-00001.parquet": ("videomme", 3, "Apples."),
    "anet_int/val_q.json": ("activitynetqa", 3, "yes"),
    "cinepile_nan/v2/train-00000-of-00001.parquet": ("cinepile", 2, "red"),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_that_were_refused(shared_data, tmp_path, case):
    """Files that gave rejects once: every row is a question."""
    path = shared_data / "cases" / "annotations" / case
    if not path.is_file():
        pytest.skip(f"no {path}")
    format, count, first = CASES[case]
    found = read_source(SourceFiles("set", format, (path,), tmp_path))
    assert (len(found.questions), found.rejects) == (count, [])
    assert found.questions[0].answer_text == first
