"""A shard made again is the same bytes, decodes nothing twice, and mends what was damaged."""

import dataclasses
import os
import random
import shutil

import pyarrow.parquet as pq
import pytest
from refocus.config.decode import DecodeRuntime
from refocus.core.errors import RefocusError
from refocus.frames.build_shard import build_shard
from refocus.frames.check_shard import shard_damage
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.decode_clip import StoredClip
from refocus.frames.frame_store import FrameStore
from refocus.frames.index import read_index
from refocus.frames.shard_reader import ShardReader
from refocus.frames.tar_writer import TarWriter, members

from tests.support.small_shards import BAD, GOOD, SETTINGS, metadata
from tests.support.videos import constant, write_video


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


@pytest.mark.fault(
    "damaged input or result", "workflow", "`refocus check` finds every bit of a shard, of the video around frames too"
)
def test_no_flipped_bit_of_a_shard_passes_in_either_storage(built, tmp_path):
    """The MP4's own headers are what other readers begin with; ours do without them."""
    out, _, settings = built
    whole, rng = (out / "s.tar").read_bytes(), random.Random(0)
    reader = ShardReader(out / "s.tar")
    assert not list(shard_damage(out / "s.tar"))
    members = reader.row(GOOD[0].clip_id, "s.tar")
    last = members.offsets[-1] + members.sizes[-1]
    behind = {"jpeg": [], "video": range(last + 4, last + 64)}[settings.storage]  # the table of frames, `moov`
    tar = tmp_path / "s.tar"
    for place in [*behind, *(rng.randrange(len(whole)) for _ in range(60))]:
        tar.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        assert list(shard_damage(tar)), place


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
            form = dataclasses.replace(stored.metadata.form, checksum=None)
            old = StoredClip(dataclasses.replace(stored.metadata, checksums=(), form=form), stored.files)
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
