"""Files with the faults that real files have: the frames are those that the ffmpeg program shows, or it is not `ok`."""

import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from refocus.video import track
from refocus.video.decode import DecodeReport, decode_frames, frames_at, frames_shown, plan_clip
from refocus.video.orientation import from_matrix
from refocus.video.packets import demuxed
from refocus.video.presentation_times import PresentationTimes
from refocus.video.probe import probe
from refocus.video.track import PacketTable
from refocus.video.truncation import is_truncated
from refocus.video.workers import LostJob, run_jobs

from tests.support.faults import FAULTS, every_fault, judge
from tests.support.faulty_files import ENCODERS, LEVELS, MATRICES, sound
from tests.support.ffmpeg_frames import FFMPEG, frames_by_ffmpeg, frames_by_loop
from tests.support.videos import constant, flag_rotation, level, played_at, variable, write_video

ROOT = Path(__file__).resolve().parents[2]
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="the ffmpeg program is not installed")


def greys(images):
    return np.array([image.mean() for image in images])


@pytest.mark.parametrize(("fault", "codec", "kind"), list(every_fault()))
def test_frames_are_right_or_it_is_not_ok(tmp_path, fault, codec, kind):
    """Status, length, and at every time of the grid the frame that is on screen."""
    made = FAULTS[fault][0](tmp_path, codec, kind)
    outcome, reason = judge(made)
    assert outcome in {"ok": ["right"]}.get(made.statuses[0], made.statuses), reason
    assert (outcome == "right") == (reason == "")


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.parametrize(("fault", "codec", "kind"), list(every_fault()))
def test_what_is_called_right_is_what_ffmpeg_shows(tmp_path, fault, codec, kind):
    """Every frame and its time, by the program itself."""
    made = FAULTS[fault][0](tmp_path, codec, kind)
    if made.statuses != ("ok",) or made.ffmpeg_s is None:
        return
    frames = frames_by_ffmpeg(made.path)
    assert len(frames) == len(made.times_s)
    np.testing.assert_allclose([time for time, _ in frames], made.times_s, atol=made.ffmpeg_s)
    found = greys(image for _, image in frames)
    np.testing.assert_allclose(found, [level(index) for index in made.numbers], atol=LEVELS)


@needs_ffmpeg
def test_the_real_cases(shared_data):
    """Files that were once decoded wrongly: ffmpeg's frames at ffmpeg's times, or a reason."""
    cases = sorted(path for path in (shared_data / "cases").glob("*/*") if path.is_file())
    if not cases:
        pytest.skip("no cases")
    for path in cases:
        plan = plan_clip(path, 4.0, 512, None, None)
        got = decode_frames(path, plan.times_s)
        assert got.status == ("partial" if path.parent.name == "cut_unnoticed" else "ok"), (path, got.error)
        frames = frames_by_ffmpeg(path)
        times = [time for time, _ in frames]
        shown = list(dict.fromkeys(played_at(times, time) for time in plan.times_s))
        assert got.source_frames == shown, path
        assert plan.times_s[-1] <= times[-1] + 0.25, path
        for image, index in zip(got.images, shown, strict=True):
            assert nearest(image, frames, index) == index, (path, index)


def nearest(image, frames, index):
    """Which of the frames around a number looks most like an image; the number itself where another looks the same."""
    near = range(max(0, index - 3), min(len(frames), index + 4))
    far = {one: np.abs(frames[one][1].astype(int) - image).mean() for one in near}
    return index if far[index] < min(far.values()) + 0.01 else min(far, key=far.get)


