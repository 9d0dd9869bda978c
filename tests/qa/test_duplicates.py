"""Copies across training sets: what counts as the same question, which copy stays, and what the report says."""

import argparse
import json
import random

import pyarrow.parquet as pq
import pytest
from refocus.cli import screen as screen_command
from refocus.core.errors import RefocusError
from refocus.qa.duplicates import Duplicates
from refocus.qa.question_pool import open_pool
from refocus.qa.records import write_questions

from tests.support.asked import asked

NEXTQA = "NExTVideo/1164/3238737531.mp4"
SAME_VIDEO = {
    "nextqa": ["NExTVideo/1164/3238737531.mp4", "NExTVideo/3238737531.mp4", "3238737531.MP4"],
    "llava_video": [
        "0_30_s_nextqa/NextQA/NExTVideo/1164/3238737531.mp4",
        "30_60_s_academic_v0_1/academic_source/NextQA/1164/3238737531.mp4",
    ],
}
OTHER_VIDEO = {
    "perceptiontest": ["videos/video_10001.mp4"],
    "llava_video": [
        "0_30_s_perceptiontest/perception_test/videos/video_10002.mp4",
        "0_30_s_academic_v0_1/academic_source/ego4d/video_10001.mp4",
        "0_30_s_academic_v0_1/academic_source/youcook2/101/zukEQgbWdsY/split_2.mp4",
        "0_30_s_academic_v0_1/academic_source/youcook2/101/aaaaaaaaaaa/split_2.mp4",
        "0_30_s_academic_v0_1/academic_source/Charades/3238737531.mp4",
    ],
    "nextqa": ["NExTVideo/1164/3238737532.mp4", "NExTVideo/1164/32387375310.mp4"],
    "cinepile": ["32387375310.mp4"],
}


def copies(*pools):
    """(copy's qa_id → the kept one's) over (format, questions) pairs, and the counts."""
    found = Duplicates()
    rows = [row for format, questions in pools for row in found.find(format, questions)]
    return {row["qa_id"]: row["of"] for row in rows}, found.summary()


@pytest.mark.parametrize(("format", "path"), [(name, path) for name, paths in SAME_VIDEO.items() for path in paths])
def test_a_video_is_known_by_each_of_its_paths(format, path):
    first, second = asked("a", NEXTQA), asked("b", path)
    assert copies(("nextqa", [first]), (format, [second]))[0] == {second.qa_id: first.qa_id}


def test_equal_names_in_other_corpora_are_other_videos():
    videos = [(format, path) for format, paths in OTHER_VIDEO.items() for path in paths]
    pools = [(format, [asked(f"set{n}", path)]) for n, (format, path) in enumerate(videos)]
    assert copies(("nextqa", [asked("a", NEXTQA)]), *pools)[0] == {}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"question": "What  is red?"}, True),
        ({"options": ("A hat.", "A cup.")}, True),
        ({"end_s": 12.0}, True),
        ({"source_id": "another"}, True),
        ({"question": "What is read?"}, False),
        ({"options": ("a cup", "a hat", "a dog")}, False),
        ({"options": ("a cup", "a cup")}, False),
        ({"start_s": 3.0}, False),
    ],
    ids=str,
)
def test_what_makes_a_question_the_same(changes, same):
    found, _ = copies(("nextqa", [asked("a", NEXTQA)]), ("nextqa", [asked("b", NEXTQA, **changes)]))
    assert bool(found) == same


def test_signs_and_decimals_of_options_are_not_punctuation():
    first, second = asked("a", NEXTQA, options=("1", "-1")), asked("a", NEXTQA, options=("1", "1"))
    assert copies(("nextqa", [first, second]))[0] == {}


def test_the_data_set_named_first_keeps_its_copy():
    ours, theirs = asked("nextqa", NEXTQA), asked("llava_video", SAME_VIDEO["llava_video"][0])
    pools = [("nextqa", [ours]), ("llava_video", [theirs])]
    assert copies(*pools)[0] == {theirs.qa_id: ours.qa_id}
    assert copies(*reversed(pools))[0] == {ours.qa_id: theirs.qa_id}


def test_copies_inside_one_data_set_are_found_and_counted_apart():
    twice = [asked("llava_video", path) for path in SAME_VIDEO["llava_video"]]
    found, summary = copies(("nextqa", [asked("nextqa", "NExTVideo/1.mp4")]), ("llava_video", twice))
    assert found == {twice[1].qa_id: twice[0].qa_id}
    assert summary["pairs"] == {"nextqa": {}, "llava_video": {"llava_video": 1}}


def test_what_stays_has_every_question_once_and_counts_add_up():
    """Against a plain model: of each (video, question) exactly the first in order stays."""
    draw = random.Random(0)
    pools = []
    for dataset, folder in (("nextqa", "NExTVideo"), ("llava_video", "0_30_s_nextqa/NextQA/NExTVideo/7")):
        picks = [(draw.randrange(9), draw.randrange(4), n) for n in range(60)]
        rows = [asked(dataset, f"{folder}/{v}.mp4", f"question {q}", source_id=str(n)) for v, q, n in picks]
        pools.append((dataset, rows, picks))
    found, summary = copies(*((dataset, rows) for dataset, rows, _ in pools))
    seen, expected = set(), set()
    for _, rows, picks in pools:
        for row, (video, number, _) in zip(rows, picks, strict=True):
            if (video, number) in seen:
                expected.add(row.qa_id)
            seen.add((video, number))
    assert set(found) == expected and not set(found.values()) & expected
    assert summary["duplicates"] == len(expected) == sum(n for row in summary["pairs"].values() for n in row.values())


def test_the_command_writes_a_table_and_counts(tmp_path, capsys):
    ours, theirs = asked("nextqa", NEXTQA), asked("llava", SAME_VIDEO["llava_video"][0], question="What is red?")
    for question, format in ((ours, "nextqa"), (theirs, "llava_video")):
        write_questions(tmp_path / f"{question.dataset}.parquet", [question], "ingest", {"format": format})
    parser = argparse.ArgumentParser()
    screen_command.add_arguments(parser)
    words = ["duplicates", tmp_path / "nextqa.parquet", tmp_path / "llava.parquet", "--out", tmp_path / "out"]
    screen_command.run(parser.parse_args(list(map(str, words))))
    (row,) = pq.read_table(tmp_path / "out/duplicates.parquet").to_pylist()
    assert (row["qa_id"], row["reason"], row["of"]) == (theirs.qa_id, "duplicate", ours.qa_id)
    summary = json.loads((tmp_path / "out/duplicates.json").read_text())
    assert summary["pairs"] == {"nextqa": {}, "llava": {"nextqa": 1}}
    assert "llava: 1 of 1 questions are copies of nextqa" in capsys.readouterr().out


def test_a_file_that_does_not_say_its_format_is_refused(tmp_path):
    write_questions(tmp_path / "a.parquet", [asked("a", NEXTQA)], "ingest")
    with pytest.raises(RefocusError, match=r"a\.parquet: does not say its format"):
        open_pool(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [None, "no parquet"])
def test_a_file_that_is_none_is_named(tmp_path, content):
    if content:
        (tmp_path / "a.parquet").write_text(content)
    with pytest.raises(RefocusError, match=r"a\.parquet"):
        open_pool(tmp_path / "a.parquet")
