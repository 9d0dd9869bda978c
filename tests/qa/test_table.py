"""Anybody's table: columns of any name, options and answers in any form, nothing guessed, every row accounted for."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.config.ingest import IngestSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.ingest import SourceFiles, ingest, read_source

ROW = {"video": "a.mp4", "question": "What is it?", "options": ["a cup", "a book", "a hat"], "answer": "B"}


def as_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def as_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def as_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {"csv": as_csv, "jsonl": as_lines, "parquet": as_parquet}


def read(tmp_path, *rows, format="jsonl", **options):
    path = tmp_path / f"questions.{format}"
    WRITERS[format](path, rows)
    return read_source(SourceFiles("set", format, (path,), tmp_path, options=options))


def answers(found):
    return [question.answer_text for question in found.questions]


@pytest.mark.parametrize("format", WRITERS)
def test_every_field_is_read_from_every_kind_of_file(tmp_path, format):
    row = {**ROW, "start": "1:05", "end": 70.5, "category": "object", "id": 7, "evidence": "1:06-1:07; 1:08"}
    found = read(tmp_path, row, {**row, "id": 8}, format=format)
    one, two = found.questions
    assert (one.video_path, one.start_s, one.end_s) == ("a.mp4", 65.0, 70.5)
    assert (one.options, one.answer_index, one.category, one.source_id) == (tuple(ROW["options"]), 1, "object", "7")
    assert two.source_id == "8" and one.split == "train" and not one.flags
    assert found.raw[one.qa_id].evidence == ((66.0, 67.0), (68.0, 68.0))


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize(
    "names", [("option_a", "option_b"), ("Option 1", "Option 2"), ("option0", "option1"), ("A", "B")]
)
def test_options_may_have_a_column_each(tmp_path, format, names):
    """In the order of their letters or numbers; empty ones at the end are padding, the name is the row's place."""
    rest = {key: value for key, value in ROW.items() if key != "options"}
    row = {names[1]: "(B) a book", names[0]: "(A) a cup", **rest}
    found = read(tmp_path, row, format=format)
    assert [(q.options, q.answer_index) for q in found.questions] == [(("a cup", "a book"), 1)]
    assert found.questions[0].source_id == f"questions_{int(format == 'csv')}"


def test_options_from_ten_on_stay_in_order(tmp_path):
    rest = {key: value for key, value in ROW.items() if key != "options"}
    row = {**{f"option{number}": f"text {number}" for number in range(12, -1, -1)}, **rest, "answer": "text 11"}
    assert read(tmp_path, row).questions[0].answer_index == 11


@pytest.mark.parametrize("format", WRITERS)
def test_columns_may_have_other_names(tmp_path, format):
    row = {"clip": "a.mp4", "prompt": "What?", "right": "a cup", "wrong": "a hat", "gold": "a hat", "kind": "x"}
    columns = {
        "video": "clip",
        "question": "prompt",
        "options": ["right", "wrong"],
        "answer": "gold",
        "category": "kind",
    }
    (question,) = read(tmp_path, row, format=format, columns=columns).questions
    assert (question.options, question.answer_text, question.category) == (("a cup", "a hat"), "a hat", "x")


@pytest.mark.parametrize("text", ['["a cup", "a hat"]', "['a cup' 'a hat']", "a cup | a hat", "A. a cup|B. a hat"])
def test_one_cell_may_hold_all_options(tmp_path, text):
    assert read(tmp_path, {**ROW, "options": text}).questions[0].options == ("a cup", "a hat")
    assert read(tmp_path, {**ROW, "options": text.replace("|", "/")}, separator="/").questions


def test_options_may_be_an_object_of_letters(tmp_path):
    row = {**ROW, "options": {"A": "a cup", "B": "a hat"}}
    assert read(tmp_path, row).questions[0].options == ("a cup", "a hat")
    assert read(tmp_path, {**row, "options": {"B": "a cup", "A": "a hat"}}).rejects[0].reason == "bad_field"


@pytest.mark.parametrize("answer", ["B", "(b)", 1, "1", 1.0, "a book", "A BOOK.", "B. a book"])
def test_an_answer_is_a_letter_an_index_or_the_text(tmp_path, answer):
    found = read(tmp_path, {**ROW, "answer": answer}, {**ROW, "answer": 0})
    assert answers(found) == ["a book", "a cup"]


