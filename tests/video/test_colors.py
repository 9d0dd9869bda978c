"""Whatever a stream's matrix, range, depth, layout and shape: what was written as RGB comes back."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from refocus.video.decode import decode_frames, plan_clip
from refocus.video.rgb import RgbConverter

from tests.support.videos import constant, flag_rotation, level, moving, played_at, write_video

COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40), (128, 128, 128)]
MATRICES = {"bt709": "ITU709", "smpte170m": "ITU601", "bt2020nc": "BT2020", None: "ITU601"}
RANGES = {"tv": "MPEG", "pc": "JPEG", None: "MPEG"}


def bars(width=112, height=64):
    """Vertical bars of `COLORS`."""
    return np.asarray(COLORS, np.uint8)[np.arange(width) * len(COLORS) // width][None].repeat(height, 0)


def write_bars(path, codec, pix_fmt, matrix=None, ranged=None, options=None, size=(64, 112)):
    """Three frames of bars, converted here so that what the tags say is what the samples are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        tags = {"colorspace": matrix, "color_range": ranged}
        stream.options = {**(options or {}), **{key: value for key, value in tags.items() if value}}
        frame = VideoReformatter().reformat(
            av.VideoFrame.from_ndarray(bars(size[1], size[0]), format="rgb24"),
            format=pix_fmt,
            dst_colorspace=MATRICES[matrix],
            dst_color_range=RANGES[ranged],
        )
        for pts in range(3):
            frame.pts, frame.time_base = pts, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def assert_bars(image, tolerance):
    height, width = image.shape[:2]
    for index, color in enumerate(COLORS):
        seen = image[height // 2, (2 * index + 1) * width // (2 * len(COLORS))].astype(int)
        assert np.abs(seen - color).max() <= tolerance, (index, color, seen)


@pytest.mark.parametrize("size", [None, 140])
@pytest.mark.parametrize(("matrix", "ranged"), list(itertools.product(MATRICES, RANGES)))
def test_matrix_and_range(tmp_path, matrix, ranged, size):
    """BT.709, BT.601, BT.2020 or untagged (601), limited, full or untagged (limited)."""
    path = write_bars(tmp_path / "a.mp4", "libx264", "yuv420p", matrix, ranged, {"crf": "1"})
    assert_bars(decode_frames(path, [0.0], size).images[0], 6)


def test_tags_matter(tmp_path):
    """The same samples under another matrix or range look different, so that the tests above can fail."""
    shown = {}
    for matrix, ranged in itertools.product(("bt709", "smpte170m"), ("tv", "pc")):
        path = write_bars(tmp_path / f"{matrix}{ranged}.mp4", "libx264", "yuv420p", matrix, ranged, {"crf": "1"})
        with av.open(str(path)) as container:
            shown[matrix, ranged] = next(container.decode(video=0)).to_ndarray().astype(int)
    for one, other in itertools.combinations(shown, 2):
        assert np.abs(shown[one] - shown[other]).max() > 12


LAYOUTS = {
    "10 bit h264.mp4": ("libx264", "yuv420p10le", "bt709", {"crf": "1"}),
    "10 bit 422 hevc.mp4": ("libx265", "yuv422p10le", "bt709", {"x265-params": "crf=1:log-level=none:pools=none"}),
    "10 bit av1.mkv": ("libsvtav1", "yuv420p10le", "bt709", {"preset": "10", "crf": "4", "svtav1-params": "lp=1"}),
    "10 bit full h264.mp4": ("libx264", "yuv420p10le", "bt709", {"crf": "1"}),
    "full vp9.webm": ("libvpx-vp9", "yuv420p", "bt709", {"b": "4M"}),
    "444 h264.mp4": ("libx264", "yuv444p", "bt709", {"crf": "1"}),
    "rgb h264.mp4": ("libx264rgb", "rgb24", None, {"crf": "1"}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", None, {"qscale": "2"}),
    "prores.mov": ("prores_ks", "yuv422p10le", "bt709", {}),
    "ffv1 12 bit.mkv": ("ffv1", "yuv444p12le", "bt709", {}),
    "gray.mkv": ("ffv1", "gray", None, {}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_depths_and_layouts(tmp_path, name):
    """10 and 12 bits, 4:2:2, 4:4:4, RGB, JPEG's full range."""
    codec, pix_fmt, matrix, options = LAYOUTS[name]
    ranged = "pc" if codec in ("mjpeg", "libx264rgb") or pix_fmt == "gray" or "full" in name else "tv"
    path = write_bars(tmp_path / name, codec, pix_fmt, matrix, None if codec == "libx264rgb" else ranged, options)
    image = decode_frames(path, [0.0]).images[0]
    if pix_fmt == "gray":
        assert np.ptp(image, axis=2).max() == 0
        assert [image[32, column, 0] for column in (56, 72, 104)] == [255, 0, 128]
    else:
        assert_bars(image, 8)


@pytest.mark.parametrize(("codec", "pix_fmt"), [("qtrle", "argb"), ("ffv1", "bgra"), ("prores_ks", "yuva444p10le")])
def test_transparency_is_dropped(tmp_path, codec, pix_fmt):
    """Colours come as stored, whatever their alpha."""
    picture = np.concatenate([bars(), np.full((64, 112, 1), 77, np.uint8)], axis=2)
    path = tmp_path / "a.mov" if codec != "ffv1" else tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 112, 64, pix_fmt
        for pts in range(2):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = pts, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert_bars(decode_frames(path, [0.0]).images[0], 8)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "size"),
    [("libx264", "yuv444p", (63, 111)), ("libvpx-vp9", "yuv420p", (63, 111)), ("mjpeg", "yuvj420p", (65, 113))],
)
@pytest.mark.parametrize("target", [None, 48])
def test_odd_sizes(tmp_path, codec, pix_fmt, size, target):
    """Odd widths and heights, as stored and scaled."""
    options = {"libx264": {"crf": "1"}, "libvpx-vp9": {"b": "4M"}, "mjpeg": {"b": "8M"}}[codec]
    ranged = "pc" if codec == "mjpeg" else None
    path = write_bars(tmp_path / "a.mkv", codec, pix_fmt, None, ranged, options, size)
    image = decode_frames(path, [0.0], target).images[0]
    assert image.shape == ((*size, 3) if target is None else (48, 48, 3))
    assert_bars(image, 14)


def test_a_reserved_matrix_is_taken_as_601_and_a_strange_one_refused(tmp_path):
    """Tags that encoders leave behind do no harm; colours nobody converts are not passed off as right."""
    path = write_bars(tmp_path / "a.mp4", "libx264", "yuv420p", None, None, {"crf": "1"})
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    frame.colorspace = 3
    assert_bars(RgbConverter(None)(frame), 6)
    strange = write_bars(
        tmp_path / "b.mp4", "libx264", "yuv420p", None, None, {"crf": "1", "x264-params": "colormatrix=YCgCo"}
    )
    got = decode_frames(strange, [0.0])
    assert (got.status, "YCgCo" in got.error) == ("failed", True)


def test_neighbouring_pixels_keep_their_own_color(tmp_path):
    """Chroma is spread over all pixels: scaled up, a change of colour happens where it is, not two pixels at a time."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32], picture[:, 32:] = (200, 60, 60), (60, 60, 200)
    path = write_video(tmp_path / "a.mp4", [0.0, 0.1], (64, 64), [picture] * 2, options={"crf": "1"})
    row = decode_frames(path, [0.0], 256).images[0][128, :, 0].astype(int)
    steps = np.diff(row[100:156])
    assert (steps[::2] == 0).sum() < 20 or (steps[1::2] == 0).sum() < 20
    assert max(abs(steps[0::2]).sum(), abs(steps[1::2]).sum()) < 0.75 * abs(steps).sum()


def test_an_edit_list_hides_what_it_cuts(tmp_path):
    """An mp4 that starts in the middle of a GOP: hidden frames are decoded, not shown, and time starts behind them."""
    pictures = [np.full((64, 96, 3), level(index), np.uint8) for index in range(90)]
    whole = write_video(tmp_path / "a.mp4", constant(3.0), pictures=pictures, options={"g": "48", "bf": "2"})
    cut = tmp_path / "b.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        shift = round(20 / 30 / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copied
                target.mux(packet)
    plan = plan_clip(cut, 4.0, 512, None, None)
    got = decode_frames(cut, plan.times_s)
    assert got.status == "ok", got.error
    expected = [20 + played_at(constant(70 / 30), time) for time in plan.times_s]
    assert len(expected) in (9, 10)
    np.testing.assert_allclose(got.images.mean(axis=(1, 2, 3)), [level(index) for index in expected], atol=2)
    assert got.source_frames == [index - 20 for index in expected]


def test_transport_streams(tmp_path):
    """MPEG-TS starts at 1.4 s and counts modulo 26.5 hours; times are from its first frame."""
    for name, options in {"plain": {}, "wrapping": {"output_ts_offset": str(2**33 / 90000 - 2.5)}}.items():
        path = write_video(tmp_path / f"{name}.ts", constant(4.0), muxing=options)
        plan = plan_clip(path, 4.0, 512, None, None)
        got = decode_frames(path, plan.times_s)
        assert got.status == "ok", (name, got.error)
        assert got.source_frames == [played_at(constant(4.0), time) for time in plan.times_s]
        assert len(got.source_frames) == 16
        np.testing.assert_allclose(got.images.mean(axis=(1, 2, 3)), [level(i) for i in got.source_frames], atol=2)


def test_rotation_and_fit(tmp_path):
    """A turned picture fills the square as an upright one does."""
    pictures = moving(2, (64, 96))
    upright = write_video(tmp_path / "a.mp4", [0.0, 0.1], pictures=pictures)
    expected = np.rot90(decode_frames(upright, [0.0], 48).images[0], -1)
    turned = write_video(tmp_path / "b.mp4", [0.0, 0.1], pictures=pictures)
    flag_rotation(turned)
    np.testing.assert_array_equal(decode_frames(turned, [0.0], 48).images[0], expected)
