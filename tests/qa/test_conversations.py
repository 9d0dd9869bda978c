"""LLaVA-Video-178K and VISTA-400K: questions inside conversations. Rows are synthetic, in the published form."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.qa.adapters.conversations import TAILS, parse_answer, parse_question
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.raw_question import BadRow


def talk(*turns):
    speakers = ("human", "gpt")
    return [{"from": speakers[index % 2], "value": text} for index, text in enumerate(turns)]


def read(format, path, rows, root):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return read_source(SourceFiles("set", format, (path,), root))


def test_llava_video_rows(tmp_path):
    """Every turn is a question; options and instruction are taken out of the text."""
    turns = talk(
        f"<image>\nWhat is on the table?\nA. A red cup.\nB. A hat.\n{TAILS[0]}",
        "A.",
        f"How many?\nOptions:\nA. One.\nB. Two.\nC. Three.\n{TAILS[1]}",
        "B. Two.",
        f"How many?\nA. One.\nB. Two.\n{TAILS[1]}",
        "B. Three.",
    )
    rows = [{"id": "x1", "data_source": "0_30_s_youtube_v0_1", "video": "liwei/ytb_-1.mp4", "conversations": turns}]
    found = read("llava_video", tmp_path / "0_30_s_youtube_mc_v0_1_qa_processed.json", rows, tmp_path)
    first, second = found.questions
    assert (first.question, first.options, first.answer_index) == ("What is on the table?", ("A red cup.", "A hat."), 0)
    assert (second.question, second.options, second.answer_index) == ("How many?", ("One.", "Two.", "Three."), 1)
    assert first.video_path == "0_30_s_youtube_v0_1/liwei/ytb_-1.mp4"
    assert (first.source_id, second.source_id, first.split) == ("x1:0", "x1:1", "train")
    assert first.clip_id == second.clip_id
    assert [(reject.source_id, reject.reason) for reject in found.rejects] == [("x1:2", "answer_mismatch")]
    assert "processed.json row 0 turn 2: conversations (gpt)" in found.rejects[0].detail


def test_rows_that_share_an_id_or_a_video_stay_apart(tmp_path):
    """Ids repeat, and so do stems of different corpora: the question and the whole path tell them apart."""
    turns = talk(f"What?\nA. x\nB. y\n{TAILS[0]}", "A", f"What?\nA. x\nB. y\n{TAILS[0]}", "B")
    row = {"id": "1", "video": "video_1.mp4", "conversations": turns}
    rows = [{**row, "data_source": "a"}, {**row, "data_source": "b"}, {**row, "data_source": "a"}]
    found = read("llava_video", tmp_path / "bucket" / "m.json", rows, tmp_path)
    assert len({question.qa_id for question in found.questions}) == len(found.questions) == 6
    assert {question.video_path for question in found.questions} == {"a/video_1.mp4", "b/video_1.mp4"}


def test_llava_video_places(tmp_path):
    """In the bucket of the row, else in the annotation file's folder, with whatever extension was downloaded."""
    for name in ("1_2_m_activitynetqa/act/v_x.webm", "here/act/v_y.mkv"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    turns = talk("What?\nA. x\nB. y", "A")
    rows = [{"id": 1, "data_source": "1_2_m_activitynetqa", "video": "act/v_x.mkv", "conversations": turns}]
    rows += [{"id": 2, "data_source": "1_2_m_activitynet", "video": "act/v_y.mp4", "conversations": turns}]
    found = read("llava_video", tmp_path / "here" / "m.json", rows, tmp_path)
    assert [question.video_path for question in found.questions] == [
        "1_2_m_activitynetqa/act/v_x.webm",
        "here/act/v_y.mkv",
    ]


def test_a_conversation_may_come_as_parquet(tmp_path):
    """As early revisions had it."""
    row = {"id": "007", "video": "a.mp4", "conversations": talk("What?\nA. x\nB. y", "B"), "data_source": "b"}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "m.parquet")
    (question,) = read_source(SourceFiles("set", "llava_video", (tmp_path / "m.parquet",), tmp_path)).questions
    assert (question.source_id, question.video_path, question.answer_index) == ("007:0", "b/a.mp4", 1)


