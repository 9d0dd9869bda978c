"""A shard holds every clip with its reason, the frames of the grid, and little else."""

import io
import json
import os
import shutil
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from refocus.core.errors import RefocusError
from refocus.frames import build_shard as shard_module
from refocus.frames.build_shard import build_shard
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.decode_clip import StoredClip
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import read_index
from refocus.frames.shard_reader import ShardReader
from refocus.frames.tar_writer import members
from refocus.video.decode import decode_frames

from tests.support.small_shards import BAD, FORMS, GOOD, SETTINGS, metadata, row
from tests.support.videos import constant, level, write_video


def test_every_clip_has_a_row_with_its_reason(built):
    """ok, partial and failed clips are all listed, in the order of the clips."""
    out, report, _ = built
    rows = read_index(out / "s.index.parquet")
    assert [entry.clip_id for entry in rows] == [clip.clip_id for clip in [*GOOD, *BAD]]
    assert [entry.status for entry in rows] == ["ok"] * 4 + ["failed", "failed", "partial"]
    assert rows[4].error.startswith("broken.mp4: not a readable video")
    assert rows[5].error == "gone.mp4: no such file"
    assert "ends at" in rows[6].error
    assert 0 < rows[6].n_frames < 24
    assert (len(report.failed), len(report.partial), report.decoded) == (2, 1, 6)


def test_the_store_says_what_each_clip_was_made_from(built, video_files):
    """As the tar does that is read from its beginning; a clip without frames says nothing."""
    out, _, _ = built
    store, reader = FrameStore.open([out / "s.index.parquet"]), ShardReader(out / "s.tar")
    for clip in (*GOOD, BAD[2]):
        assert store.metadata(clip.clip_id) == reader.metadata(clip.clip_id)
        assert store.metadata(clip.clip_id).source_bytes == (video_files / clip.video_path).stat().st_size
    assert store.metadata(BAD[0].clip_id) is None
    (out / "s.tar").rename(out / "away.tar")
    with pytest.raises(RefocusError, match="is missing; remove the index"):
        store.metadata(GOOD[0].clip_id)
    (out / "away.tar").rename(out / "s.tar")


def test_frames_are_those_of_the_grid(built, video_files):
    """Times, source frames and pixels of the store equal those of the decoder; clips are half-open."""
    out, _, _ = built
    store = FrameStore.open([out / "s.index.parquet"])
    assert store.record(GOOD[0].clip_id).source_frames == [0, 7, 15, 22, 30, 37, 45, 52, 60, 67, 75, 82]
    assert store.record(GOOD[3].clip_id).source_frames == [30, 37, 45, 52]
    assert store.record(GOOD[2].clip_id).timestamps_s == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3], abs=1e-4)
    for clip in GOOD:
        record = store.record(clip.clip_id)
        images = store.images(clip.clip_id)
        assert images.shape == (record.n_frames, 32, 32, 3)
        expected = decode_frames(video_files / clip.video_path, record.timestamps_s, 32).images
        assert np.abs(images.astype(int) - expected).max() <= 3


def test_random_access_equals_sequential(built):
    """Any frames in any order, with repeats, at any size."""
    out, _, _ = built
    store = FrameStore.open([out / "s.index.parquet"])
    clip = GOOD[0].clip_id
    whole = store.images(clip)
    order = [5, 0, 11, 5]
    np.testing.assert_array_equal(store.images(clip, order), whole[order])
    small = store.images(clip, order, size=12)
    assert small.shape == (4, 12, 12, 3)
    np.testing.assert_allclose(small.mean(axis=(1, 2, 3)), [level([37, 0, 82, 37][k]) for k in range(4)], atol=3)
    assert store.images(BAD[0].clip_id, size=12).shape == (0, 12, 12, 3)
    with pytest.raises(RefocusError, match="no frame 12"):
        store.images(clip, [12])
    with pytest.raises(RefocusError, match="none of the index files"):
        store.record("nobody")


