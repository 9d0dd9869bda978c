"""Frames of a file by the "played at" rule: at time t a viewer sees the last frame whose presentation time is ≤ t."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np

from refocus.core.progress import bar
from refocus.video import decord_backend as by_decord
from refocus.video.decode_report import DecodeReport
from refocus.video.frame_plan import bounds, grid, with_last_moment
from refocus.video.last_moment import last_moment
from refocus.video.packets import Heartbeat, rate_of
from refocus.video.probe import VideoError
from refocus.video.resize import Fit, resize
from refocus.video.rgb import RgbConverter
from refocus.video.selective_decode import ahead_s, selective_decode
from refocus.video.track import Track, opened_track
from refocus.video.yuv import YuvFrame, YuvScaler

__all__ = [
    "ClipPlan",
    "DecodeReport",
    "DecodedFrames",
    "ShownFrame",
    "decode_frames",
    "frames_at",
    "frames_shown",
    "plan_clip",
]

Backend = Literal["pyav", "decord"]
Image = TypeVar("Image", bound=np.ndarray | YuvFrame)


@dataclass(frozen=True)
class ShownFrame(Generic[Image]):
    """A source frame and the wanted times (indices into the request) at which it is on screen."""

    image: Image  # upright; (H, W, 3) uint8 RGB unless YUV was asked for
    timestamp_s: float
    source_frame: int  # 0-based, in presentation order
    wanted: tuple[int, ...]


@dataclass(frozen=True)
class DecodedFrames:
    """Frames of one clip. `status` is ok, partial (fewer than asked for, `error` says why) or failed (none)."""

    images: np.ndarray  # (n, H, W, 3) uint8 RGB
    timestamps_s: list[float]
    source_frames: list[int]
    status: str
    error: str | None


@dataclass(frozen=True)
class ClipPlan:
    """The times to take from one file, and what its header says."""

    times_s: list[float]
    fps: float
    duration_s: float


def decode_frames(
    video: Path | str | Track,
    times_s: Sequence[float],
    size: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    progress: bool = False,
    heartbeat: Heartbeat | None = None,
) -> DecodedFrames:
    """The frames shown at some times, each source frame once.

    Args:
        video: the file, or the file that is open.
        times_s: increasing seconds from the file's first frame.
        size: frames come size x size (squash, bicubic); None = as stored.
        start_s, end_s: times outside [start_s, end_s) are left out.
        progress: whether a bar on stderr shows how far it is.
        heartbeat: called with every packet; what it raises ends the decoding.
    Returns:
        the frames; a file that cannot be read gives status failed and no frames.
    """
    low, high = start_s or 0.0, np.inf if end_s is None else end_s
    times = [time for time in times_s if low <= time < high]
    report = DecodeReport()
    images = np.zeros((0, size or 0, size or 0, 3), np.uint8)
    stamps: list[float] = []
    sources: list[int] = []
    try:
        shown = frames_shown(video, times, size, report, heartbeat)
        for frame in bar(shown, total=len(times), desc="decode", unit="frame") if progress else shown:
            if not stamps:  # room for all of them, since stacking a list of frames would hold each twice
                images = np.empty((len(times), *frame.image.shape), np.uint8)
            elif frame.image.shape != images.shape[1:]:
                report.notes.append(f"the frame size changes at {frame.timestamp_s:.2f} s")
                break
            images[len(stamps)] = frame.image
            stamps.append(frame.timestamp_s)
            sources.append(frame.source_frame)
        error = report.problem()
    except (VideoError, MemoryError) as failure:
        error = str(failure) or "out of memory"
    if times and not stamps:
        return DecodedFrames(images[:0], [], [], "failed", error or "no frames")
    return DecodedFrames(images[: len(stamps)], stamps, sources, "partial" if error else "ok", error)


def frames_at(path: Path | str, timestamps_s: Sequence[float], size: int) -> np.ndarray:
    """One image per timestamp, in the order given, taken from the file at its own resolution.

    Args:
        path: the video file.
        timestamps_s: seconds from the file's first frame, in any order, repeats allowed.
        size: images come size x size (squash, antialiased bicubic).
    Returns:
        (n, size, size, 3) uint8 RGB.
    Raises:
        VideoError: the file is unreadable or ends before one of the times.
    """
    order = sorted(range(len(timestamps_s)), key=lambda index: timestamps_s[index])
    images = np.zeros((len(order), size, size, 3), np.uint8)
    report = DecodeReport()
    got = 0
    for frame in frames_shown(path, [timestamps_s[index] for index in order], None, report):
        small = resize(frame.image[None], size)[0]
        for place in frame.wanted:
            images[order[place]] = small
            got += 1
    if got < len(order):
        raise VideoError(f"{path}: {len(order) - got} of {len(order)} frames are missing ({report.problem()})")
    return images


def plan_clip(
    video: Path | str | Track,
    fps: float,
    max_frames: int,
    start_s: float | None,
    end_s: float | None,
    heartbeat: Heartbeat | None = None,
    last_frame: bool = False,
) -> ClipPlan:
    """The grid of a clip, from the file's header or, where that is silent or may mean something else, its packets.

    Args:
        last_frame: whether the last time is that of the clip's very last frame.
    Raises:
        VideoError: the file is unreadable, or the clip lies outside it.
    """
    step = max(1 / fps, ((end_s or 0.0) - (start_s or 0.0)) / max_frames)
    with opened_track(video) as track:
        duration, rate = last_moment(track, end_s, ahead_s(step), heartbeat), rate_of(track.stream)
        try:
            start, end = bounds(duration, start_s, end_s)
        except ValueError as error:
            raise VideoError(f"{track.path}: {error}") from None
    times_s = grid(end - start, fps, max_frames, start)
    return ClipPlan(with_last_moment(times_s, end) if last_frame else times_s, rate, duration)


@overload
def frames_shown(
    video: Path | str | Track,
    times_s: Sequence[float],
    size: int | None,
    report: DecodeReport,
    heartbeat: Heartbeat | None = ...,
    fit: Fit = ...,
    backend: Backend = ...,
    *,
    yuv: Literal[True],
) -> Iterator[ShownFrame[np.ndarray | YuvFrame]]: ...


@overload
def frames_shown(
    video: Path | str | Track,
    times_s: Sequence[float],
    size: int | None,
    report: DecodeReport,
    heartbeat: Heartbeat | None = ...,
    fit: Fit = ...,
    backend: Backend = ...,
) -> Iterator[ShownFrame[np.ndarray]]: ...


def frames_shown(
    video: Path | str | Track,
    times_s: Sequence[float],
    size: int | None,
    report: DecodeReport,
    heartbeat: Heartbeat | None = None,
    fit: Fit = "squash",
    backend: Backend = "pyav",
    *,
    yuv: bool = False,
) -> Iterator[ShownFrame[Any]]:
    """Every frame that is on screen at one or more of the wanted times, in order. Little else is decoded for them.

    A time before the first frame gets the first frame; times after the last frame of a file that ends early get none,
    and `report` says so.

    Args:
        video: the file, or the file that is open.
        times_s: increasing seconds from the first frame.
        size: frames are scaled to size x size while they are converted; None = as stored.
        report: filled in while frames are taken.
        heartbeat: called with every packet, to show that the work goes on.
        fit: how a frame becomes square.
        backend: decord only in a worker process (`refocus.video.workers`).
        yuv: frames come as `YuvFrame`, in which they are stored, where they can be scaled as such; else as RGB.
    Raises:
        VideoError: the file is unreadable, or not one frame decodes.
    """
    if not times_s:
        return
    report.expected_s = times_s[-1]
    if backend == "decord":
        path = video.path if isinstance(video, Track) else video
        for rgb, wanted in by_decord.frames(path, times_s, report, heartbeat):
            fitted = rgb if size is None else resize(rgb[None], size, fit)[0]
            yield ShownFrame(fitted, round(wanted.time_s, 6), wanted.source_frame, wanted.times)
        return
    with opened_track(video) as track:
        to_rgb = RgbConverter(size, fit, track.stream.sample_aspect_ratio)
        to_yuv = YuvScaler(size) if yuv and size and size % 2 == 0 and fit == "squash" else None
        for frame, wanted in selective_decode(track, times_s, report, heartbeat):
            try:
                image = to_yuv(frame) if to_yuv and to_yuv.takes(frame) else to_rgb(frame)
            except VideoError as error:
                raise VideoError(f"{track.path}: {error}") from None
            yield ShownFrame(image, round(wanted.time_s, 6), wanted.source_frame, wanted.times)