@pytest.mark.parametrize(
    ("how", "answer", "found"),
    [
        ("letter", "C", 2),
        ("index", "2", 2),
        ("index1", 2, 1),
        ("text", "2", 0),
        ("text", "C", None),
        ("index", "C", None),
    ],
)
def test_how_answers_are_written_may_be_said(tmp_path, how, answer, found):
    row = {**ROW, "options": ["2", "3", "4"], "answer": answer}
    assert [q.answer_index for q in read(tmp_path, row, answers=how).questions] == ([] if found is None else [found])


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"options": ["2", "3", "4"], "answer": "2"}, "ambiguous_answer", '"letter", "index", "index1" or "text"'),
        ({"answer": "a dog"}, "answer_not_an_option", "'a dog'"),
        ({"answer": "7"}, "answer_not_an_option", "'7'"),
        ({"answer": None}, "no_answer", "answer"),
        ({"options": "a cup"}, "bad_field", "options"),
        ({"options": None}, "missing_field", "options"),
        ({"options": ["a cup"], "answer": "A"}, "too_few_options", "options"),
        ({"question": " "}, "empty_question", "question"),
        ({"video": None}, "missing_field", "video"),
        ({"video": "../a.mp4"}, "unsafe_path", "../a.mp4"),
        ({"start": "soon"}, "bad_times", "start"),
        ({"start": -1}, "bad_times", "start"),
        ({"start": 5, "end": 5}, "bad_times", "5.0"),
    ],
)
def test_a_row_that_cannot_be_read_is_one_reject(tmp_path, changes, reason, named):
    """Which names file and row, and what to do; its neighbours stay."""
    found = read(tmp_path, ROW, {**ROW, **changes}, {**ROW, "answer": 0})
    assert len(found.questions) == 2
    (reject,) = found.rejects
    assert (
        reject.reason == reason
        and reject.detail.startswith("questions.jsonl row 1, line 2: ")
        and named in reject.detail
    )


def test_a_line_that_is_no_json_costs_itself(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(ROW) + '\n\n{"video": "a.mp4",\n[1]\n' + json.dumps(ROW) + "\n")
    found = read_source(SourceFiles("set", "jsonl", (path,), tmp_path))
    assert len(found.questions) == 2
    assert [reject.reason for reject in found.rejects] == ["bad_row", "bad_row"]
    assert "line 3" in found.rejects[0].detail


@pytest.mark.parametrize("format", WRITERS)
def test_answers_that_count_from_one_are_refused_until_somebody_says_so(tmp_path, format):
    """Read from 0, all but the last would be wrong without anybody noticing."""
    rows = [{**ROW, "answer": number} for number in (1, 2, 3)]
    with pytest.raises(UsageError, match="index1"):
        read(tmp_path, *rows, format=format)
    assert answers(read(tmp_path, *rows, format=format, answers="index1")) == ROW["options"]
    assert answers(read(tmp_path, *rows, format=format, answers="index")) == ROW["options"][1:]


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("field", ["video", "question", "options", "answer"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path, format, field):
    row = {("other" if name == field else name): value for name, value in ROW.items()}
    with pytest.raises(
        UsageError, match=rf"questions\.{format}: no column '{field}' \(it has .*other.*\"{field}\": \"NAME\""
    ):
        read(tmp_path, row, format=format)
    with pytest.raises(UsageError, match="no column 'nobody'"):
        read(tmp_path, ROW, format=format, columns={"start": "nobody"})


@pytest.mark.parametrize("field", ["start", "end", "evidence", "category", "id"])
def test_a_name_that_no_row_has_is_no_column(tmp_path, field):
    """Of JSON lines too: clips would silently be whole videos."""
    with pytest.raises(
        UsageError, match=rf"questions.jsonl: no column 'begin_s'.*\"columns\": \{{\"{field}\": \"NAME\""
    ):
        read(tmp_path, ROW, ROW, columns={field: "begin_s"})
    assert len(read(tmp_path, ROW, {**ROW, "begin_s": None}, columns={field: "begin_s"}).questions) == 2


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, format):
    """Which one counts cannot be known; of columns that are not read it does not matter."""
    names, cells = ["video", "question", "A", "B", "answer", "note", "note"], ["a.mp4", "What?", "x", "y", "A", "", ""]
    path = tmp_path / f"questions.{format}"

    def write(names, cells):
        if format == "csv":
            path.write_text(",".join(names) + "\n" + ",".join(cells) + "\n")
        else:
            pq.write_table(pa.table([[cell] for cell in cells], names), path)

    write(names, cells)
    assert len(read_source(SourceFiles("set", format, (path,), tmp_path)).questions) == 1
    write([*names, "answer"], [*cells, "B"])
    with pytest.raises(UsageError, match="the column 'answer' more than once"):
        read_source(SourceFiles("set", format, (path,), tmp_path))


def test_evidence_that_cannot_be_read_is_flagged_and_costs_nothing(tmp_path):
    rows = [{**ROW, "evidence": value} for value in ([[2, 1]], "early", [["0:05", 6]], [3, 4], [], None)]
    found = read(tmp_path, *rows)
    assert [question.flags for question in found.questions] == [("evidence_unread",)] * 2 + [()] * 4
    assert [row.evidence for row in found.raw.values()] == [((5.0, 6.0),), ((3.0, 4.0),)]


