"""What ingest and screening do in bulk is what they would do row by row, in the plainest way."""

import json
import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.core.files import canonical
from refocus.core.results_folder import SHARD_CLIPS, SHARD_QUESTIONS, shard_name
from refocus.qa.adapters import conversations
from refocus.qa.clips import ClipRow
from refocus.qa.duplicates import plain
from refocus.qa.records import (
    CLIP_SCHEMA,
    QUESTION_SCHEMA,
    Question,
    questions_table,
    read_clips,
    read_columns,
    read_questions,
)
from refocus.qa.shard_lists import write_lists
from refocus.qa.video_finder import VideoFinder

TEXT = st.text(st.sampled_from("Aab .?!,;:…\n\t\x1c\u2003ßéＡ(:)."), max_size=12) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(TEXT)
def test_texts_are_compared_as_their_rule_says(text):
    """One Unicode form and case, single spaces, no punctuation at the end."""
    spaced = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    assert plain(text) == re.sub(r"[\s.?!,;:…]+$", "", spaced)


@given(TEXT)
def test_marks_of_options_begin_the_text_or_follow_a_space(text):
    marks = re.compile(r"(?:(?<=\s)|^)\(?([A-Z])[.):]\s")
    found, expected = (list(pattern.finditer(text)) for pattern in (conversations._INLINE, marks))
    assert [(mark.span(), mark[1]) for mark in found] == [(mark.span(), mark[1]) for mark in expected]


@given(VALUES)
def test_canonical_json_is_sorted_and_without_spaces(value):
    assert canonical(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def question(number, clip):
    rest = {
        "dataset": "set",
        "split": "train",
        "video_path": "v.mp4",
        "start_s": None,
        "end_s": 2 if number % 2 else 1.5,
    }
    rest |= {"answer_text": "b", "category": "", "source_id": f"s{number}", "answer_index": number % 2, "flags": ()}
    options = tuple("ab"[: number % 3])
    return Question(qa_id=f"q{number}", clip_id=clip, question=f"é{number}?", options=options, **rest)


def test_a_table_of_columns_is_the_table_of_its_rows():
    questions = [question(number, "c") for number in range(7)]
    rows = [{**vars(one), "options": list(one.options), "flags": list(one.flags)} for one in questions]
    assert questions_table(questions).equals(pa.Table.from_pylist(rows, schema=QUESTION_SCHEMA))
    assert questions_table([]).equals(pa.Table.from_pylist([], schema=QUESTION_SCHEMA))


@pytest.mark.parametrize("shards", [3, 5])
def test_every_list_has_the_rows_of_its_shard_in_file_order(tmp_path, shards):
    """Also where questions about one clip lie apart; lists beyond the last clip are there and empty."""
    rows = [ClipRow(f"c{number}", f"{number}.mp4", None, float(number), number // 2) for number in range(6)]
    questions = [question(number, f"c{number * 5 % 6}") for number in range(13)]
    shard_of = {row.clip_id: row.shard for row in rows}
    assert write_lists(tmp_path, rows, questions_table(questions), shards, {}) == 2 * shards
    for number in range(shards):
        clips, asked = (file.inside(tmp_path, shard=shard_name(number)) for file in (SHARD_CLIPS, SHARD_QUESTIONS))
        assert read_clips(clips) == [row for row in rows if row.shard == number]
        assert read_questions(asked) == [one for one in questions if shard_of[one.clip_id] == number]
        assert read_columns(clips, CLIP_SCHEMA.names).schema.equals(CLIP_SCHEMA)
    assert write_lists(tmp_path, rows, questions_table(questions), shards, {}) == 0, "unchanged lists stay"


def test_a_video_that_is_asked_for_again_is_found_again(tmp_path):
    """Neither a miss nor a refusal is forgotten, and no other video's answer is given."""
    for name in ("a.mp4", "b.webm"):
        (tmp_path / name).touch()
    finder = VideoFinder(tmp_path)
    asked = [("a.mp4",), ("a.mp4",), ("b.mp4",), ("gone.mp4", "b.mp4"), ("gone.mp4",), ("gone.mp4",), ["a.mp4"]]
    assert [finder.find(paths) for paths in asked] == [
        "a.mp4", "a.mp4", "b.webm", "b.webm", "gone.mp4", "gone.mp4", "a.mp4"
    ]  # fmt: skip
    assert finder.missing == {"gone.mp4"}
    for wrong in ((), (), ("../a.mp4",), ("../a.mp4",)):
        with pytest.raises(ValueError, match="video"):
            finder.find(wrong)
