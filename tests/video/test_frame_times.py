"""When every frame of a file is shown: what the packets say is what a plain decode gives, number by number."""

import numpy as np
import pytest
from refocus.video.decode import decode_frames
from refocus.video.every_frame import every_time
from refocus.video.frame_times import frame_times
from refocus.video.probe import VideoError

from tests.support.faulty_files import ENCODERS
from tests.support.videos import constant, level, variable, write_video

KINDS = [
    ("h264", "mp4"), ("h264 pyramid", "mkv"), ("h264 open", "mp4"), ("hevc", "mp4"), ("hevc radl", "mkv"),
    ("vp9", "webm"), ("mpeg4", "avi"), ("mpeg2", "ts"), ("mjpeg", "avi"), ("h264", "avi"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "container"), KINDS)
def test_packets_tell_what_a_decode_of_everything_gives(name, container, tmp_path):
    codec, options = ENCODERS[name]
    pixels = "yuvj420p" if name == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / f"v.{container}", constant(3.0), codec=codec, options=options, pix_fmt=pixels)
    assert frame_times(path) == pytest.approx(every_time(path)[:-1], abs=0.0015)
    assert len(frame_times(path)) == 90


def test_numbers_are_those_that_decoding_gives_to_frames(tmp_path):
    """Of a file whose frames come at irregular times."""
    path = write_video(tmp_path / "v.mkv", variable(6.0, 5))
    times = frame_times(path)
    decoded = decode_frames(path, [0.0, 1.7, 3.1, 5.5])
    assert [times[number] for number in decoded.source_frames] == pytest.approx(decoded.timestamps_s)
    seen = decoded.images.mean((1, 2, 3))
    assert seen == pytest.approx([level(number) for number in decoded.source_frames], abs=3)


def test_real_files_agree_with_a_plain_decode(shared_data):
    for path in sorted((shared_data / "videos").iterdir()):
        assert np.allclose(frame_times(path), every_time(path)[:-1], atol=0.002), path.name


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"no\.mp4"):
        frame_times(tmp_path / "no.mp4")
