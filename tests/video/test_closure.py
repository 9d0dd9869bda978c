"""Little more than the wanted frames need is decoded, and they come out as if everything had been."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.video import track as tracks
from refocus.video.closure import runs
from refocus.video.decode_report import DecodeReport
from refocus.video.frame_plan import grid
from refocus.video.probe import opened
from refocus.video.selective_decode import selective_decode
from refocus.video.track import Track

from tests.support.oracle import Packets, closure, packets_of
from tests.support.videos import constant, moving, played_at, variable, write_video

X264, X265 = "libx264", "libx265"
QUIET = "log-level=none:pools=none:frame-threads=1:"
VIDEOS = {
    "h264 closed.mp4": (X264, {"x264-params": "keyint=24:bframes=3:b-pyramid=normal:scenecut=0"}),
    "h264 open.mp4": (X264, {"x264-params": "open-gop=1:keyint=20:bframes=5:b-pyramid=normal:ref=5:scenecut=0"}),
    "h264 open.ts": (X264, {"x264-params": "open-gop=1:keyint=20:bframes=3:b-pyramid=strict:ref=4:direct=temporal"}),
    "h264 slices.mkv": (X264, {"x264-params": "keyint=16:bframes=2:slices=3"}),
    "h264 no b.mp4": (X264, {"x264-params": "keyint=250:bframes=0"}),
    "h264 refresh.mp4": (X264, {"x264-params": "keyint=24:intra-refresh=1"}),
    "h264 intra.mp4": (X264, {"x264-params": "keyint=1"}),
    "hevc open.mp4": (X265, {"x265-params": QUIET + "keyint=24:bframes=4:b-pyramid=1:scenecut=0"}),
    "hevc open.ts": (X265, {"x265-params": QUIET + "keyint=16:bframes=3"}),
    "hevc closed.mkv": (X265, {"x265-params": QUIET + "open-gop=0:keyint=24:bframes=8"}),
    "hevc radl.mp4": (X265, {"x265-params": QUIET + "open-gop=0:keyint=24:radl=2"}),
    "hevc intra.mp4": (X265, {"x265-params": QUIET + "keyint=1"}),
    "vp9.webm": ("libvpx-vp9", {"g": "24", "cpu-used": "5", "lag-in-frames": "16", "auto-alt-ref": "1"}),
    "vp8 hidden.webm": ("libvpx", {"g": "40", "cpu-used": "4", "lag-in-frames": "16", "auto-alt-ref": "1"}),
    "av1.mkv": ("libsvtav1", {"preset": "12", "g": "24", "svtav1-params": "lp=1"}),
    "av1 forward.mkv": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1:irefresh-type=1:keyint=32"}),
    "mpeg4.mp4": ("mpeg4", {"g": "24", "bf": "2", "qscale": "3"}),
    "mpeg2 open.ts": ("mpeg2video", {"g": "15", "bf": "2"}),
    "mpeg2 closed.mkv": ("mpeg2video", {"g": "15", "bf": "2", "flags": "+cgop", "sc_threshold": "1000000000"}),
    "mjpeg.avi": ("mjpeg", {}),
    "prores.mov": ("prores", {}),
}
PIXELS = {"mjpeg": "yuvj420p", "prores": "yuv422p10le"}
GRIDS = {"4 fps": grid(3.0, 4.0), "1 fps": grid(3.0, 1.0), "30 fps": grid(3.0, 30.0), "the end": [2.8, 2.9]}


@dataclass
class Video:
    """A file, what a plain sequential decode makes of it, and what may be needed of it."""

    path: Path
    codec: str
    packets: Packets
    frames: dict[int, np.ndarray] = field(default_factory=dict)  # by presentation time, as decoded


def decoded(path: Path) -> Video:
    """By libavcodec alone: every frame, and clean starts by its own mark."""
    packets = packets_of(path)
    packets.keys = set()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        video_file = Video(path, stream.codec_context.name, packets)
        for frame in container.decode(stream):
            video_file.frames[frame.pts] = frame.to_ndarray()
            if frame.key_frame:
                packets.keys.add(frame.pts)
    if "refresh" in path.name or "forward" in path.name:
        packets.keys = {packets.order[0]}  # the others only begin to be renewed, or are not shown where they are stored
    if video_file.codec in ("mjpeg", "prores"):
        packets.keys = packets.unused = set(packets.order)
    return video_file


@pytest.fixture(params=VIDEOS, scope="module")
def video_file(request, tmp_path_factory):
    codec, options = VIDEOS[request.param]
    path = tmp_path_factory.mktemp("videos") / request.param
    pixels = PIXELS.get(codec, "yuv420p")
    write_video(path, constant(3.0), (80, 96), moving(90), codec=codec, options=options, pix_fmt=pixels)
    return decoded(path)


def seen(video_file: Video, times: list[float]) -> tuple[list[tuple[int, np.ndarray, object]], DecodeReport]:
    report = DecodeReport()
    with opened(video_file.path) as (container, stream):
        found = [
            (frame.pts, frame.to_ndarray(), wanted)
            for frame, wanted in selective_decode(Track(video_file.path, container, stream), times, report, None)
        ]
    return found, report


def times_of(video_file: Video) -> list[float]:
    with opened(video_file.path) as (_, stream):
        return [float((pts - stream.start_time) * stream.time_base) for pts in sorted(video_file.frames)]


@pytest.mark.parametrize("when", GRIDS)
def test_frames_are_those_of_a_sequential_decode_and_little_else_is_decoded(video_file, when):
    """Bit-identical frames by the played-at rule; no more frames decoded than the dependency closure has.

    Of HEVC, FFmpeg decodes a few more: it keeps frames that lead a key frame for others that do not lead it.
    """
    found, report = seen(video_file, GRIDS[when])
    starts = times_of(video_file)
    expected = list(dict.fromkeys(played_at(starts, time) for time in GRIDS[when]))
    assert [wanted.source_frame for _, _, wanted in found] == expected
    order = sorted(video_file.frames)
    assert [pts for pts, _, _ in found] == [order[index] for index in expected]
    assert all(np.array_equal(image, video_file.frames[pts]) for pts, image, _ in found)
    assert (report.problem(), report.in_order) == (None, None)
    needed = closure(video_file.packets, {order[index] for index in expected}, video_file.codec)
    assert report.decoded <= len(needed) + (4 if video_file.codec == "hevc" else 0)


def test_each_frame_can_be_had_alone(video_file):
    """Every entry, at any distance, from memory or from a second reading of the file."""
    starts, order = times_of(video_file), sorted(video_file.frames)
    for number in random.Random(0).sample(range(len(order)), 12):
        found, _ = seen(video_file, [starts[number]])
        assert np.array_equal(found[0][1], video_file.frames[order[number]])


@pytest.mark.parametrize("limit", ["KEPT_BYTES", "KEPT_PACKETS"])
def test_a_file_too_large_to_keep_is_read_twice(video_file, limit, monkeypatch):
    """The same frames for the same work."""
    kept, report = seen(video_file, GRIDS["4 fps"])
    monkeypatch.setattr(tracks, limit, 10)
    again, twice = seen(video_file, GRIDS["4 fps"])
    assert [(pts, wanted) for pts, _, wanted in again] == [(pts, wanted) for pts, _, wanted in kept]
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(again, kept, strict=True))
    assert twice.decoded == report.decoded


def test_temporal_layers(tmp_path):
    """A picture no other of its own layer uses may still be used by a higher layer."""
    options = {"x265-params": QUIET + "keyint=48:bframes=7:b-adapt=0:temporal-layers=3"}
    path = write_video(tmp_path / "a.mp4", constant(3.0), (80, 96), moving(90), codec=X265, options=options)
    video_file = decoded(path)
    starts, order = times_of(video_file), sorted(video_file.frames)
    total = 0
    for number in range(0, 90, 3):
        found, report = seen(video_file, [starts[number]])
        assert np.array_equal(found[0][1], video_file.frames[order[number]])
        assert report.in_order is None
        total += report.decoded
    assert total < 30 * 15  # of at most 48 in a GOP, a quarter is in the lowest layer


def test_variable_rate(tmp_path):
    """Times between frames of irregular length."""
    times = variable(12.0, 3)
    options = {"x264-params": "open-gop=1:keyint=20:bframes=5:b-pyramid=normal:scenecut=0"}
    path = write_video(tmp_path / "a.mkv", times, (80, 96), moving(len(times)), options=options)
    video_file = decoded(path)
    found, report = seen(video_file, grid(12.0))
    assert [w.source_frame for _, _, w in found] == list(dict.fromkeys(played_at(times, time) for time in grid(12.0)))
    assert all(np.array_equal(image, video_file.frames[pts]) for pts, image, _ in found)
    assert report.in_order is None


@given(st.integers(0, 10**6))
def test_runs_hold_the_gops_of_the_wanted_packets(seed):
    """And the GOP before where a wanted frame leads its own; from clean starts, to wanted packets, each packet once."""
    rng = random.Random(seed)
    starts, pts = stream(rng)
    wanted = set(rng.sample(range(len(pts)), min(len(pts), rng.randint(0, 4))))
    needed = set()
    for number in wanted:
        begins = [place for place in range(number + 1) if starts[place] or place == 0]
        leads = pts[number] < pts[begins[-1]] and len(begins) > 1
        needed |= set(range(begins[-2 if leads else -1], number + 1))
    found = runs(starts, pts, wanted)
    assert sorted(number for run in found for number in run) == sorted(needed)
    assert all((starts[run.start] or run.start == 0) and run.stop - 1 in wanted for run in found)


def stream(rng):
    """(starts, pts) of random GOPs: a clean start, the frames that lead it, the frames behind it."""
    starts, pts = [], []
    clock = 0
    for _ in range(rng.randint(1, 5)):
        lead = rng.randint(0, 3) if pts else 0
        trail = rng.randint(0, 6)
        starts += [True] + [False] * (lead + trail)
        pts += [clock + lead, *range(clock, clock + lead), *range(clock + lead + 1, clock + lead + 1 + trail)]
        clock += lead + 1 + trail
    return starts, pts
