"""What the first bytes of a file say, on files as libraries write them and on those files cut short."""

import struct

import av
import numpy as np
import pytest
from refocus.doctor.file_header import LOST, read_header

from tests.support.videos import write_video

TIMES = [n / 10 for n in range(30)]


CODECS = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".mpg": "mpeg2video"}


def video_as(path, count=30, **options):
    """A video in the container of the path's extension."""
    codec = CODECS.get(path.suffix, "libx264")
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(count):
            picture = np.full((64, 96, 3), 20 + number % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".flv", ".mpg"])
def test_whole_files_pass(tmp_path, suffix):
    assert read_header(video_as(tmp_path / f"video{suffix}")).problem == ""


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 0.999])
def test_an_mp4_cut_anywhere_before_its_index_is_lost(tmp_path, share):
    data = write_video(tmp_path / "video.mp4", TIMES).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: max(40, int(len(data) * share))])
    assert read_header(tmp_path / "cut.mp4").problem == "no_moov"


@pytest.mark.parametrize("share", [0.7, 0.99])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_file_cut_after_its_index_is_cut_off(tmp_path, suffix, share):
    video_file = video_as(tmp_path / f"video{suffix}", 200, **({"movflags": "faststart"} if suffix == ".mp4" else {}))
    data = video_file.read_bytes()
    video_file.write_bytes(data[: int(len(data) * share)])
    assert read_header(video_file).problem == "cut_off"


def test_the_duration_is_the_containers(tmp_path):
    video_file = write_video(tmp_path / "video.mp4", TIMES)
    with av.open(str(video_file)) as container:
        assert read_header(video_file).duration_s == pytest.approx(container.duration / 1e6, abs=0.01)


def test_a_large_box_has_its_length_in_64_bits(tmp_path):
    data = struct.pack(">I4s8s", 16, b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"abcd"
    mvhd = struct.pack(">I4sB3xQQIQ", 120, b"mvhd", 1, 0, 0, 1000, 2500) + b"\0" * 80
    data += struct.pack(">I4s", 8 + len(mvhd), b"moov") + mvhd
    (tmp_path / "a.mp4").write_bytes(data)
    assert (read_header(tmp_path / "a.mp4").problem, read_header(tmp_path / "a.mp4").duration_s) == ("", 2.5)


def test_no_file_makes_it_raise(tmp_path):
    """Every start of a real file, with every byte of its head broken once, gives an answer."""
    data = bytearray(write_video(tmp_path / "video.mp4", TIMES[:3]).read_bytes())
    for place in range(64):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        (tmp_path / "a.mp4").write_bytes(broken)
        assert read_header(tmp_path / "a.mp4").problem in {"", "cut_off", *LOST}
    assert read_header(tmp_path / "none.mp4").problem == "unreadable"
    assert read_header(tmp_path).problem == "unreadable"


def test_real_videos_pass(shared_data):
    for video in sorted((shared_data / "videos").iterdir()):
        assert read_header(video).problem == "", video
