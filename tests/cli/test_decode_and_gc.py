"""`refocus ingest` and `refocus decode` by hand, end to end."""

import json

import pytest
from refocus.cli.main import main
from refocus.frames.frame_store import FrameStore
from refocus.qa.records import read_clips, read_questions

from tests.support.videos import constant, write_video


@pytest.fixture
def project(tmp_path):
    videos = tmp_path / "videos"
    write_video(videos / "video" / "1_plotQA" / "a.mp4", constant(2.0))
    write_video(videos / "b.mkv", constant(1.0))
    good = {"question": "what?", "candidates": ["red", "blue"], "answer": "blue", "question_type": "plotQA"}
    rows = [{**good, "video": "a.mp4"}, {**good, "video": "b.mp4"}, {**good, "video": "gone.mp4"}, {"video": "a.mp4"}]
    (tmp_path / "1_plotQA.json").write_text(json.dumps(rows))
    return tmp_path


def test_from_annotations_to_frames(project):
    """Questions, rejects, clips, shard lists, a shard and its index; a missing video and a broken row stop nothing."""
    out = project / "qa"
    annotations, videos = str(project / "1_plotQA.json"), str(project / "videos")
    arguments = ["--annotations", annotations, "--videos", videos, "--name", "set", "--out", str(out)]
    assert main(["ingest", "mlvu", *arguments, "--clips-per-shard", "2"]) == 0
    assert len(read_questions(out / "set.parquet")) == 3
    clips = read_clips(out / "set.clips.parquet")
    assert [clip.shard for clip in clips] == [0, 0, 1]
    assert read_clips(out / "shards" / "set" / "000000.clips.parquet") == clips[:2]
    tar = project / "s.tar"
    decode = ["decode", str(out / "set.clips.parquet"), "--videos", videos, "--out", str(tar), "--size", "32"]
    assert main([*decode, "--workers", "1"]) == 0
    store = FrameStore.open([project / "s.index.parquet"])
    assert [store.record(clip.clip_id).n_frames for clip in clips] == [8, 4, 0]
    assert main([*decode, "--shard", "1", "--fps", "2", "--max-frames", "3"]) == 0
    assert len(FrameStore.open([project / "s.index.parquet"]).clips()) == 1


@pytest.mark.parametrize("flags", [["--size", "4"], ["--fps", "x"], ["--settings", '{"fsp": 2}'], ["--out", "x.zip"]])
def test_bad_arguments_end_with_status_2(project, flags, capsys):
    """A wrong value or an unknown key is the caller's mistake."""
    arguments = ["decode", "clips.parquet", "--videos", str(project), "--out", "x.tar", *flags]
    assert main(arguments) == 2


def test_a_shard_that_is_not_there_is_no_success(project, caplog):
    out = project / "qa"
    annotations = ["--annotations", str(project / "1_plotQA.json"), "--videos", str(project / "videos")]
    assert main(["ingest", "mlvu", *annotations, "--name", "set", "--out", str(out)]) == 0
    words = ["decode", str(out / "set.clips.parquet"), "--videos", str(project / "videos"), "--out", "s.tar"]
    assert main([*words, "--shard", "99"]) == 2
    assert "has no clips in shard 99" in caplog.text


def test_shards_that_nobody_waits_for_are_no_success(project, caplog):
    """Snakemake plans a run before ingest has run; what it has no jobs for would be missing in silence."""
    arguments = ["--annotations", str(project / "1_plotQA.json"), "--videos", str(project / "videos"), "--name", "set"]
    words = ["ingest", "mlvu", *arguments, "--out", str(project / "qa"), "--clips-per-shard", "2", "--shards", "9"]
    assert main([*words, "--planned", "1"]) == 1
    assert "fill 2 shards, and this run has planned jobs for 1: start it again" in caplog.text
    assert main([*words, "--planned", "2"]) == 0


def test_limit_reads_the_first_rows(project):
    """--limit N looks at N rows and no more."""
    out = project / "qa"
    arguments = ["--annotations", str(project / "1_plotQA.json"), "--videos", str(project), "--name", "set"]
    assert main(["ingest", "mlvu", *arguments, "--out", str(out), "--limit", "1"]) == 0
    assert len(read_questions(out / "set.parquet")) == 1
