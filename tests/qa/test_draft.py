"""Accounting, identity and paths, whatever the rows hold."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.qa.adapters.llava_video import read as read_llava
from pipeline.qa.adapters.mlvu import read as read_mlvu
from pipeline.qa.draft import Draft, build, strip_letters
from pipeline.qa.records import Question, clip_id, read_questions, write_questions
from pipeline.qa.videos import VideoFinder, checked

TEXT = st.text(st.characters(), max_size=12)
PATHS = st.sampled_from(["a.mp4", "x/b.mp4", "../up.mp4", "/abs.mp4", "c\0.mp4", "", "\ud800.mp4"])
DRAFTS = st.builds(
    Draft,
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
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "video", "from"]), inner),
    max_leaves=5,
)
DRAFT = Draft("f.json row 0", "1", ("a.mp4",), "what?", ("red", "blue"), 1, "train")


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


CHOICES = {
    "question": TEXT,
    "candidates": JSON | st.lists(TEXT),
    "answer": JSON,
    "question_type": JSON,
    "video": JSON | PATHS,
}
TURNS = st.lists(
    st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": JSON | st.just("q\nA. a\nB. b")}),
    max_size=4,
)


@settings(max_examples=60)
@given(st.lists(JSON | st.fixed_dictionaries({}, optional=CHOICES), max_size=5))
def test_mlvu_accounts_for_any_json(tmp_path_factory, rows):
    """Rows of any shape end as drafts or rejects, one each."""
    path = tmp_path_factory.mktemp("json") / "1_plotQA.json"
    path.write_text(json.dumps(rows))
    finder = VideoFinder(path.parent)
    assert len(list(build("set", read_mlvu([path], {}), finder))) == len(rows)


@settings(max_examples=60)
@given(st.lists(JSON | st.fixed_dictionaries({"video": PATHS, "conversations": TURNS}), max_size=5))
def test_llava_video_accounts_for_any_json(tmp_path_factory, rows):
    """Rows of any shape end as at least one question or reject."""
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(rows))
    out = list(build("set", read_llava([path], {}), VideoFinder(path.parent)))
    assert len(out) >= len(rows)


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
    ],
)
def test_letters_go_only_when_all_options_carry_them(options, stripped):
    """A lone "A. " is part of the option."""
    assert strip_letters(options) == stripped


@pytest.mark.parametrize("path", ["../a.mp4", "/a.mp4", "x/../../a.mp4", "..\\a.mp4", "C:\\a.mp4", "", ".", "a\0b"])
def test_paths_cannot_leave_the_root(tmp_path, path):
    """Nothing outside the data root can be named, found or asked for."""
    with pytest.raises(ValueError, match="path"):
        checked(path)
    with pytest.raises(ValueError, match="path"):
        VideoFinder(tmp_path).find([path])


def test_videos_are_found_by_stem_in_their_own_folder(tmp_path):
    """Another extension or case is taken; the same stem in another folder is another video."""
    for name in ["One/clip.webm", "one_more.MP4", "two/clip.mp4", "one/notes.txt"]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    finder = VideoFinder(tmp_path)
    assert finder.find(["Two/CLIP.mkv"]) == "two/clip.mp4"
    assert finder.find(["One/clip.mp4"]) == "One/clip.webm"
    assert finder.find(["One_More.mp4"]) == "one_more.MP4"
    assert finder.find(["three/clip.mp4", "two/clip.mp4"]) == "two/clip.mp4"
    assert not finder.missing
    assert finder.find(["one/notes.mp4"]) == "one/notes.mp4"
    assert finder.find(["three/clip.mp4"]) == "three/clip.mp4"
    assert finder.missing == {"one/notes.mp4", "three/clip.mp4"}
    assert Path(tmp_path / "two" / "clip.mp4").is_file()
