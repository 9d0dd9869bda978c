"""The short way from a frame to what is stored shows what the way over RGB shows."""

import av
import numpy as np
import pytest
import simplejpeg
from refocus.frames.encoding import jpeg
from refocus.video.decode import DecodeReport, frames_shown
from refocus.video.rgb import RgbConverter
from refocus.video.yuv import YuvFrame, YuvScaler, siting

from tests.support.videos import flag_rotation, moving, write_video
from tests.video.test_colors import LAYOUTS, MATRICES, assert_bars, write_bars


def first(path):
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def stored(path, size, fit="squash"):
    """The first frame as it comes, and as its JPEG shows it."""
    image = next(frames_shown(path, [0.0], size, DecodeReport(), fit=fit, yuv=True)).image
    return image, simplejpeg.decode_jpeg(jpeg(image, 100), "RGB")


@pytest.mark.parametrize("ranged", ["tv", None])
@pytest.mark.parametrize("matrix", MATRICES)
def test_matrix(tmp_path, matrix, ranged):
    """BT.709, 601, 2020 and untagged streams have the colours that were written."""
    path = write_bars(tmp_path / "a.mp4", "libx264", "yuv420p", matrix, ranged, {"crf": "1"})
    planes, seen = stored(path, 140)
    assert isinstance(planes, YuvFrame)
    assert_bars(seen, 6)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name.startswith(("10 bit 422", "10 bit h264", "444"))])
def test_depths_and_layouts(tmp_path, name):
    """10 bits, 4:2:2 and 4:4:4 go the short way too."""
    codec, pix_fmt, matrix, options = LAYOUTS[name]
    planes, seen = stored(write_bars(tmp_path / name, codec, pix_fmt, matrix, "tv", options), 140)
    assert isinstance(planes, YuvFrame)
    assert_bars(seen, 8)


def test_what_has_no_short_way_goes_over_rgb(tmp_path):
    """Full range, RGB, an odd size, padding: the frames come as RGB and are right."""
    full = write_bars(tmp_path / "a.mp4", "libx264", "yuv420p", "bt709", "pc", {"crf": "1"})
    plain = write_bars(tmp_path / "b.mp4", "libx264", "yuv420p", None, None, {"crf": "1"})
    rgb = write_bars(tmp_path / "c.mp4", "libx264rgb", "rgb24", None, None, {"crf": "1"})
    for path, size, fit in ((full, 140, "squash"), (plain, 141, "squash"), (rgb, 140, "squash"), (plain, 140, "pad")):
        image, seen = stored(path, size, fit)
        assert isinstance(image, np.ndarray)
        assert_bars(seen, 8)


@pytest.mark.parametrize("place", ["left", "center", "topleft", "top", "bottomleft", "bottom"])
def test_chroma_comes_from_where_it_lies(tmp_path, place):
    """Whatever the siting, both ways show the same colours at the same place, so none is shifted."""
    number = ["left", "center", "topleft", "top", "bottomleft", "bottom"].index(place)
    across = np.linspace(40, 215, 96)
    picture = np.stack([np.tile(across, (64, 1)), np.full((64, 96), 128), np.tile(across[::-1], (64, 1))], -1)
    options = {"crf": "1", "x264-params": f"chromaloc={number}"}
    path = write_video(tmp_path / "a.mp4", [0.0, 0.1], (64, 96), [picture.astype(np.uint8)] * 2, options=options)
    frame = first(path)
    assert siting(frame) == place
    short = simplejpeg.decode_jpeg(jpeg(YuvScaler(192)(frame), 100), "RGB").astype(int)
    exact = RgbConverter(192)(frame).astype(int)
    inner = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose((short - exact)[inner].mean(axis=(0, 1)), 0, atol=0.3)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_stored_frames_are_as_near_to_the_source_as_over_rgb(tmp_path, matrix):
    """PSNR to the frame as 8-bit RGB, after JPEG: not lower by more than 0.1 dB."""
    pictures = moving(2, (180, 320))
    path = write_video(
        tmp_path / "a.mp4", [0.0, 0.1], (180, 320), pictures, options={"crf": "10", "colorspace": matrix}
    )
    frame = first(path)
    exact = RgbConverter(384)(frame).astype(float)
    errors = {
        way: np.mean((simplejpeg.decode_jpeg(jpeg(image, 90), "RGB") - exact) ** 2)
        for way, image in (("short", YuvScaler(384)(frame)), ("rgb", RgbConverter(384)(frame)))
    }
    assert 10 * np.log10(errors["short"] / errors["rgb"]) < 0.1, errors


def test_rotation(tmp_path):
    """A turned video gives the turned planes."""
    pictures = moving(2, (64, 96))
    upright = write_video(tmp_path / "a.mp4", [0.0, 0.1], pictures=pictures)
    turned = write_video(tmp_path / "b.mp4", [0.0, 0.1], pictures=pictures)
    flag_rotation(turned)
    for plain, rotated in zip(stored(upright, 48)[0], stored(turned, 48)[0], strict=True):
        np.testing.assert_array_equal(rotated, np.rot90(plain, -1))


def test_reserved_tags_are_no_obstacle(tmp_path):
    """Encoders leave reserved transfer functions and primaries behind; they change nothing."""
    frame = first(write_video(tmp_path / "a.mp4", [0.0, 0.1], (64, 96), moving(2, (64, 96))))
    plain = YuvScaler(48)(frame)
    frame.color_trc, frame.color_primaries = 3, 3
    for one, other in zip(plain, YuvScaler(48)(frame), strict=True):
        np.testing.assert_array_equal(one, other)