@pytest.mark.parametrize("tail", ["", *TAILS, "Answer with the option's letter from the given choices directly."])
@pytest.mark.parametrize("heading", ["", "Options:\n", "\nChoices are:\n\n"])
@pytest.mark.parametrize("mark", ["{}. ", "({}) ", "{}) ", "{}: "])
@pytest.mark.parametrize("count", [2, 3, 5, 6, 8])
def test_options_are_read_in_every_form(count, mark, heading, tail):
    """Letters, headings and instructions go, texts stay."""
    options = [f"Please go. {index}" for index in range(count)]
    lines = [mark.format("ABCDEFGH"[index]) + option for index, option in enumerate(options)]
    text = "<image>\nWhat now?\nA: or B?\n" + heading + "\n".join([*lines, tail])
    assert parse_question(text) == ("What now?\nA: or B?", tuple(options))


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        (
            "Line one.\nA. is a letter here\nLine two?\nA. a\nmore\nB. b",
            "Line one.\nA. is a letter here\nLine two?",
            None,
        ),
        ("Which one? (A) a\nmore (B) b", "Which one?", None),
        ("Which one?\r\nA. a\r\nmore\r\nB. b\r\n", "Which one?", None),
        (f"Which?\nA. a\nmore\nB. b {TAILS[0]}", "Which?", None),
        ("Which?\nA.\nB.", "Which?", ("", "")),
        ("Which?\nA. 1\nC. 3\nB. 2", "Which?", ("1\nC. 3", "2")),
    ],
)
def test_texts_of_several_lines(text, question, options):
    """In question and options; a line that looks like an option does not begin the list."""
    assert parse_question(text) == (question, options or ("a\nmore", "b"))


@pytest.mark.parametrize("text", ["", "What is it?", "A. alone", "Is it A or B?", "What?\nB. x\nC. y"])
def test_a_text_without_options_is_not_multiple_choice(text):
    """Open questions and captions are told apart from options."""
    try:
        assert len(parse_question(text)[1]) == 1
    except BadRow as bad:
        assert bad.reason == "no_options"


@pytest.mark.parametrize("text", ["B", "b", "B.", "(B)", "B:", "B. A hat", "(B) a hat.", "A hat.", "The answer is B."])
def test_answers_by_letter_or_text(text):
    """With or without the words around them."""
    assert parse_answer(text, ["a dog.", "A hat", "A.M."]) == 1
    assert parse_answer("A.M.", ["a dog.", "A hat", "A.M."]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("D", "answer_out_of_range"),
        ("B. a dog", "answer_mismatch"),
        ("a cat", "answer_not_an_option"),
        ("", "answer_not_an_option"),
    ],
)
def test_answers_that_name_no_option(text, reason):
    """They are not guessed."""
    with pytest.raises(BadRow) as caught:
        parse_answer(text, ["a dog.", "A hat"])
    assert caught.value.reason == reason


@pytest.mark.parametrize("format", ["llava_video", "vista"])
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("text", "bad_row"),
        ({"id": 1}, "missing_field"),
        ({"id": 1, "video": "a.mp4", "conversations": []}, "missing_field"),
        ({"id": 1, "video": "a.mp4", "conversations": talk("q")}, "bad_conversation"),
        ({"id": 1, "video": "a.mp4", "conversations": talk("q", "A")}, "no_options"),
        ({"id": 1, "video": 5, "conversations": []}, "bad_field"),
        ({"id": 1, "video": "../a.mp4", "conversations": talk("q\nA. x\nB. y", "A")}, "unsafe_path"),
    ],
)
def test_rows_that_are_no_conversation(tmp_path, format, row, reason):
    """Each is one reject that names file and row."""
    (reject,) = read(format, tmp_path / "a.json", [row], tmp_path).rejects
    assert reject.reason == reason
    assert reject.detail.startswith("a.json row 0")


def test_a_broken_turn_costs_itself_alone(tmp_path):
    """The pairs around it are kept."""
    asked = "What?\nA. x\nB. y"
    turns = [*talk(asked, "A"), *talk(asked), {"from": "gpt"}, *talk(asked, "B"), *talk("", "gpt speaks first")[1:]]
    found = read("llava_video", tmp_path / "a.json", [{"id": 1, "video": "a.mp4", "conversations": turns}], tmp_path)
    assert [question.answer_index for question in found.questions] == [0, 1]
    assert [reject.reason for reject in found.rejects] == ["bad_conversation"] * 3


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("temporal_niah_mcq", "temporal_niah_mcq"),
        ("spatiotemporal_niah_mcq", "spatiotemporal_niah_mcq"),
        ("spatialtemporal_niah_qa", "spatiotemporal_niah_qa"),
        ("hr_video_grid_mcq", "hr_video_grid_mcq"),
    ],
)
def test_vista_rows(tmp_path, name, folder):
    """The video is called `image`, lies in the subset's folder, and the misspelt file has a folder spelt right."""
    rows = [{"image": "-PLa78IpO90_19_17to138.mp4", "conversations": talk("<video>\nWhat?\n(A) x\n(B) y", "(A) x")}]
    (question,) = read("vista", tmp_path / f"{name}.json", rows, tmp_path).questions
    assert question.video_path == f"{folder}/-PLa78IpO90_19_17to138.mp4"
    assert (question.question, question.options, question.answer_index) == ("What?", ("x", "y"), 0)
    assert (question.source_id, question.category, question.split) == (f"{name}_0:0", folder, "train")
