"""`refocus verify-frames` finds nothing in sound shards, and finds what is wrong in others."""

import numpy as np
import pytest
from refocus.cli.main import main
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.frames.build_shard import build_shard
from refocus.frames.verify import verify_frames
from refocus.qa.clips import ClipRow
from refocus.qa.records import clip_id

from tests.support.faults import FAULTS
from tests.support.faulty_files import sound
from tests.support.videos import constant, moving, variable, write_video

SETTINGS = DecodeSettings(size=64, max_failure_rate=1.0, runtime=DecodeRuntime(workers=1))
SECONDS = 3.0


def shard(folder, names, settings=SETTINGS, start=None, end=None, out=None):
    """The index of a shard of some videos of `folder`."""
    clips = [ClipRow(clip_id("set", name, start, end), name, start, end, 0) for name in names]
    tar = (out or folder) / "s.tar"
    index = tar.with_suffix(".index.parquet")
    build_shard(clips, folder, tar, index, settings)
    return index


def film(path, times, begin=0, **how):
    """A video in which everything moves, and its first picture is number `begin` of an endless film."""
    return write_video(path, times, (80, 96), moving(begin + len(times))[begin:], **how)


def padded(path, size):
    """An mp4 with a box of nothing behind it, so that it has this size."""
    missing = size - path.stat().st_size
    assert missing >= 8
    path.write_bytes(path.read_bytes() + missing.to_bytes(4, "big") + b"free" + bytes(missing - 8))
    return path


