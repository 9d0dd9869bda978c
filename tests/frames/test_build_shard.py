"""A shard is complete, reproducible, and never decodes twice what it has."""

import dataclasses
import io
import json
import os
import shutil
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.core.errors import RefocusError
from refocus.frames import build_shard as shard_module
from refocus.frames.build_shard import build_shard
from refocus.frames.clip_metadata import ClipMetadata, StoredForm
from refocus.frames.decode_clip import StoredClip
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import read_index
from refocus.frames.shard_reader import ShardReader
from refocus.frames.tar_writer import TarWriter, members
from refocus.qa.clips import ClipRow
from refocus.qa.records import clip_id
from refocus.video.decode import decode_frames

from tests.support.videos import constant, level, variable, write_video

SETTINGS = DecodeSettings(size=32, runtime=DecodeRuntime(workers=1, timeout_s=30))
FORMS = {form: SETTINGS.model_copy(update={"storage": form, "crf": 10, "gop": 4}) for form in ("jpeg", "video")}


def row(name, start=None, end=None):
    return ClipRow(clip_id("set", name, start, end), name, start, end, 0)


def metadata(clip):
    """Of a clip of one frame stored as JPEG."""
    return ClipMetadata(
        clip_id=clip, video_path="a.mp4", start_s=None, end_s=None, fps=30.0, duration_s=1.0, size=32,
        timestamps_s=(0.0,), source_frames=(0,), error=None, source_bytes=1, source_sha256="", decode="",
        form=StoredForm("jpeg"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def video_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a.mp4", constant(3.0))
    write_video(folder / "b.mkv", variable(4.0, 3))
    write_video(folder / "deep" / "c.mp4", constant(2.0, 3.0))
    (folder / "broken.mp4").write_bytes(b"no video")
    cut = write_video(folder / "cut.mkv", constant(6.0), size=(128, 128), pictures=noise(180))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    return folder


def noise(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (128, 128, 3), dtype=np.uint8) for _ in range(count)]


GOOD = [row("a.mp4"), row("b.mkv"), row("deep/c.mp4"), row("a.mp4", 1.0, 2.0)]
BAD = [row("broken.mp4"), row("gone.mp4"), row("cut.mkv")]


@pytest.fixture(scope="module", params=list(FORMS))
def built(request, video_files, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    report = build_shard([*GOOD, *BAD], video_files, out / "s.tar", out / "s.index.parquet", FORMS[request.param])
    return out, report, FORMS[request.param]


@pytest.fixture
def decoded(monkeypatch):
    """The clips that go through a decoder, counted where jobs are handed out."""
    seen = []
    run = shard_module.run_jobs

    def counting(work, jobs, *args):
        seen.extend(job.row.video_path for job in jobs)
        return run(work, jobs, *args)

    monkeypatch.setattr(shard_module, "run_jobs", counting)
    return seen


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


def test_made_again_it_is_the_same_bytes(built, video_files, tmp_path):
    """Another folder, another number of workers: the same tar."""
    out, _, settings = built
    settings = settings.model_copy(update={"runtime": DecodeRuntime(workers=2)})
    build_shard([*GOOD, *BAD], video_files, tmp_path / "t.tar", tmp_path / "t.index.parquet", settings)
    assert (tmp_path / "t.tar").read_bytes() == (out / "s.tar").read_bytes()


def test_a_second_run_decodes_nothing(built, video_files, tmp_path, decoded):
    """The tar stays untouched and only what failed is tried again."""
    out, _, settings = built
    tar = shutil.copy(out / "s.tar", tmp_path / "s.tar")
    report = build_shard(GOOD, video_files, tar, tmp_path / "s.index.parquet", settings)
    assert decoded == []
    assert (report.decoded, report.copied) == (0, 4)
    before = tar.stat().st_ino
    report = build_shard([*GOOD, BAD[1]], video_files, tar, tmp_path / "s.index.parquet", settings)
    assert (decoded, tar.stat().st_ino, len(report.failed)) == ([], before, 1)


def test_growth_decodes_only_what_is_new(video_files, tmp_path, decoded):
    """A grown shard is the one made whole from the start."""
    tar, index = tmp_path / "s.tar", tmp_path / "sub" / "s.index.parquet"
    build_shard(GOOD[:2], video_files, tar, index, SETTINGS)
    decoded.clear()
    report = build_shard(GOOD[:3], video_files, tar, index, SETTINGS)
    assert decoded == ["deep/c.mp4"]
    assert (report.decoded, report.copied) == (1, 2)
    build_shard(GOOD[:3], video_files, tmp_path / "whole.tar", tmp_path / "whole.index.parquet", SETTINGS)
    assert tar.read_bytes() == (tmp_path / "whole.tar").read_bytes()
    assert read_index(index)[0].tar == "../s.tar"
    assert len(FrameStore.open([index]).images(GOOD[2].clip_id)) == 5


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_a_killed_run_keeps_its_finished_clips(built, video_files, tmp_path, decoded, kept):
    """From a draft cut anywhere, the complete clips are taken over and the result is the same bytes."""
    build_shard(GOOD, video_files, tmp_path / "whole.tar", tmp_path / "whole.index.parquet", SETTINGS)
    whole = (tmp_path / "whole.tar").read_bytes()
    decoded.clear()
    cut = int(len(whole) * kept)
    (tmp_path / ".s.tar.0.part").write_bytes(whole[:cut])
    ends = {member.name.split(".")[0]: member.offset + member.size for member in members(tmp_path / "whole.tar")}
    build_shard(GOOD, video_files, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    assert (tmp_path / "s.tar").read_bytes() == whole
    assert len(GOOD) - len(decoded) == sum(end <= cut for end in ends.values())
    assert not list(tmp_path.glob(".s.tar*"))


def test_other_settings_or_another_file_decode_again(video_files, tmp_path, decoded):
    """What was stored under other settings, or from a file that has changed since, is not reused."""
    videos = tmp_path / "videos"
    shutil.copytree(video_files, videos)
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    build_shard(GOOD[:2], videos, tar, index, SETTINGS)
    decoded.clear()
    build_shard(GOOD[:2], videos, tar, index, SETTINGS.model_copy(update={"max_failure_rate": 0.5}))
    assert decoded == []
    write_video(videos / "a.mp4", constant(2.0))
    build_shard(GOOD[:2], videos, tar, index, SETTINGS)
    assert decoded == ["a.mp4"]
    decoded.clear()
    build_shard(GOOD[:2], videos, tar, index, SETTINGS.model_copy(update={"fps": 2.0}))
    assert decoded == ["a.mp4", "b.mkv"]
    (videos / "a.mp4").unlink()
    decoded.clear()
    report = build_shard(GOOD[:2], videos, tar, index, SETTINGS.model_copy(update={"fps": 2.0}))
    assert (decoded, report.copied) == ([], 2)


@pytest.mark.fault("input missing or unreadable", "decode", "too many lost videos: status 1; what was decoded is kept")
def test_too_many_failures_fail_the_job_and_keep_the_work(video_files, tmp_path, decoded):
    """The message lists the clips; nothing looks finished; the next run decodes nothing twice."""
    strict = SETTINGS.model_copy(update={"tolerated_failures": 1})
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    with pytest.raises(RefocusError, match=r"2 of 4 clips failed(.|\n)*broken\.mp4(.|\n)*gone\.mp4") as error:
        build_shard([*GOOD[:2], *BAD[:2]], video_files, tar, index, strict)
    assert str(video_files) not in str(error.value)
    assert not tar.exists()
    assert not index.exists()
    decoded.clear()
    build_shard([*GOOD[:2], *BAD[:2]], video_files, tar, index, SETTINGS)
    assert decoded == ["broken.mp4"]


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


@pytest.mark.fault("damaged input or result", "decode", "a shard that is cut off is named, with the mend")
def test_a_shard_cut_behind_its_index_is_told(built, tmp_path):
    """Reading from a truncated or damaged tar names the files and the fix; it never gives other pixels."""
    out, _, _ = built
    for name in ("s.tar", "s.index.parquet"):
        shutil.copy(out / name, tmp_path / name)
    data = (tmp_path / "s.tar").read_bytes()
    (tmp_path / "s.tar").write_bytes(data[: len(data) // 2])
    store = FrameStore.open([tmp_path / "s.index.parquet"])
    with pytest.raises(RefocusError, match=r"s\.tar: cut off .* remove .*s\.index\.parquet and run decode again"):
        store.images(BAD[2].clip_id)
    (tmp_path / "s.tar").write_bytes(bytes(len(data)))
    with pytest.raises(RefocusError, match=r"s\.tar: frames .* damaged .* remove .*s\.index\.parquet"):
        store.images(BAD[2].clip_id)
    (tmp_path / "s.tar").unlink()
    with pytest.raises(RefocusError, match="missing"):
        store.images(GOOD[0].clip_id)


@pytest.mark.fault("damaged input or result", "decode", "whole clips are kept, the others decoded anew, byte-equal")
def test_a_damaged_shard_is_mended(built, video_files, tmp_path, decoded):
    """A tar cut off behind our back costs its lost clips only."""
    build_shard(GOOD, video_files, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    whole = (tmp_path / "s.tar").read_bytes()
    decoded.clear()
    (tmp_path / "s.tar").write_bytes(whole[: len(whole) * 2 // 3])
    build_shard(GOOD, video_files, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    assert 0 < len(decoded) < 4
    assert (tmp_path / "s.tar").read_bytes() == whole


@pytest.mark.fault("input replaced or corrected", "decode", "decoded anew, even of equal size and date")
def test_a_file_replaced_under_its_name_size_and_date_is_decoded_again(video_files, tmp_path, decoded):
    """Content decides, as a camera or a copy may keep all the rest; who works from the frames sees the change."""
    videos, tar, index = tmp_path / "videos", tmp_path / "s.tar", tmp_path / "s.index.parquet"
    shutil.copytree(video_files, videos)
    build_shard(GOOD[:2], videos, tar, index, SETTINGS)
    before = {clip: FrameStore.open([index]).record(clip).content for clip in (GOOD[0].clip_id, GOOD[1].clip_id)}
    file, times = videos / "a.mp4", (videos / "a.mp4").stat()
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    decoded.clear()
    build_shard(GOOD[:2], videos, tar, index, SETTINGS)
    assert decoded == ["a.mp4"]
    after = {clip: FrameStore.open([index]).record(clip).content for clip in before}
    assert [before[clip] == after[clip] for clip in before] == [False, True]


@pytest.mark.fault("damaged input or result", "decode", "a bit of a frame: refused, and mended by decode")
def test_a_flipped_bit_in_a_frame_is_refused_and_mended(built, video_files, tmp_path, decoded):
    """Most flipped bits of a JPEG decode, to other pixels."""
    _, _, settings = built
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    build_shard(GOOD, video_files, tar, index, settings)
    whole, frame = tar.read_bytes(), read_index(index)[1]
    place = frame.offsets[-1] + frame.sizes[-1] - 9
    for bit in range(8):
        tar.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        with pytest.raises(RefocusError, match=r"s\.tar: frames .* damaged .* run decode again"):
            FrameStore.open([index]).images(GOOD[1].clip_id)
    FrameStore.open([index]).images(GOOD[0].clip_id)
    decoded.clear()
    build_shard(GOOD, video_files, tar, index, settings)
    assert decoded == ["b.mkv"] and tar.read_bytes() == whole


@pytest.mark.fault("damaged input or result", "decode", "a byte of a clip's metadata: decoded anew")
def test_a_changed_byte_of_the_metadata_is_no_metadata():
    """Times and digests of a shard are what was written, or the clip is decoded again."""
    content = dataclasses.replace(metadata("0" * 16), checksums=(7,)).to_json()
    assert ClipMetadata.from_json(content).checksums == (7,)
    with pytest.raises(ValueError, match="no metadata"):
        ClipMetadata.from_json(content.replace(b'"fps":30.0', b'"fps":31.0'))


def test_shards_and_indexes_of_earlier_versions_are_read(built, video_files, tmp_path, decoded):
    """They have no checksums: what they hold is used as before, and what it rests on is not known."""
    out, _, settings = built
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    reader = ShardReader(out / "s.tar")
    with tar.open("wb") as handle:
        writer = TarWriter(handle)
        for row_ in GOOD:
            stored = reader.read(row_.clip_id)
            old = StoredClip(dataclasses.replace(stored.metadata, checksums=()), stored.files)
            assert b"checksum" not in old.metadata.to_json()
            for member in old.members():
                writer.add(*member)
        writer.close()
    decoded.clear()
    build_shard(GOOD, video_files, tar, index, settings)
    assert decoded == []
    pq.write_table(pq.read_table(index).drop_columns(["video_digest", "checksums"]), index)
    store, now = FrameStore.open([index]), FrameStore.open([out / "s.index.parquet"])
    assert (store.images(GOOD[0].clip_id) == now.images(GOOD[0].clip_id)).all()
    assert store.record(GOOD[0].clip_id).content == "" != now.record(GOOD[0].clip_id).content


def test_large_member_offsets_are_kept(tmp_path):
    """Offsets are 64-bit all the way into the index."""
    import pyarrow as pa
    from refocus.frames.index import INDEX_SCHEMA

    assert INDEX_SCHEMA.field("offsets").type == pa.list_(pa.int64())
    with (tmp_path / "a.tar").open("wb") as handle:
        writer = TarWriter(handle)
        writer.position = 1 << 40
        assert writer.add("a.json", b"{}").offset == (1 << 40) + 512
