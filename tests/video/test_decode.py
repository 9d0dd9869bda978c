"""Which frames come out of a file, and how they look."""

import gc
import itertools
import tracemalloc

import numpy as np
import pytest
from av.video.frame import VideoFrame
from refocus.video.decode import DecodeReport, decode_frames, frames_at, frames_shown, plan_clip
from refocus.video.frame_plan import grid
from refocus.video.probe import VideoError, probe

from tests.support.videos import constant, level, played_at, variable, write_video

VIDEOS = {
    "cfr30": (constant(4.0), "mp4", 0.0),
    "cfr29.97": (constant(4.0, 30000 / 1001), "mp4", 0.0),
    "cfr8": (constant(5.0, 8.0), "mp4", 0.0),
    "slow": (constant(6.0, 2.0), "mp4", 0.0),
    "vfr": (variable(6.0, 1), "mp4", 0.0),
    "vfr2": (variable(6.0, 2), "mkv", 0.0),
    "offset": (constant(3.0, 12.5), "mkv", 5.0),
}


@pytest.fixture(params=VIDEOS, scope="module")
def video_file(request, tmp_path_factory):
    times, extension, offset = VIDEOS[request.param]
    path = tmp_path_factory.mktemp("videos") / f"{request.param}.{extension}"
    return write_video(path, times, offset_s=offset), times


def test_the_frame_played_at_each_time(video_file):
    """Source frames, times and pixels equal those of a brute-force player; a source frame comes once."""
    path, times = video_file
    plan = plan_clip(path, 4.0, 512, None, None)
    got = decode_frames(path, plan.times_s)
    expected = [played_at(times, time) for time in plan.times_s]
    assert got.status == "ok", got.error
    assert got.source_frames == list(dict.fromkeys(expected))
    np.testing.assert_allclose(got.timestamps_s, [times[index] for index in got.source_frames], atol=6e-4)
    np.testing.assert_allclose(got.images.mean(axis=(1, 2, 3)), [level(index) for index in got.source_frames], atol=2)


@pytest.mark.parametrize("yuv", [True, False])
def test_a_frame_is_freed_once_it_has_been_used(tmp_path, yuv):
    """Without the garbage collector, which would let hundreds of large frames wait."""
    path = write_video(tmp_path / "video.mp4", constant(5.0))
    gc.collect()
    gc.disable()
    try:
        for _ in frames_shown(path, grid(5.0), 32, DecodeReport(), yuv=yuv):
            alive = sum(type(item) is VideoFrame for item in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 3


def test_frames_of_a_clip_are_held_once(tmp_path):
    path = write_video(tmp_path / "video.mp4", constant(5.0))
    decode_frames(path, [0.0], 256)  # what is loaded at the first use
    tracemalloc.start()
    try:
        images = decode_frames(path, grid(5.0), 256).images
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(images) == 20 and images.nbytes <= peak < 1.5 * images.nbytes


def test_native_frames_are_the_stored_frames(video_file):
    """The timestamps of kept frames find the same frames again, in any order, with repeats."""
    path, _ = video_file
    kept = decode_frames(path, plan_clip(path, 4.0, 512, None, None).times_s)
    order = np.random.default_rng(0).integers(0, len(kept.timestamps_s), 9)
    images = frames_at(path, [kept.timestamps_s[index] for index in order], 32)
    expected = [level(kept.source_frames[index]) for index in order]
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), expected, atol=2)


def test_clips_are_half_open(tmp_path):
    """[1, 2) s takes the frames on screen at 1, 1.25, 1.5 and 1.75 s."""
    times = constant(3.0)
    path = write_video(tmp_path / "a.mp4", times)
    plan = plan_clip(path, 4.0, 512, 1.0, 2.0)
    assert plan.times_s == [1.0, 1.25, 1.5, 1.75]
    assert decode_frames(path, plan.times_s).source_frames == [played_at(times, time) for time in plan.times_s]
    assert decode_frames(path, grid(3.0), start_s=1.0, end_s=2.0).source_frames == [30, 37, 45, 52]


def corners():
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    return picture


@pytest.mark.parametrize("size", [None, 48])
def test_rotation_is_applied(tmp_path, size):
    """A display matrix turns the picture and what `probe` says of its size."""
    upright = write_video(tmp_path / "up.mp4", [0.0, 0.1], pictures=[corners()] * 2)
    turned = write_video(tmp_path / "turned.mp4", [0.0, 0.1], pictures=[corners()] * 2, rotation=90)
    assert (probe(turned).width, probe(turned).height) == (64, 96)
    seen = decode_frames(turned, [0.0], size).images[0].astype(int)
    expected = np.rot90(decode_frames(upright, [0.0], size).images[0], -1).astype(int)
    assert seen.shape == expected.shape
    assert np.abs(seen - expected).mean() < 1