@pytest.mark.parametrize("storage", ["jpeg", "video"])
@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
def test_sound_shards_pass(tmp_path, storage, resize):
    """Constant and variable rates, B-frames, other codecs, containers without presentation times, clocks set anew."""
    film(tmp_path / "a.mp4", constant(SECONDS), options={"bf": "3", "g": "30"})
    film(tmp_path / "b.mkv", variable(SECONDS, 4))
    film(tmp_path / "c.avi", constant(SECONDS), options={"bf": "2"})
    film(tmp_path / "d.webm", constant(SECONDS), codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"})
    film(tmp_path / "turned.mp4", constant(SECONDS), rotation=90)
    FAULTS["a clock that begins again"][0](tmp_path, "h264", "ts").path.rename(tmp_path / "e.ts")
    names = ["a.mp4", "b.mkv", "c.avi", "d.webm", "turned.mp4", "e.ts"]
    settings = SETTINGS.model_copy(update={"storage": storage, "resize": resize})
    verdict = verify_frames(shard(tmp_path, names, settings), tmp_path)
    assert (verdict.mismatches, verdict.skipped, verdict.clips) == ([], {}, 6)
    assert verdict.frames >= 6 * 10


def test_real_cases_pass(shared_data, tmp_path):
    """Those that were once decoded wrongly, and real videos."""
    names = [path.relative_to(shared_data).as_posix() for path in sorted(shared_data.glob("cases/*/*.*"))]
    names += [path.relative_to(shared_data).as_posix() for path in sorted(shared_data.glob("videos/*.m*"))]
    names = [name for name in names if "annotations" not in name]
    if not names:
        pytest.skip("no videos")
    verdict = verify_frames(shard(shared_data, names, out=tmp_path), shared_data)
    assert verdict.mismatches == []
    assert all("the file ends" in reason for reason in verdict.skipped.values())


def test_clips_of_a_file(tmp_path):
    """From the middle of a file, not decoded up to its end."""
    film(tmp_path / "a.mp4", constant(8.0))
    verdict = verify_frames(shard(tmp_path, ["a.mp4"], start=3.1, end=4.6), tmp_path)
    assert (verdict.mismatches, verdict.frames) == ([], 6)


def test_frames_that_are_one_off_are_found(tmp_path):
    """Each looks more like the source frame beside its own: a decoder that is one late would not pass."""
    path = film(tmp_path / "a.mp4", constant(SECONDS), begin=1)
    index = shard(tmp_path, [path.name])
    size = path.stat().st_size
    film(path, constant(SECONDS), options={"crf": "7", "preset": "veryfast", "g": "24"})
    size_now = path.stat().st_size
    assert size_now < size
    padded(path, size)
    verdict = verify_frames(index, tmp_path)
    assert {mismatch.kind for mismatch in verdict.mismatches} == {"pixels"}
    assert len(verdict.mismatches) == verdict.frames
    assert any("looks like source frame" in mismatch.text for mismatch in verdict.mismatches)


def test_wrong_times_wrong_frames_and_a_missing_end_are_found(tmp_path):
    """Stored from a film at 30 frames a second, compared with one at 25, and with a longer one."""
    path = film(tmp_path / "a.mp4", constant(SECONDS), options={"crf": "2"})
    index, size = shard(tmp_path, [path.name]), path.stat().st_size
    padded(film(path, [index / 25 for index in range(90)]), size)
    found = verify_frames(index, tmp_path).mismatches
    assert {"times", "frames", "end"} <= {mismatch.kind for mismatch in found}
    assert "0.2334 s is stored, 0.2800 s is right" in str(next(one for one in found if one.kind == "times"))
    frames = [(one.frame, one.text) for one in found if one.kind == "frames"]
    assert frames == [(1, "source frame 7 is stored, 6 is on screen")]


@pytest.mark.parametrize("end", [3.0, 3.1, 20.0])
def test_a_length_that_cuts_a_clip_short_is_found(tmp_path, end):
    """Of a clip that is to go on behind the video's end, what is stored may lack the rest: all frames are right."""
    path = film(tmp_path / "a.mp4", constant(SECONDS))
    index, size = shard(tmp_path, [path.name], start=1.0, end=end), path.stat().st_size
    assert verify_frames(index, tmp_path).mismatches == []
    options = {"crf": "20", "preset": "veryfast", "g": "24"}
    padded(film(path, constant(2 * SECONDS), options=options), size)
    longer = {"end"} if end > SECONDS else set()
    assert {one.kind for one in verify_frames(index, tmp_path).mismatches} - {"pixels"} == longer


def test_a_picture_that_is_damaged_in_the_store_is_found(tmp_path):
    """By its checksum; in a shard of an earlier version, which has none, by its pixels, and it alone."""
    film(tmp_path / "a.mp4", constant(SECONDS))
    index = shard(tmp_path, ["a.mp4"])
    from refocus.frames.encoding import jpeg
    from refocus.frames.index import read_index

    row = read_index(index)[0]
    other = jpeg(np.full((64, 64, 3), 90, np.uint8), 90)
    data = bytearray((tmp_path / "s.tar").read_bytes())
    assert len(other) <= row.sizes[5]
    data[row.offsets[5] : row.offsets[5] + len(other)] = other
    (tmp_path / "s.tar").write_bytes(data)
    assert [mismatch.kind for mismatch in verify_frames(index, tmp_path).mismatches] == ["stored"]
    parquet.write(parquet.read_table(index).drop(["checksums"]), index)
    found = verify_frames(index, tmp_path).mismatches
    assert [(mismatch.kind, mismatch.frame) for mismatch in found] == [("pixels", 5)]


def test_what_is_partial_by_its_own_account_is_not_compared(tmp_path):
    """It is listed with its reason; a sample is always the same, and of clips that can be compared."""
    for name in ("a", "b", "c"):
        sound(tmp_path / f"{name}.mp4", "h264")
    path = sound(tmp_path / "cut.mkv", "h264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    index = shard(tmp_path, ["a.mp4", "b.mp4", "cut.mkv", "gone.mp4", "c.mp4"])
    verdict = verify_frames(index, tmp_path)
    assert (verdict.clips, len(verdict.skipped), verdict.mismatches) == (3, 2, [])
    for size in (1, 2, 3):
        samples = [verify_frames(index, tmp_path, size) for _ in range(2)]
        assert samples[0] == samples[1]
        assert (samples[0].clips, samples[0].skipped) == (size, verdict.skipped)


def test_a_shard_of_which_nothing_can_be_compared_is_not_said_to_be_right(tmp_path, caplog):
    index = shard(tmp_path, ["gone.mp4"])
    assert main(["verify-frames", str(index), "--videos", str(tmp_path)]) == 1
    assert "nothing is compared, as none of its clips is ok" in caplog.text
    assert main(["verify-frames", str(shard(tmp_path, [])), "--videos", str(tmp_path)]) == 0  # nothing is stored


def test_exit_status(tmp_path, capsys):
    """0 right, 1 not, 2 wrong arguments; a line for every mismatch."""
    path = film(tmp_path / "a.mp4", constant(SECONDS))
    index = shard(tmp_path, ["a.mp4"])
    arguments = ["verify-frames", str(tmp_path / "s.tar"), "--videos", str(tmp_path)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""
    path.write_bytes(path.read_bytes() + bytes(8))
    assert main(["verify-frames", str(index), "--videos", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "a.mp4" in out and "bytes" in out
    path.unlink()
    assert main(arguments) == 1
    assert main([*arguments, "--sample", "0"]) == 2
    assert main(["verify-frames", str(tmp_path / "no.tar"), "--videos", str(tmp_path)]) == 2
    assert main(["verify-frames", str(index), "--videos", str(tmp_path / "nowhere")]) == 2
    (tmp_path / "s.tar").write_bytes(b"")
    with pytest.raises(RefocusError):
        verify_frames(index, tmp_path)


def test_a_tar_beside_the_index_of_another_is_refused(tmp_path, caplog):
    """Its own frames would not be looked at."""
    film(tmp_path / "a.mp4", constant(SECONDS))
    index = shard(tmp_path, ["a.mp4"])
    (tmp_path / "s.tar").rename(tmp_path / "t.tar")
    index.rename(tmp_path / "t.index.parquet")
    assert main(["verify-frames", str(tmp_path / "t.tar"), "--videos", str(tmp_path)]) == 2
    assert "t.index.parquet is about s.tar, not about t.tar" in caplog.text


def test_clips_that_cannot_be_compared_are_not_counted_as_compared(tmp_path, caplog):
    film(tmp_path / "a.mp4", constant(SECONDS))
    film(tmp_path / "b.mp4", constant(SECONDS), begin=5)
    index = shard(tmp_path, ["a.mp4", "b.mp4"])
    (tmp_path / "b.mp4").unlink()
    verdict = verify_frames(index, tmp_path)
    assert (verdict.clips, verdict.frames, verdict.unreadable) == (1, 12, 1)
    with caplog.at_level("INFO"):
        assert main(["verify-frames", str(index), "--videos", str(tmp_path)]) == 1
    assert "12 frames of 1 clip compared, 1 mismatch; 1 clip cannot be compared" in caplog.text
