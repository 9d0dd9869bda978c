"""Accounting, identity and paths, whatever the rows hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.qa.raw_question import LETTERS, BadRow, RawQuestion, answer_by_text, build, strip_letters
from refocus.qa.records import Question, clip_id, read_questions, write_questions
from refocus.qa.video_finder import VideoFinder

TEXT = st.text(st.characters(), max_size=12)
PATHS = st.sampled_from(["a.mp4", "x/b.mp4", "../up.mp4", "/abs.mp4", "c\0.mp4", "", "\ud800.mp4"])
DRAFTS = st.builds(
    RawQuestion,
    where=st.just("f.json row 0"),
    source_id=TEXT,
    videos=st.tuples(PATHS),
    question=TEXT,
    options=st.lists(TEXT, max_size=7).map(tuple),
    answer_index=st.integers(-1, 8),
    split=TEXT,
    start_s=st.none() | st.floats(0, 9),
    end_s=st.none() | st.floats(0, 9),
)
DRAFT = RawQuestion("f.json row 0", "1", ("a.mp4",), "what?", ("red", "blue"), 1, "train")


@given(st.lists(DRAFTS, max_size=6))
def test_every_row_is_a_question_or_a_reject(tmp_path_factory, drafts):
    """One comes out for one that goes in, and everything can be written and read back."""
    folder = tmp_path_factory.mktemp("rows")
    out = list(build("set", drafts, VideoFinder(folder)))
    assert len(out) == len(drafts)
    questions = [row for row in out if isinstance(row, Question)]
    assert len({question.qa_id for question in questions}) == len(questions)
    assert all(-1 <= question.answer_index < len(question.options) for question in questions)
    assert all(".." not in question.video_path and question.video_path[0] != "/" for question in questions)
    assert all(row.reason and row.detail for row in out if not isinstance(row, Question))
    write_questions(folder / "q.parquet", questions, "ingest")
    assert read_questions(folder / "q.parquet") == questions


def test_identical_rows_keep_their_own_ids(tmp_path):
    """A repeated row is another question; adding one changes no other id."""
    ids = [row.qa_id for row in build("set", [DRAFT, DRAFT, replace(DRAFT, source_id="2")], VideoFinder(tmp_path))]
    assert len(set(ids)) == 3
    assert ids[0] == next(build("set", [DRAFT], VideoFinder(tmp_path))).qa_id


def test_ids_follow_the_design():
    """16 hex digits of SHA-256 over canonical JSON; times count in milliseconds."""
    import hashlib

    expected = hashlib.sha256(b'["set","x/a.mp4",1.5,null]').hexdigest()[:16]
    assert clip_id("set", "x/a.mp4", 1.5000001, None) == expected
    assert clip_id("set", "x/a.mp4", 1.501, None) != expected


def test_flags(tmp_path):
    """Odd but usable options are kept and flagged."""
    odd = replace(DRAFT, options=("a", "a", "", "d", "e", "f"), answer_index=3)
    (question,) = build("set", [odd], VideoFinder(tmp_path))
    assert question.flags == ("duplicate_options", "empty_option", "many_options")


@pytest.mark.parametrize(
    ("options", "stripped"),
    [
        (["A. red", "B. blue"], ("red", "blue")),
        (["(A) red", "(B) blue"], ("red", "blue")),
        (["A. red", "C. blue"], ("A. red", "C. blue")),
        (["A. red", "blue"], ("A. red", "blue")),
        (["A.", "B. x"], ("", "x")),
        (["A.", "B."], ("A.", "B.")),
        (["A. m.", "P. m."], ("A. m.", "P. m.")),
        (["B. red", "C. blue"], ("B. red", "C. blue")),
        ([f"{letter}. x" for letter in "ABCDEFGHIJKLMN"], ("x",) * 14),
        ([f"{letter}. x" for letter in LETTERS] + ["x"], (*(f"{letter}. x" for letter in LETTERS), "x")),
        ([], ()),
    ],
)
def test_letters_go_only_when_all_options_carry_them(options, stripped):
    """A lone "A. " is part of the option."""
    assert strip_letters(options) == stripped


@given(st.lists(TEXT, max_size=30))
def test_stripping_loses_no_option(options):
    """Whatever they hold, as many come out as went in, in their order."""
    stripped = strip_letters(options)
    assert len(stripped) == len(options)
    assert all(short in long for short, long in zip(stripped, options, strict=True))


@pytest.mark.parametrize(
    ("text", "index"), [("red", 0), (" Red. ", 0), ("B. blue", 1), ("(B) blue", 1), ("C. Red", None), ("A. blue", None)]
)
def test_an_answer_in_words_names_its_option(text, index):
    """Exactly, loosely, or with its own letter; never with another's."""
    if index is None:
        with pytest.raises(BadRow):
            answer_by_text(text, ["red", "blue", "other"])
    else:
        assert answer_by_text(text, ["red", "blue", "other"]) == index


def test_odd_ids_survive_parquet(tmp_path):
    """Dashes in front, digits, line ends, other alphabets in both normal forms, repeated options: as they came."""
    ids = ["-x", "007", "1e5", "a\nb", "caf\u00e9", "cafe\u0301", "\u65e5\u672c", " ", "None", "nan"]
    drafts = [
        replace(DRAFT, source_id=name, videos=(f"{name}/{name}.mp4",), question=f"{name}?", options=(name, name, "x"))
        for name in ids
    ]
    questions = list(build("set", drafts, VideoFinder(tmp_path)))
    write_questions(tmp_path / "q.parquet", questions, "ingest")
    back = read_questions(tmp_path / "q.parquet")
    assert [question.source_id for question in back] == ids
    assert [question.video_path for question in back] == [f"{name}/{name}.mp4" for name in ids]
    assert [question.options for question in back] == [(name, name, "x") for name in ids]
    assert len({question.clip_id for question in back}) == len(ids)


def test_text_that_cannot_be_stored_costs_its_row(tmp_path):
    """Lone surrogates in any text, flags included."""
    spoilt = [replace(DRAFT, **{name: "\ud800"}) for name in ("source_id", "question", "category", "split")]
    spoilt += [replace(DRAFT, **{name: ("ok", "\ud800")}) for name in ("options", "videos", "flags")]
    rejects = list(build("set", spoilt, VideoFinder(tmp_path)))
    assert [row.reason for row in rejects] == ["bad_text"] * 7
    named = [row.detail.split(": ")[1] for row in rejects]
    assert named == ["source_id", "question", "category", "split", "options", "videos", "flags"]
