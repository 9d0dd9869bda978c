"""Later stages open what lies below the data root, also where a link was put there after ingest."""

import json

import pytest
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.config.ingest import IngestSettings
from refocus.frames.build_shard import build_shard
from refocus.frames.index import read_index
from refocus.qa.ingest import SourceFiles, ingest
from refocus.qa.records import read_clips
from refocus.qa.video_root import VideoRoot
from refocus.video.probe import VideoError

from tests.support.videos import constant, write_video

SETTINGS = DecodeSettings(size=32, runtime=DecodeRuntime(workers=1, timeout_s=30))


@pytest.fixture()
def places(tmp_path):
    """A root with a video, and a folder elsewhere with another."""
    write_video(tmp_path / "root" / "a.mp4", constant(1.0))
    write_video(tmp_path / "elsewhere" / "b.mp4", constant(1.0))
    rows = [{"video": name, "question": "What?", "options": ["x", "y"], "answer": 0} for name in ("a.mp4", "b.mp4")]
    (tmp_path / "root" / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def ingested(places, *allowed):
    source = SourceFiles("set", "jsonl", (places / "root" / "qa.jsonl",), places / "root", allowed_roots=allowed)
    ingest(source, places / "qa", IngestSettings())
    return places / "qa" / "set.clips.parquet"


def statuses(places, clips):
    rows = read_clips(clips)
    out = places / "s.tar", places / "s.index.parquet"
    build_shard(rows, places / "root", *out, SETTINGS, listed_in=clips)
    paths = {row.clip_id: row.video_path for row in rows}
    return {paths[row.clip_id]: (row.status, row.error) for row in read_index(out[1])}


def test_a_link_put_there_after_ingest_is_not_followed(places):
    clips = ingested(places)
    (places / "root" / "b.mp4").symlink_to(places / "elsewhere" / "b.mp4")
    found = statuses(places, clips)
    assert found["a.mp4"] == ("ok", None)
    assert found["b.mp4"][0] == "failed" and "leaves the data root through a link" in found["b.mp4"][1]


def test_links_into_allowed_roots_are_followed(places):
    (places / "root" / "b.mp4").symlink_to(places / "elsewhere" / "b.mp4")
    found = statuses(places, ingested(places, places / "elsewhere"))
    assert found == {"a.mp4": ("ok", None), "b.mp4": ("ok", None)}


def test_lists_of_the_same_clips_are_written_again_when_links_may_lead_elsewhere(places):
    ingested(places)
    file = places / "qa" / "shards" / "set" / "000000.clips.parquet"
    before = file.read_bytes()
    ingested(places)
    assert file.read_bytes() == before
    ingested(places, places / "elsewhere")
    assert VideoRoot(places / "root", file)._bounds[-1] == str(places / "elsewhere")


def test_a_folder_that_is_a_link_itself_is_the_root(places):
    (places / "link").symlink_to(places / "root")
    assert VideoRoot(places / "link").file("a.mp4") == places / "link" / "a.mp4"
    with pytest.raises(VideoError, match="leaves the data root"):
        VideoRoot(places / "link").file("../elsewhere/b.mp4")
