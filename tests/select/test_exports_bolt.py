"""BOLT's files, whose reader turns seconds into frames and tells questions apart by what it finds."""

import json

import numpy as np
import pytest
from refocus.core.errors import RefocusError
from refocus.qa.records import write_questions
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import ExportSources, read_asked, read_picked
from refocus.select.frame_clock import even_rate
from refocus.select.picks import Selection, VideoFile
from refocus.select.selections import read_selections

from tests.support.exporting import N, bring_back, write


def test_bolts_reader_finds_exactly_the_picked_frames(even, tmp_path):
    """It takes round(seconds * average rate)."""
    table = even.select("random", N, tmp_path / "random")
    write(even, "bolt", table, tmp_path / "file")
    videos = json.loads((tmp_path / "file").read_text())
    rows = read_selections(table)
    for question in even.questions:
        row = rows[question.qa_id]
        mine = [one for one in videos[question.video_path[:-4]] if one["question_id"] == question.source_id]
        taken = np.round(np.array(mine[0]["frames"]) * row.file.fps).astype(int)
        assert len(mine) == 1 and tuple(taken) == row.frames_indices


def test_bolt_refuses_a_video_whose_frames_come_at_an_uneven_rate(bench, table, tmp_path):
    with pytest.raises(RefocusError, match=r"2 questions \(2, 3\) .* do not come at an even rate"):
        write(bench, "bolt", table, tmp_path / "file")


@pytest.mark.parametrize(("off", "even"), [(0.4, True), (-0.4, True), (0.6, False), (-0.6, False)])
def test_a_rate_is_even_while_no_pick_is_half_a_frame_off(off, even):
    """Beyond that, the number that a reader computes from the seconds is another frame's."""
    seconds = (0.0, (10 + off) / 30)
    row = Selection((0, 1), seconds, (0, 1), frames_indices=(0, 10), file=VideoFile("v.mp4", fps=30.0))
    assert even_rate(row, row.file) == even
    assert not even_rate(row, VideoFile("v.mp4")), "without a rate nobody knows"


@pytest.mark.parametrize(("format", "same"), [("mlvu", "question"), ("csv", "source_id")])
def test_bolt_refuses_questions_that_it_cannot_tell_apart(format, same, even, tmp_path):
    """MLVU's question_id is the video's name, so that only the text is left."""
    table = even.select("random", N, tmp_path / "random")
    asked = read_asked(even.qa)
    twins = [type(question)(**{**vars(question), same: "7"}) for question in asked.questions]
    write_questions(tmp_path / "qa.parquet", twins, "ingest", {"format": format, "options": {}})
    tables = read_picked([table], [read_asked(tmp_path / "qa.parquet")])
    with pytest.raises(RefocusError, match="share their video and their"):
        FORMATS["bolt"].write(tables, ExportSources(), tmp_path / "file")
    (tmp_path / "file").write_text("{}")
    with pytest.raises(RefocusError, match="share their video and their"):
        FORMATS["bolt"].read(tmp_path / "file", tables[0].asked, ExportSources())


def test_frame_numbers_taken_for_seconds_are_refused(even, tmp_path):
    table = even.select("random", N, tmp_path / "random")
    write(even, "bolt", table, tmp_path / "file")
    videos = json.loads((tmp_path / "file").read_text())
    for rows in videos.values():
        for row in rows:
            row["frames"] = [30 * time for time in row["frames"]]
    (tmp_path / "file").write_text(json.dumps(videos))
    assert bring_back(even, "bolt", tmp_path / "file", tmp_path / "back") == 1