def bars():
    """A picture without symmetry, (64, 96, 3)."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :32], picture[:32, 64:], picture[48:, :48] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    return picture


@pytest.mark.parametrize("codec", ["h264", "mpeg4", "vp9", "av1"])
@pytest.mark.parametrize("how", MATRICES)
def test_a_display_matrix_is_applied_whole(tmp_path, how, codec):
    """All eight right-angled values, at the stored size, scaled, and as YUV; `probe` knows the size that is seen."""
    matrix, seen = MATRICES[how]
    encoder, options = ENCODERS[codec]
    path = write_video(tmp_path / "a.mp4", [0.0, 0.1], pictures=[bars()] * 2, codec=encoder, options=options)
    plain = decode_frames(path, [0.0]).images[0]
    small = decode_frames(path, [0.0], 48).images[0]
    planes = next(frames_shown(path, [0.0], 48, DecodeReport(), yuv=True)).image
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    turned = decode_frames(path, [0.0]).images[0]
    np.testing.assert_array_equal(turned, seen(plain))
    np.testing.assert_array_equal(decode_frames(path, [0.0], 48).images[0], seen(small))
    for plane, one in zip(planes, next(frames_shown(path, [0.0], 48, DecodeReport(), yuv=True)).image, strict=True):
        np.testing.assert_array_equal(one, seen(plane))
    info = probe(path)
    assert (info.height, info.width) == turned.shape[:2]
    if FFMPEG:
        shown = frames_by_ffmpeg(path)[0][1]
        assert shown.shape == turned.shape
        assert np.abs(shown.astype(int) - turned).mean() < LEVELS


@pytest.mark.parametrize(
    ("container", "whole"),
    [
        ("dv", b"\x1f\x07\x00\x3f" + bytes(119_996)),
        ("dv", b"\x1f\x07\x00\xbf" + bytes(2 * 144_000 - 4)),
        ("roq", b"\x84\x10\xff\xff\xff\xff\x1e\x00" + b"\x11\x10\x10\x00\x00\x00\x00\x00" + bytes(16)),
        ("jpeg_pipe", b"\xff\xd8" + bytes(60) + b"\xff\xd9"),
    ],
)
def test_the_end_of_rare_containers(tmp_path, container, whole):
    """Whole, and 20 bytes or one byte shorter."""
    path = tmp_path / "a"
    for missing in (0, 20, 1):
        path.write_bytes(whole[: len(whole) - missing])
        assert (is_truncated(path, container) is None) == (missing == 0)


class Pipe:
    """A file in which nothing that was written can be changed."""

    def __init__(self, path):
        self.file = path.open("wb")

    def write(self, data):
        return self.file.write(data)


@pytest.mark.parametrize(("kind", "codec"), [("avi", "mpeg4"), ("ivf", "vp8"), ("matroska", "h264"), ("flv", "h264")])
def test_a_header_that_a_pipe_left_open(tmp_path, kind, codec):
    """All bits set, or none, are no length: the packets say it."""
    base, path = sound(tmp_path / "base.mkv", codec), tmp_path / "a"
    pipe = Pipe(path)
    with pipe.file, av.open(str(base)) as reading, av.open(pipe, "w", format=kind) as writing:
        copied = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.size:
                packet.stream = copied
                writing.mux(packet)
    plan = plan_clip(path, 4.0, 512, None, None)
    assert plan.duration_s == pytest.approx(3.0, abs=0.05)
    assert decode_frames(path, plan.times_s).status == ("partial" if kind == "avi" else "ok")


@pytest.mark.parametrize("kind", ["nut", "mkv", "mp4", "ts"])
def test_another_video_that_lasts_longer(tmp_path, kind):
    """The file's length is not that of the video that is shown."""
    path = tmp_path / f"a.{kind}"
    bases = [sound(tmp_path / "0.mp4", "h264", 5.0), sound(tmp_path / "1.mp4", "h264")]
    with av.open(str(bases[0])) as longer, av.open(str(bases[1])) as shown, av.open(str(path), "w") as writing:
        streams = [writing.add_stream_from_template(one.streams.video[0]) for one in (shown, longer)]
        streams[0].disposition = av.stream.Disposition.default
        packets = [
            (packet, stream)
            for one, stream in zip((shown, longer), streams, strict=True)
            for packet in one.demux(video=0)
            if packet.size
        ]
        for packet, stream in sorted(packets, key=lambda one: one[0].dts * one[0].time_base):
            packet.stream = stream
            writing.mux(packet)
    plan = plan_clip(path, 4.0, 512, None, None)
    assert (plan.duration_s, decode_frames(path, plan.times_s).status) == (pytest.approx(3.0, abs=0.01), "ok")


def test_a_gap_in_a_clock_that_may_be_set_anew(tmp_path):
    """A frame that was announced for after the gap tells it from a new clock; which is shown when is not known."""
    times = [index / 25 + 12 * (index > 40) for index in range(75)]
    path = write_video(tmp_path / "a.ts", times, options={"bf": "2", "g": "25"})
    got = decode_frames(path, [0.5, 1.5, 2.5])
    assert (got.status, got.source_frames[:2]) == ("partial", [12, 37])
    assert "set anew" in got.error


def test_streams_one_behind_the_other_in_ogg():
    """Headers in the middle are no frames."""
    assert track._not_by_itself("theora", av.Packet(b"\x81theora"), True) == "another stream follows"
    assert track._not_by_itself("h264", av.Packet(b"\x81theora"), False) is None