@pytest.mark.parametrize(("matrix", "ranged"), list(itertools.product(["bt709", "smpte170m"], ["tv", "pc"])))
def test_colors_survive_matrix_and_range(tmp_path, matrix, ranged):
    """What was written as RGB comes back, whichever matrix and range the stream is tagged with."""
    import av
    from av.video.reformatter import VideoReformatter

    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
    picture = np.concatenate([np.full((64, 16, 3), color, np.uint8) for color in colors], axis=1)
    path = tmp_path / "c.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"crf": "1", "colorspace": matrix, "color_range": ranged}
        frame = VideoReformatter().reformat(
            av.VideoFrame.from_ndarray(picture, format="rgb24"),
            format="yuv420p",
            dst_colorspace="ITU709" if matrix == "bt709" else "ITU601",
            dst_color_range="MPEG" if ranged == "tv" else "JPEG",
        )
        for pts in range(3):
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    seen = decode_frames(path, [0.0]).images[0]
    for index, color in enumerate(colors):
        assert np.abs(seen[32, index * 16 + 8].astype(int) - color).max() <= 8, (index, color)


def test_a_file_cut_off_is_partial(tmp_path):
    """The frames before the cut come out, with a reason."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(120)]
    path = write_video(tmp_path / "a.mkv", constant(4.0), pictures=noise)
    whole = decode_frames(path, grid(4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = decode_frames(path, plan_clip(path, 4.0, 512, None, None).times_s)
    assert cut.status == "partial"
    assert cut.error
    assert 0 < len(cut.images) < len(whole.images)
    assert cut.source_frames[:-1] == whole.source_frames[: len(cut.images) - 1]


@pytest.mark.parametrize("content", [None, b"", b"<html>not found</html>", bytes(5000)])
def test_no_video_is_failed_with_a_reason(tmp_path, content):
    """Missing, empty and foreign files fail; they do not raise."""
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    got = decode_frames(path, [0.0])
    assert (got.status, len(got.images)) == ("failed", 0)
    assert str(path) in got.error
    with pytest.raises(VideoError, match=r"a\.mp4"):
        frames_at(path, [0.0], 32)


def test_an_mp4_without_its_index_is_failed(tmp_path):
    """Cut before the index at the end, nothing can be read."""
    path = write_video(tmp_path / "a.mp4", constant(2.0))
    path.write_bytes(path.read_bytes()[:-600])
    assert decode_frames(path, [0.0]).status == "failed"


def test_damage_in_the_middle_does_not_lose_the_end(tmp_path):
    """Overwritten bytes cost some frames and are reported; frames behind them still come."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(120)]
    path = write_video(tmp_path / "a.mp4", constant(4.0), pictures=noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = rng.integers(0, 255, 3000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    got = decode_frames(path, grid(4.0))
    assert got.status == "partial"
    assert got.timestamps_s[-1] > 3.0


def test_a_clip_is_read_no_further_than_it_needs(tmp_path):
    """One second from the start of a long file costs that second."""
    path = write_video(tmp_path / "a.mp4", constant(20.0))
    report = DecodeReport()
    assert len(list(frames_shown(path, grid(1.0, start_s=1.0), 32, report))) == 4
    assert report.packets < 30 * 4
    assert report.decoded < 40
    assert report.problem() is None


def test_a_change_of_frame_size_ends_the_native_frames(tmp_path):
    """Frames of one shape come out, and why there are no more."""
    small = write_video(tmp_path / "a.ts", constant(2.0))
    large = write_video(tmp_path / "b.ts", constant(2.0), (96, 128), offset_s=2.0)
    path = tmp_path / "c.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    got = decode_frames(path, grid(4.0))
    assert (got.status, got.images.shape[1:]) == ("partial", (64, 96, 3))
    assert "size changes" in got.error
    assert decode_frames(path, grid(4.0), 32).images.shape == (16, 32, 32, 3)


def test_real_files(shared_data):
    """AV1, Matroska, mp4 (of two videos the larger, by ffmpeg's choice) and a rotated phone clip decode whole."""
    counts = {"av1_video.mkv": 20, "flipping_a_pancake.mkv": 42, "nasa_13013.mp4": 53, "rotated_90.mov": 1}
    for name, count in counts.items():
        path = shared_data / "videos" / name
        got = decode_frames(path, plan_clip(path, 4.0, 512, None, None).times_s, 64)
        assert (got.status, got.images.shape) == ("ok", (count, 64, 64, 3)), name
    assert probe(shared_data / "videos" / "rotated_90.mov").height == 568
