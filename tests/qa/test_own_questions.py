"""What people meet with questions of their own: told by file and line, and what is left out is said."""

import json
import logging

import pyarrow.parquet as pq
import pytest
from refocus.cli.main import main
from refocus.config.ingest import IngestSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.evidence import BEHIND, NO_FRAME, NO_VIDEO, OUTSIDE, find_evidence
from refocus.qa.ingest import SourceFiles, ingest, read_source
from refocus.qa.raw_question import RawQuestion
from refocus.qa.remarks import remarks

from tests.support.videos import constant, write_video

ROW = {"video": "a.mp4", "question": "What is it?", "options": ["a cup", "a book", "a hat"], "answer": "A"}


def source(tmp_path, text, name="q.jsonl", **options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return SourceFiles("mine", name.rpartition(".")[2], (path,), tmp_path, options=options)


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_rejects_name_the_line_that_an_editor_shows(tmp_path):
    text = lines(ROW) + '{"video": \n\n' + lines({**ROW, "answer": "Z"})
    found = read_source(source(tmp_path, text))
    assert [reject.detail for reject in found.rejects] == [
        "q.jsonl row 1: line 2 is not JSON: Expecting value in column 12",
        "q.jsonl row 2, line 4: answer: 'Z' is no letter, index or text of 3 options",
    ]
    head = "video,question,option_a,option_b,answer\n"
    text = head + 'a.mp4,"two\nlines?",x,y,A\na.mp4,what?,x,y,Q\na.mp4,x,y\na.mp4,"who?,x,y,A\na.mp4,why?,x,y,A\n'
    found = read_source(source(tmp_path, text, "q.csv"))
    assert [question.question for question in found.questions] == ["two\nlines?"]
    assert [reject.detail.partition(": ")[0] for reject in found.rejects] == [
        "q.csv row 2, line 4", "q.csv row 3", "q.csv row 4",
    ]  # fmt: skip
    assert "line 5: 3 cells where the header has 5" in found.rejects[1].detail
    assert "lines 6 to 7: 2 cells" in found.rejects[2].detail and "quotation mark" in found.rejects[2].detail


def test_files_of_another_shape_say_what_would_be_read(tmp_path):
    with pytest.raises(RefocusError, match=r"q\.csv: its first line is empty"):
        read_source(source(tmp_path, "\nvideo,question\n", "q.csv"))
    found = read_source(source(tmp_path, json.dumps([ROW, ROW])))
    assert "name it .json" in found.rejects[0].detail
    with pytest.raises(RefocusError, match=r"q\.csv: not text; a spreadsheet has to be saved as CSV"):
        read_source(source(tmp_path, "PK\x03\x04\x14\0,video\n", "q.csv"))


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl"])
def test_what_is_said_of_columns_can_be_pasted_and_mends_them_all(tmp_path, name):
    row = {"Video": "a.mp4", "Question ": "what?", "option_a": "x", "option_b": "y", "gold": "A"}
    text = lines(row) if name == "q.jsonl" else f"{','.join(row)}\n{','.join(row.values())}\n"
    with pytest.raises(UsageError) as refused:
        read_source(source(tmp_path, text, name))
    said = str(refused.value)
    assert f"{name}: no column 'video', 'question', 'answer' (it has " in said
    options = json.loads(said.partition("adapter_options: ")[2])
    assert options == {"columns": {"video": "Video", "question": "Question ", "answer": "NAME"}}
    options["columns"]["answer"] = "gold"
    assert len(read_source(source(tmp_path, text, name, **options)).questions) == 1


def test_columns_of_options_are_told_with_those_that_are_there(tmp_path):
    row = {"video": "a.mp4", "question": "what?", "right": "x", "wrong_1": "y", "answer": "x"}
    columns = {"video": "video", "options": ["right", "wrong_one"]}
    with pytest.raises(
        UsageError, match=r'no column \'wrong_one\'.*\{"video": "video", "options": \["right", "NAME"\]\}'
    ):
        read_source(source(tmp_path, lines(row), columns=columns))
    with pytest.raises(UsageError, match=r'no column \'options\'.*\{"options": "NAME"\}'):
        read_source(source(tmp_path, lines(row)))


def test_options_in_one_text_without_the_separator_say_what_to_do(tmp_path):
    found = read_source(source(tmp_path, lines({**ROW, "options": "a cup/a book"})))
    assert "'|' between them, or adapter_options: {\"separator\": …}" in found.rejects[0].detail
    assert len(read_source(source(tmp_path, lines({**ROW, "options": "a cup/a book"}), separator="/")).questions) == 1


def test_shuffled_options_keep_the_right_one_right_wherever_it_stands(tmp_path):
    """By the row's own texts: neither its place in the file nor other rows matter."""
    rows = [{**ROW, "question": f"What is number {number}?", "id": str(number)} for number in range(60)]
    found = read_source(source(tmp_path, lines(*rows), shuffle=True)).questions
    assert {question.answer_text for question in found} == {"a cup"}
    places = [question.answer_index for question in found]
    assert all(8 <= places.count(place) <= 32 for place in range(3))  # 20 expected, over three deviations each way
    back = read_source(source(tmp_path, lines(*reversed(rows)), shuffle=True)).questions
    assert {q.source_id: q.options for q in back} == {q.source_id: q.options for q in found}


def said_of(one):
    return dict(remarks(one.format, read_source(one).questions))


def test_a_right_option_that_has_always_one_place_is_told(tmp_path, caplog):
    rows = [{**ROW, "question": f"What is number {number}?"} for number in range(12)]
    always, few = source(tmp_path, lines(*rows)), lines(*rows[:9])
    with caplog.at_level(logging.WARNING):
        ingest(always, tmp_path / "qa", IngestSettings())
    said = [record.getMessage() for record in caplog.records if "always" in record.getMessage()]
    assert len(said) == 1 and "is A in all 12 questions" in said[0] and 'adapter_options: {"shuffle": true}' in said[0]
    assert not said_of(source(tmp_path, few))
    assert not said_of(source(tmp_path, lines(*rows), shuffle=True))
    assert not said_of(source(tmp_path, lines(*rows, {**ROW, "answer": "B"})))


def test_questions_that_are_asked_again_are_told_by_name(tmp_path):
    """The order of options does not count; another clip of the video is another question."""
    again = {**ROW, "options": ["a hat", "a book", "a cup"], "answer": "a cup"}
    rows = [ROW, {**ROW, "start": 1}, again, {**ROW, "answer": "B"}, {**ROW, "options": ["a cup", "x", "x"]}]
    said = said_of(source(tmp_path, lines(*rows)))
    assert said["asked_again"].startswith("1 question (q_2) is asked again")
    assert (
        said["contradicts"].startswith("1 question (q_3) is asked again")
        and "another right answer" in said["contradicts"]
    )
    assert said["duplicate_options"].startswith("1 question (q_4) is asked with two options")
    assert not said_of(source(tmp_path, lines(*rows[:2])))


def test_videos_that_are_all_missing_raise_the_question_of_the_folder(tmp_path, caplog):
    rows = [ROW, {**ROW, "video": "b.mp4"}]
    ingest(source(tmp_path, lines(*rows)), tmp_path / "qa", IngestSettings())
    assert "2 of 2 videos missing" in caplog.text and "is it the folder that the paths begin in?" in caplog.text
    caplog.clear()
    (tmp_path / "b.mp4").touch()
    ingest(source(tmp_path, lines(*rows)), tmp_path / "qa", IngestSettings())
    assert "1 of 2 videos missing" in caplog.text and "is it the folder" not in caplog.text


def raw(**fields):
    return RawQuestion("q row 0", "0", ("a.mp4",), "what?", ("x", "y"), 0, "train", "", **fields)


def test_evidence_that_is_left_out_is_told_with_its_reason(tmp_path):
    write_video(tmp_path / "a.mp4", constant(2.0), size=(32, 32))
    asked = {
        "seen": raw(start_s=1.0, end_s=2.0, evidence=((0.5, 1.5),)),
        "before": raw(start_s=1.0, end_s=2.0, evidence=((0.2, 1.0), (1.5, 1.6))),
        "behind": raw(start_s=0.0, end_s=1.0, evidence=((1.0, 1.5),)),
        "moment": raw(start_s=1.0, end_s=2.0, evidence=((1.0, 1.0),)),
        "later": raw(evidence=((1.9, 9.0), (2.0, 2.5))),
        "unknown": raw(evidence=((500.0, 501.0),)),
        "frames": raw(evidence_frames=(3, 3, 10_000)),
        "gone": raw(evidence_frames=(3,)),
    }
    videos = dict.fromkeys(asked, "a.mp4") | {"gone": "gone.mp4", "unknown": "gone.mp4"}
    found = find_evidence(asked, videos, tmp_path)
    lost = {"before": OUTSIDE, "behind": OUTSIDE, "later": BEHIND, "frames": NO_FRAME, "gone": NO_VIDEO}
    assert found.lost == lost
    spans = [(row["qa_id"], row["start_s"]) for row in found.rows]
    assert spans == [
        ("seen", 0.5),
        ("before", 1.5),
        ("moment", 1.0),
        ("later", 1.9),
        ("unknown", 500.0),
        ("frames", pytest.approx(0.1)),
    ]


def test_ingest_says_of_how_many_questions_evidence_is_known(tmp_path, caplog):
    rows = [{**ROW, "id": name, "evidence": value} for name, value in (("a", [[1, 2]]), ("b", "early"))]
    rows.append({**ROW, "id": "c", "start": 5, "end": 9, "evidence": [[1, 2]]})
    with caplog.at_level(logging.INFO):
        ingest(source(tmp_path, lines(*rows)), tmp_path / "qa", IngestSettings())
    said = caplog.text
    assert "known of 1 question\n" in said
    assert (
        "evidence of 1 question is left out where it is neither pairs of seconds nor clocks" in said and ": b" in said
    )
    assert f"evidence of 1 question is left out where it {OUTSIDE}: c" in said
    assert pq.read_table(tmp_path / "qa" / "mine.evidence.parquet").num_rows == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["csv", "--help"], ["format csv:", "--annotations takes", "shuffle:", "    question:"]),
        (["nextqa", "-h"], ["format nextqa:", "NExTVideo"]),
        (["--help"], ["usage: refocus ingest"]),
    ],
)
def test_help_of_a_format_says_what_it_takes(capsys, words, named):
    with pytest.raises(SystemExit) as ended:
        main(["ingest", *words])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and all(text in out for text in named)


def test_a_format_behind_the_annotations_is_told_from_a_file(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    words = ["--annotations", "q.csv", "csv", "--videos", ".", "--name", "mine", "--out", "qa"]
    with pytest.raises(SystemExit):
        main(["ingest", *words])
    assert "FORMAT stands before the flags: refocus ingest csv" in capsys.readouterr().err
    (tmp_path / "csv").touch()
    assert main(["ingest", "csv", "--annotations", "csv", *words[3:]]) == 2  # a file, but of no known ending
    assert "its ending does not say what it is" in caplog.text


def test_help_of_a_format_that_is_none_is_an_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["ingest", "cvs", "--help"])
    assert ended.value.code == 2 and "cvs" in capsys.readouterr().err