def test_side_data_without_a_name_in_pyav(tmp_path):
    """EXIF, or the views of a spatial video: the matrix beside it is found."""
    path = write_video(tmp_path / "a.mov", [0.0, 0.1], pictures=[bars()] * 2, codec="tiff", pix_fmt="rgb24")
    with av.open(str(path)) as container, pytest.raises(ValueError, match="is not a valid Type"):
        _ = next(container.decode(video=0)).side_data
    np.testing.assert_array_equal(decode_frames(path, [0.0]).images[0], bars())
    flag_rotation(path)
    np.testing.assert_array_equal(decode_frames(path, [0.0]).images[0], np.rot90(bars(), -1))


def test_a_matrix_that_is_nearly_right_angled():
    """The nearest right angle, and still mirrored or not."""
    assert from_matrix([65000, 900, 0, -900, 65000]) == (False, False, False)
    assert from_matrix([900, -65000, 0, -65000, -900]) == (True, True, True)


@pytest.mark.parametrize("codec", ["vp9", "h264", "mpeg4", "mjpeg", "ffv1"])
@pytest.mark.parametrize("side", [16, 32, 48])
def test_pictures_are_not_changed_in_place(tmp_path, codec, side):
    """The frame that is stored as YUV shows what it shows as RGB, whatever its size."""
    encoder, options = ENCODERS[codec]
    picture = np.full((side, side, 3), (180, 90, 60), np.uint8)
    picture[:, side // 2 :] = (60, 120, 190)
    path = write_video(
        tmp_path / "a.mkv",
        [0.0, 0.1],
        (side, side),
        [picture] * 2,
        codec=encoder,
        options=options,
        pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p",
    )
    image = next(frames_shown(path, [0.0], 64, DecodeReport(), yuv=True)).image
    shown = decode_frames(path, [0.0], 64).images[0].astype(int)
    if not isinstance(image, np.ndarray):
        import simplejpeg
        from refocus.frames.encoding import jpeg

        image = simplejpeg.decode_jpeg(jpeg(image, 100), "RGB")
    assert np.abs(shown[8:-8, 8:24] - image[8:-8, 8:24]).mean() < LEVELS
    assert np.abs(shown[8:-8, 8:24] - (180, 90, 60)).mean() < 3 * LEVELS


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "ts", "flv"])
@pytest.mark.parametrize("fps", [12, 24, 25, 30, 60])
def test_a_time_on_a_frames_start_gives_that_frame(tmp_path, fps, kind):
    """As a fraction of a second it falls between two of the container's ticks."""
    times = [index / fps for index in range(2 * fps)]
    codec, options = ENCODERS["mpeg4 no b"] if kind == "avi" else ("libx264", {"bf": "0"})
    path = write_video(tmp_path / f"a.{kind}", times, codec=codec, options=options, rate=fps)
    images = frames_at(path, times, 32)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), [level(index) for index in range(2 * fps)], atol=LEVELS)


def test_backward_seeks_in_hevc(tmp_path):
    """No stale frame, in whatever order frames are asked for."""
    encoder, options = ENCODERS["hevc"]
    times = constant(4.0, 25.0)
    path = write_video(tmp_path / "a.mp4", times, codec=encoder, options=options, rate=25)
    order = [70, 3, 55, 54, 99, 0, 26, 25, 24]
    images = frames_at(path, [times[index] for index in order], 32)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), [level(index) for index in order], atol=LEVELS)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_every_frame_of_a_variable_rate_by_its_time(tmp_path, kind):
    """No frame is taken for its neighbour, as it is where times are computed from an average rate."""
    times = variable(8.0, 5)
    path = write_video(tmp_path / f"a.{kind}", times)
    images = frames_at(path, times, 32)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), [level(index) for index in range(len(times))], atol=LEVELS)


def test_the_end_of_a_file_is_reached(tmp_path):
    """The last frame comes out wherever it is asked for, alone or behind others."""
    encoder, options = ENCODERS["h264 pyramid"]
    path = write_video(tmp_path / "a.mp4", constant(2.0, 25.0), codec=encoder, options=options, rate=25)
    for times in ([49 / 25], [0.0, 49 / 25], [48 / 25, 49 / 25]):
        got = decode_frames(path, times)
        assert (got.status, got.source_frames[-1]) == ("ok", 49)


def test_a_plain_loop_sees_the_same_frames(tmp_path):
    """Of the stream that is the video, pixel by pixel, by nothing but libavcodec."""
    made = FAULTS["a picture is the first video stream"][0](tmp_path, "h264", "mkv")
    whole = frames_by_loop(made.path, 1)
    got = decode_frames(made.path, made.times_s)
    assert got.source_frames == list(range(len(whole)))
    for image, plain in zip(got.images, whole, strict=True):
        assert np.abs(image.astype(int) - plain).max() <= 2  # two ways from YUV to RGB


