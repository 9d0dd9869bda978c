"""Pictures for people: native size, upright, and as wide as a player shows them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from refocus.video.pictures import pictures_at
from refocus.video.probe import VideoError

from tests.support.videos import constant, level, write_video


def test_size_and_orientation_are_those_of_the_file(tmp_path):
    path = write_video(tmp_path / "v.mp4", constant(1.0), size=(64, 96))
    turned = write_video(tmp_path / "turned.mp4", constant(1.0), size=(64, 96), rotation=90)
    assert [picture.shape for picture in pictures_at(path, [0.0, 0.5])] == [(64, 96, 3)] * 2
    assert pictures_at(turned, [0.5])[0].shape == (96, 64, 3)


def test_each_time_gives_the_frame_that_is_shown_then(tmp_path):
    path = write_video(tmp_path / "v.mp4", constant(2.0))
    shown = [picture.mean() for picture in pictures_at(path, [0.0, 10 / 30, 11 / 30, 1.9])]
    assert shown == pytest.approx([level(number) for number in (0, 10, 11, 57)], abs=3)


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 72, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for number in range(10):
            picture = np.full((64, 72, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    assert pictures_at(path, [0.5])[0].shape == (64, 96, 3)


def test_a_time_behind_the_end_is_an_error(tmp_path):
    path = write_video(tmp_path / "v.mp4", constant(1.0))
    with pytest.raises(VideoError, match="1 of 2 frames are missing"):
        pictures_at(path, [0.5, 9.0])
