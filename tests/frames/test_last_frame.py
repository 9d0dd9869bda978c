"""With `last_frame` the last kept frame is the clip's very last, however far before it the grid ends."""

import pyarrow.parquet as pq
import pytest
from refocus.config.decode import DecodeSettings
from refocus.config.identity import frames_kept
from refocus.config.overlay import check
from refocus.video.decode import plan_clip
from refocus.video.frame_times import frame_times

from tests.support.asked_videos import build_asked_videos
from tests.support.videos import constant, variable, write_video

FEW = ("--max-frames", 4)  # of 40, 100 and more: the grid ends a quarter of the clip before its end


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build_asked_videos(tmp_path_factory.mktemp("bench"))


def kept(bench, out, *more) -> list[list[int]]:
    words = ["--videos", bench.videos, "--out", out / "s.tar", "--shard", 0, "--size", 32, *FEW, *more]
    assert bench.refocus("decode", bench.home / "qa" / "bench.clips.parquet", *words) == 0
    table = pq.read_table(out / "s.index.parquet")
    assert set(table["status"].to_pylist()) == {"ok"}
    return table["source_frames"].to_pylist()


def test_it_is_the_last_of_the_file_and_the_others_stay(bench, tmp_path):
    free, last = kept(bench, tmp_path / "a"), kept(bench, tmp_path / "b", "--last-frame")
    assert [row[:-1] for row in free] == [row[:-1] for row in last]
    files = [bench.videos / question.video_path for question in bench.questions[::2]]
    assert [row[-1] for row in last] == [len(frame_times(file)) - 1 for file in files]
    assert all(one[-1] < other[-1] for one, other in zip(free, last, strict=True))
    assert bench.refocus("verify-frames", tmp_path / "b" / "s.index.parquet", "--videos", bench.videos) == 0


@pytest.mark.parametrize(
    "times", [constant(3.0, 25.0), constant(3.0, 29.97), variable(3.0, 1)], ids=["25", "30", "vfr"]
)
def test_a_frame_that_begins_where_the_clip_ends_is_not_its_last(tmp_path, times):
    video = write_video(tmp_path / "v.mkv", times)
    end = times[len(times) // 2]
    plan = plan_clip(video, 4.0, 2, None, end, last_frame=True)
    assert times[len(times) // 2 - 1] <= plan.times_s[-1] < end - 0.001


def test_only_benchmarks_that_need_it_are_stored_apart():
    """Shards that were made before stay where they are."""
    entries = {"mme": {"format": "videomme"}, "mmmu": {"format": "videommmu"}}
    root = check({"benchmarks": entries})
    off = check({"benchmarks": {**entries, "mmmu": {"format": "videommmu", "keep_last_frame": False}}})
    folders = {name: frames_kept(root, name).split("/")[1] for name in entries}
    assert folders["mme"] == frames_kept(off, "mme").split("/")[1] == frames_kept(off, "mmmu").split("/")[1]
    assert folders["mmmu"] != folders["mme"]
    assert "last_frame" not in DecodeSettings().canonical()