def test_encryption_is_named(tmp_path):
    """Without a key nothing is decoded, and the message says why."""
    made = FAULTS["encryption"][0](tmp_path, "h264", "mp4")
    got = decode_frames(made.path, [0.0, 1.0])
    assert (got.status, len(got.images)) == ("failed", 0)
    assert "encrypted" in got.error


def frame(pts, dts, interlaced=False):
    return SimpleNamespace(pts=pts, dts=dts, duration=1, interlaced_frame=interlaced)


def table_of(times):
    """Packets at 25 a second, in the order in which they are stored."""
    table = PacketTable(Fraction(1, 25), Fraction(0), 0.04)
    for time in times:
        table.pts.append(time)
        table.shown.append(True)
    return table


def test_times_that_go_back_give_way_to_decoding_times():
    """As in the ffmpeg program; a decoding time that goes back as often is no better."""
    times = PresentationTimes(table_of([]))
    assert [times(frame(pts, dts)) for pts, dts in ((0, 0), (1, 1), (4, 2), (3, 3), (2, 4), (5, 5))] == [
        pytest.approx(number / 25) for number in (0, 1, 4, 3, 4, 5)
    ]
    assert times.went_back == 2


def test_frames_without_times_follow_each_other():
    """By their durations."""
    times = PresentationTimes(table_of([]))
    assert [times(frame(None, None)) for _ in range(3)] == [pytest.approx(number / 25) for number in range(3)]


def test_times_of_decoding_go_to_frames_in_their_order():
    """The n-th frame has the n-th time, whichever packet it came from; but not where fields may have packets."""
    table = table_of([0, 1, 2, 3])
    table.distrust_times()
    times = PresentationTimes(table)
    assert [times(frame(pts, 3)) for pts in (0, 2, 3, 1)] == [pytest.approx(number / 25) for number in range(4)]
    times = PresentationTimes(table)
    assert [times(frame(pts, pts, interlaced=True)) for pts in (0, 2)] == [0.0, pytest.approx(2 / 25)]


def test_packets_without_presentation_times(tmp_path, monkeypatch):
    """As in Matroska's `V_MS/VFW`: the decoding times, given to the frames in the order in which they come out."""

    def stripped(*arguments):
        for packet in demuxed(*arguments):
            packet.pts = None
            yield packet

    monkeypatch.setattr(track, "demuxed", stripped)
    path = FAULTS["none"][0](tmp_path, "h264 pyramid", "mp4").path
    got = decode_frames(path, [0.0, 0.4, 1.0, 2.8])
    assert (got.status, got.source_frames) == ("ok", [0, 10, 25, 70])
    np.testing.assert_allclose(greys(got.images), [level(index) for index in got.source_frames], atol=LEVELS)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("bf", [0, 1, 4])
def test_a_length_covers_the_last_frame(tmp_path, kind, bf):
    """A muxer computes it from decoding times, and at a variable rate it may end before the last frame begins."""
    for seed in range(8):
        times = variable(2.0, seed)
        path = write_video(tmp_path / f"{seed}.{kind}", times, options={"x264-params": f"keyint=30:bframes={bf}"})
        length = plan_clip(path, 4.0, 512, None, None).duration_s
        assert times[-1] < length < times[-1] + 1.0
        got = decode_frames(path, [times[-1]])
        assert (got.status, got.source_frames) == ("ok", [len(times) - 1])


def test_decord_refuses_what_it_would_not_mirror(tmp_path):
    """In a worker, where it may run at all."""
    path = write_video(tmp_path / "a.mp4", [0.0, 0.1], pictures=[bars()] * 2)
    data = bytearray(path.read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, -1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    ((_, outcome),) = run_jobs(by_decord, [path], 1, 30)
    assert isinstance(outcome, LostJob) and "mirrored" in outcome.reason


def by_decord(path, heartbeat):
    """A job for a worker."""
    return len(list(frames_shown(path, [0.0], None, DecodeReport(), heartbeat, "squash", "decord")))


def test_the_page_has_every_fault():
    """docs/decoding.md says of how many files each row was made, and of which."""
    page = (ROOT / "docs" / "decoding.md").read_text()
    for fault, (_, files) in FAULTS.items():
        made_of = ", ".join(f"{codec}.{kind}" for codec, kind in files)
        row = next(line for line in page.splitlines() if line.startswith(f"| {fault} |"))
        assert row.startswith(f"| {fault} | {len(files)} |") and row.endswith(f" {made_of} |"), "run the page's command"
    assert f"| all | {sum(len(files) for _, files in FAULTS.values())} |" in page