def test_a_spreadsheets_unicode_text_is_read_and_another_encoding_costs_its_rows(tmp_path):
    """UTF-16 with tabs, as Excel saves it; of Windows' own encoding the rows with accents are refused, with the fix."""
    lines = "video\tquestion\toption_a\toption_b\tanswer\r\na.mp4\tcafé?\tyes\tno\tA\r\nb.mp4\tbar?\tyes\tno\tB\r\n"
    path = tmp_path / "q.csv"
    source = SourceFiles("set", "csv", (path,), tmp_path)
    path.write_bytes(lines.encode("utf-16"))
    assert [question.question for question in read_source(source).questions] == ["café?", "bar?"]
    path.write_bytes(lines.encode("cp1252"))
    found = read_source(source)
    assert [question.question for question in found.questions] == ["bar?"]
    assert found.rejects[0].reason == "bad_text" and "save the file as UTF-8" in found.rejects[0].detail


def test_a_file_of_another_kind_says_what_to_name_it(tmp_path):
    (tmp_path / "q.txt").write_text("video,question")
    with pytest.raises(UsageError, match=r"q\.txt: its ending .* name it \.csv.* \(a spreadsheet: save it as CSV\)"):
        read_source(SourceFiles("set", "csv", (tmp_path / "q.txt",), tmp_path))
    as_lines(tmp_path / "q.json", [ROW, ROW])
    with pytest.raises(RefocusError, match=r"q\.json: not JSON: Extra data .* name the file \.jsonl"):
        read_source(SourceFiles("set", "jsonl", (tmp_path / "q.json",), tmp_path))
    (tmp_path / "q.json").write_text(json.dumps([ROW, ROW]))
    assert len(read_source(SourceFiles("set", "jsonl", (tmp_path / "q.json",), tmp_path)).questions) == 2


def hugging_face(folder):
    """A download of a repository: shards of two splits below `data`, and what the client leaves."""
    (folder / "data").mkdir(parents=True)
    (folder / ".cache").mkdir()
    for name, count in (("train-00000-of-00002", 2), ("train-00001-of-00002", 1), ("validation-00000-of-00001", 1)):
        as_parquet(folder / "data" / f"{name}.parquet", [{**ROW, "id": f"{name}:{n}"} for n in range(count)])
    as_parquet(folder / ".cache" / "train-00000-of-00001.parquet", [ROW])
    (folder / "README.md").write_text("# Questions")
    as_lines(folder / "raw.jsonl", [ROW])


def test_a_hugging_face_folder_is_read_with_its_splits(tmp_path):
    hugging_face(tmp_path / "set")
    source = SourceFiles("set", "parquet", (tmp_path / "set",), tmp_path)
    found = read_source(source)
    assert [question.split for question in found.questions] == ["train", "train", "train", "validation"]
    assert len({question.source_id for question in found.questions}) == 4
    only = SourceFiles("set", "parquet", (tmp_path / "set",), tmp_path, options={"splits": ["validation"]})
    assert [question.split for question in read_source(only).questions] == ["validation"]
    with pytest.raises(UsageError, match="none of test, only train, validation"):
        read_source(SourceFiles("set", "parquet", (tmp_path / "set",), tmp_path, options={"splits": ["test"]}))
    lines = SourceFiles("set", "jsonl", (tmp_path / "set",), tmp_path)
    assert [question.source_id for question in read_source(lines).questions] == ["raw_0"]


def test_a_folder_without_tables_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty has no \.csv or \.tsv file"):
        read_source(SourceFiles("set", "csv", (tmp_path / "empty",), tmp_path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    for format in WRITERS:
        with pytest.raises(RefocusError, match=rf"gone\.{format}: no such annotation file"):
            read_source(SourceFiles("set", format, (tmp_path / f"gone.{format}",), tmp_path))


def test_ingest_writes_the_evidence_as_a_table(tmp_path):
    """One row per span, by qa_id; of a set that says nothing an empty one."""
    as_lines(tmp_path / "q.jsonl", [{**ROW, "evidence": [[1, 2], [5, 6]]}, ROW])
    found = ingest(SourceFiles("mine", "jsonl", (tmp_path / "q.jsonl",), tmp_path), tmp_path / "qa", IngestSettings())
    table = pq.read_table(tmp_path / "qa" / "mine.evidence.parquet")
    first = found.questions[0].qa_id
    assert table.to_pylist() == [
        {"qa_id": first, "start_s": 1.0, "end_s": 2.0},
        {"qa_id": first, "start_s": 5.0, "end_s": 6.0},
    ]
    as_lines(tmp_path / "q.jsonl", [ROW])
    ingest(SourceFiles("mine", "jsonl", (tmp_path / "q.jsonl",), tmp_path), tmp_path / "qa", IngestSettings())
    assert pq.read_table(tmp_path / "qa" / "mine.evidence.parquet").num_rows == 0
