"""Videos inside tar shards: found, addressed and read where they lie."""

import io
import json
import tarfile

import pytest
from refocus.config.decode import DecodeSettings
from refocus.config.ingest import IngestSettings
from refocus.frames.build_shard import build_shard
from refocus.frames.index import read_index
from refocus.qa.ingest import SourceFiles, ingest
from refocus.qa.records import read_clips
from refocus.qa.video_finder import VideoFinder
from refocus.video.tars import locate, members
from refocus.video.truncation import is_truncated

from tests.support.videos import constant, write_video


def pack(path, files, format=tarfile.PAX_FORMAT):
    """A tar of name → bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def content(path):
    """The bytes an address stands for."""
    span = locate(path)
    with span.file.open("rb") as handle:
        handle.seek(span.offset)
        return handle.read(span.size)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_an_address_gives_the_bytes_of_its_member(tmp_path, format):
    """Long names, names outside ASCII, folders inside the tar, dashes in front."""
    files = {"-x.mp4": b"1" * 700, "./dir/b.mp4": b"", "ü.mkv": b"3", "c d" * 24 + ".mp4": b"4" * 1024}
    if format != tarfile.USTAR_FORMAT:
        files["n" * 180 + ".mp4"] = b"5"
    tar = pack(tmp_path / "s_0.tar", files, format)
    found = members(tar)
    assert {name: content(tmp_path / address) for name, address in found.items()} == {
        name.rsplit("/", 1)[-1]: data for name, data in files.items()
    }


def test_members_are_found_like_files_and_files_come_first(tmp_path):
    """By name, by stem with another extension or case; a file that was unpacked is preferred."""
    pack(tmp_path / "niah" / "niah_0.tar", {"a.mp4": b"tarred", "b.mp4": b"b"})
    pack(tmp_path / "niah" / "niah_10.tar", {"b.mp4": b"second", "C_1.mp4": b"c", "notes.json": b"{}"})
    (tmp_path / "niah" / "a.mp4").write_bytes(b"file")
    finder = VideoFinder(tmp_path)
    found = [finder.find([f"niah/{name}"]) for name in ("a.mp4", "b.mp4", "c_1.webm")]
    assert [content(tmp_path / path) for path in found] == [b"file", b"b", b"c"]
    assert found[0] == "niah/a.mp4"
    assert not finder.missing
    assert finder.find(["niah/notes.mp4"]) in finder.missing


def test_a_cut_tar_gives_what_is_complete_and_says_so(tmp_path, caplog):
    """An interrupted download loses its last member, not the archive."""
    tar = pack(tmp_path / "s.tar", {"a.mp4": b"1" * 3000, "b.mp4": b"2" * 3000})
    for size in (7000, 4097, 4096, 3700, 3584):
        with tar.open("r+b") as handle:
            handle.truncate(size)
        caplog.clear()
        assert list(members(tar)) == ["a.mp4"]
        assert "s.tar" in caplog.text
    tar.write_bytes(b"<html>")
    assert members(tar) == {}


@pytest.mark.parametrize(
    "address", ["s.tar/512+4/b.mp4", "s.tar/1024+3/a.mp4", "s.tar/9999999+3/a.mp4", "t.tar/512+3/a.mp4", "s.tar/a.mp4"]
)
def test_an_address_that_does_not_fit_its_tar_is_refused(tmp_path, address):
    """So a tar that was replaced is noticed, and no other bytes are taken for the video."""
    pack(tmp_path / "s.tar", {"a.mp4": b"123"})
    assert content(tmp_path / "s.tar/512+3/a.mp4") == b"123"
    with pytest.raises(FileNotFoundError, match="mp4"):
        locate(tmp_path / address)
    with (tmp_path / "s.tar").open("r+b") as handle:
        handle.truncate(514)
    with pytest.raises(FileNotFoundError, match="no such member"):
        locate(tmp_path / "s.tar/512+3/a.mp4")
    with pytest.raises(FileNotFoundError, match="no such file"):
        locate(tmp_path / ("n" * 300 + ".mp4"))


@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_a_tarred_clip_decodes_like_the_file_it_was(tmp_path, backend):
    """From the published layout of VISTA to the frames: the same timestamps, and a missing clip fails alone."""
    root, video_files = tmp_path / "VISTA-400K", [f"x_{index}_0to9.mp4" for index in range(3)]
    made = {
        name: write_video(tmp_path / "videos" / name, constant(1.5, fps=20)).read_bytes() for name in video_files[:2]
    }
    pack(root / "temporal_niah_mcq" / "temporal_niah_mcq_0.tar", made)
    talk = [
        {"from": "human", "value": "What is said?\n(A) red\n(B) blue\nPlease answer with the letter."},
        {"from": "gpt", "value": "(B) blue"},
    ]
    annotations = root / "temporal_niah_mcq.json"
    annotations.write_text(json.dumps([{"image": name, "conversations": talk} for name in video_files]))
    source = SourceFiles("vista", "vista", (annotations,), root)
    assert ingest(source, tmp_path / "qa", IngestSettings()).missing == ["temporal_niah_mcq/x_2_0to9.mp4"]
    clips = read_clips(tmp_path / "qa" / "vista.clips.parquet")
    assert ".tar/" in clips[0].video_path
    decode = DecodeSettings(size=32, tolerated_failures=1, runtime={"workers": 1, "backend": backend})
    build_shard(clips, root, tmp_path / "a.tar", tmp_path / "a.index.parquet", decode)
    rows = read_index(tmp_path / "a.index.parquet")
    assert [row.status for row in rows] == ["ok", "ok", "failed"]
    assert [row.timestamps_s for row in rows[:2]] == [[0.0, 0.25, 0.5, 0.75, 1.0, 1.25]] * 2
    assert rows[2].error == "temporal_niah_mcq/x_2_0to9.mp4: no such file"


@pytest.mark.parametrize(("length", "missing"), [(24, None), (999, "within a fragment")])
def test_a_missing_end_is_looked_for_inside_the_member(tmp_path, length, missing):
    """The structure is read from the member's first byte, and ends at its last, not at the tar's."""
    video_file = b"\0\0\0\x10ftypisom\0\0\0\0" + length.to_bytes(4, "big") + b"moof" + bytes(16)
    tar = tmp_path / "a.tar"
    pack(tar, {"first.mp4": bytes(700), "video.mp4": video_file})
    found = is_truncated(tmp_path / members(tar)["video.mp4"], "mov,mp4,m4a,3gp,3g2,mj2")
    assert found is None if missing is None else missing in found