def test_webdataset_reads_the_shard(built):
    """A clip's metadata and frames form one sample under the clip's id."""
    webdataset = pytest.importorskip("webdataset")
    out, _, settings = built
    samples = list(webdataset.WebDataset(str(out / "s.tar"), shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == [clip.clip_id for clip in [*GOOD, BAD[2]]]
    first = samples[0]
    assert first["json"]["timestamps"][:2] == pytest.approx([0.0, 7 / 30], abs=1e-4)
    assert {"clip_id", "fps", "duration", "size"} <= set(first["json"])
    store = FrameStore.open([out / "s.index.parquet"])
    if settings.storage == "jpeg":
        assert sum(key.endswith(".jpg") for key in first) == 12
        theirs = np.stack([first[f"{k:04d}.jpg"] for k in range(12)])
    else:
        with av.open(io.BytesIO(first["mp4"])) as container:
            theirs = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    np.testing.assert_allclose(store.images(GOOD[0].clip_id), theirs.astype(int), atol=2)


def test_the_way_to_read_a_shard_in_docs_data_gives_the_stored_frames(built):
    pytest.importorskip("webdataset")
    out, _, settings = built
    page = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    code = page.split("## Reading the stored frames elsewhere")[1].split("```python\n")[1].split("```")[0]
    read = {}
    exec(code.replace("000000.tar", str(out / "s.tar")), read)
    assert read["clip_id"] == BAD[2].clip_id and len(read["times_s"]) == len(read["frames"])
    last = FrameStore.open([out / "s.index.parquet"]).images(BAD[2].clip_id)
    apart = np.abs(np.stack(read["frames"]) - last.astype(int))
    most = (0.5, 2) if settings.storage == "jpeg" else (4, 20)  # FFmpeg's own conversion is not quite ours
    assert (apart.mean(), apart.max()) <= most and apart.max() <= most[1]


@pytest.mark.parametrize("settings", FORMS.values(), ids=list(FORMS))
def test_tar_overhead_is_at_most_a_kibibyte_per_frame(settings, tmp_path):
    """Everything in the tar that is no frame: headers, padding, metadata and the end, for a clip of six seconds."""
    write_video(tmp_path / "a.mp4", constant(6.0))
    report = build_shard([GOOD[0]], tmp_path, tmp_path / "s.tar", tmp_path / "s.index.parquet", settings)
    frames = sum(member.size for member in members(tmp_path / "s.tar") if not member.name.endswith(".json"))
    assert report.frames == 24
    assert (tmp_path / "s.tar").stat().st_size - frames <= 1024 * report.frames


def test_only_what_the_wanted_frames_need_is_read(built, monkeypatch):
    """Four frames cost four JPEGs, or the beginnings of their groups."""
    out, _, settings = built
    entry = read_index(out / "s.index.parquet")[0]
    asked = []
    pread = os.pread
    monkeypatch.setattr(
        os, "pread", lambda handle, size, offset: asked.append((offset, size)) or pread(handle, size, offset)
    )
    FrameStore.open([out / "s.index.parquet"]).images(entry.clip_id, [9, 1, 5, 4, 5])
    needed = [1, 4, 5, 9] if settings.storage == "jpeg" else [1, 5, 9]
    assert asked == [(entry.offsets[index], entry.sizes[index]) for index in needed]


def test_metadata_is_read_as_it_was_written_and_nothing_else_is_metadata():
    """A key too many or too few, or a count that contradicts the frames, is refused."""
    written = metadata("a")
    assert ClipMetadata.from_json(written.to_json()) == written
    values = json.loads(written.to_json())
    assert {"clip_id", "fps", "duration", "size", "timestamps"} <= set(values)
    for other in (values | {"n_frames": 2}, values | {"more": 1}, {k: v for k, v in values.items() if k != "fps"}, [1]):
        with pytest.raises(ValueError, match="metadata"):
            ClipMetadata.from_json(json.dumps(other, sort_keys=True, separators=(",", ":")).encode())


def test_clips_are_streamed_through_the_writer(tmp_path, monkeypatch):
    """A shard of many clips takes the memory of a few."""
    megabyte, clips = 1 << 20, [row(f"{number}.mp4") for number in range(40)]
    for clip in clips:
        (tmp_path / clip.video_path).write_bytes(b"x")

    def stand_in(work, jobs, *_):
        for place, job in enumerate(jobs):
            yield place, StoredClip(metadata(job.row.clip_id), [bytes(megabyte)])

    monkeypatch.setattr(shard_module, "run_jobs", stand_in)
    tracemalloc.start()
    build_shard(clips, tmp_path, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "s.tar").stat().st_size > 40 * megabyte
    assert peak < 5 * megabyte


def test_an_empty_shard_is_a_shard(tmp_path):
    """Shards beyond the data are empty and readable."""
    report = build_shard([], tmp_path, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    assert (report.clips, report.frames) == (0, 0)
    assert FrameStore.open([tmp_path / "s.index.parquet"]).clips() == []
    assert (tmp_path / "s.tar").read_bytes() == bytes(1024)


def test_paths_of_a_clip_list_cannot_leave_the_root(video_files, tmp_path):
    """A clip list is input too."""
    report = build_shard(
        [row("../outside.mp4"), GOOD[0]], video_files, tmp_path / "s.tar", tmp_path / "i.parquet", SETTINGS
    )
    assert "leaves the data root" in report.failed[0]


def test_a_clip_whose_video_ends_before_its_annotated_end_is_told(video_files, tmp_path, caplog):
    """Every time; rounded annotations are not: videos are a little shorter than they say everywhere."""
    clips = [row("a.mp4", 1.0, end) for end in (2.0, 3.0, 3.9, 100.0)]
    write_video(tmp_path / "still.mp4", [0.0, 0.5, 6.0], (32, 32))  # one picture for more than five seconds
    shutil.copy(video_files / "a.mp4", tmp_path)
    clips.append(row("still.mp4", 0.0, 5.5))
    for _ in range(2):
        caplog.clear()
        report = build_shard(clips, tmp_path, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
        assert not report.partial and not report.failed
        said = [record.getMessage() for record in caplog.records]
        assert said == ["the video ends before the end that is asked about: in 1 clip (a.mp4)"]
