"""Frames of a file by the "played at" rule: at time t a viewer sees the last frame whose presentation time is ≤ t.

`frames_shown` is the only place that decodes. It walks the file in order up to the last wanted time; a decoder that
skips what no wanted frame needs replaces `_presented` and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from pipeline.video.plan import EPSILON_S, bounds, grid
from pipeline.video.probe import VideoError, header_duration, opened, origin, quarter_turn, rate_of
from pipeline.video.resize import resize

SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
SLACK_S = 0.5  # a stream may end this much before its header says without being called truncated
Beat = Callable[[], None]


@dataclass(frozen=True)
class Shown:
    """A source frame and the wanted times (indices into the request) at which it is on screen."""

    image: np.ndarray  # (H, W, 3) uint8 RGB, upright
    timestamp_s: float
    source_frame: int  # 0-based, in presentation order
    wanted: tuple[int, ...]


@dataclass
class Health:
    """What went wrong while a file was read, filled in as it is walked."""

    damaged: int = 0  # packets or frames the decoder complained about
    ended_s: float = 0.0  # when the last frame that was seen leaves the screen
    expected_s: float | None = None  # the last moment for which a frame was asked
    notes: list[str] = field(default_factory=list)

    def problem(self) -> str | None:
        """Why the frames are not all there, or None."""
        notes = list(self.notes)
        if self.damaged:
            notes.append(f"{self.damaged} damaged packets")
        if self.expected_s is not None and self.ended_s + SLACK_S < self.expected_s:
            notes.append(f"the video ends at {self.ended_s:.2f} s, wanted up to {self.expected_s:.2f} s")
        return "; ".join(notes) or None


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
    path: Path | str,
    times_s: Sequence[float],
    size: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
) -> DecodedFrames:
    """The frames shown at some times, each source frame once.

    Args:
        path: the video file.
        times_s: increasing seconds from the file's first frame.
        size: frames come size x size (squash, bicubic); None = as stored.
        start_s, end_s: times outside [start_s, end_s) are left out.
    Returns:
        the frames; a file that cannot be read gives status failed and no frames.
    """
    low, high = start_s or 0.0, np.inf if end_s is None else end_s
    times = [time for time in times_s if low <= time < high]
    health, shown = Health(), []
    try:
        shown = list(frames_shown(path, times, size, health))
        error = health.problem()
    except (VideoError, MemoryError) as failure:
        error = str(failure) or "out of memory"
    if times and not shown:
        return DecodedFrames(np.zeros((0, size or 0, size or 0, 3), np.uint8), [], [], "failed", error or "no frames")
    images = np.stack([frame.image for frame in shown]) if shown else np.zeros((0, size or 0, size or 0, 3), np.uint8)
    stamps, sources = [frame.timestamp_s for frame in shown], [frame.source_frame for frame in shown]
    return DecodedFrames(images, stamps, sources, "partial" if error else "ok", error)


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
    health = Health()
    got = 0
    for frame in frames_shown(path, [timestamps_s[index] for index in order], None, health):
        small = resize(frame.image[None], size)[0]
        for place in frame.wanted:
            images[order[place]] = small
            got += 1
    if got < len(order):
        raise VideoError(f"{path}: {len(order) - got} of {len(order)} frames are missing ({health.problem()})")
    return images


def plan_clip(path: Path | str, fps: float, max_frames: int, start_s: float | None, end_s: float | None) -> ClipPlan:
    """The grid of a clip, from the file's header or, where that is silent, from its packets.

    Raises:
        VideoError: the file is unreadable, or the clip lies outside it.
    """
    with opened(path) as (container, stream):
        duration, rate = header_duration(container, stream), rate_of(stream)
        if duration is None:
            duration = _measured_duration(container, stream)
    try:
        start, end = bounds(duration, start_s, end_s)
    except ValueError as error:
        raise VideoError(f"{path}: {error}") from None
    return ClipPlan(grid(end - start, fps, max_frames, start), rate, duration)


def frames_shown(
    path: Path | str, times_s: Sequence[float], size: int | None, health: Health, beat: Beat | None = None
) -> Iterator[Shown]:
    """Walks a file and yields every frame that is on screen at one or more of the wanted times.

    A time before the first frame gets the first frame; times after the last frame of a file that ends early get none,
    and `health` says so.

    Args:
        path: the video file.
        times_s: increasing seconds from the first frame.
        size: frames are scaled to size x size while they are converted; None = as stored.
        health: filled in while walking.
        beat: called after every decoded frame, to show that the decoder is alive.
    """
    if not times_s:
        return
    health.expected_s = times_s[-1]
    with opened(path) as (container, stream):
        picture = _Picture(size)
        start = float(origin(stream))
        gap = 1.0 / rate_of(stream) if rate_of(stream) > 0 else SLACK_S
        held: tuple[int, float, VideoFrame] | None = None
        next_wanted = 0

        def until(time_s: float) -> tuple[int, ...]:
            """The wanted times from the next one on that lie before this moment."""
            stop = next_wanted
            while stop < len(times_s) and times_s[stop] + EPSILON_S < time_s:
                stop += 1
            return tuple(range(next_wanted, stop))

        for index, frame in enumerate(_presented(container, stream, health)):
            if beat is not None:
                beat()
            time_s = float(frame.pts * frame.time_base) - start if frame.pts is not None else index * gap
            if held is not None and (wanted := until(time_s)):
                yield Shown(picture(held[2]), round(held[1], 6), held[0], wanted)
                next_wanted = wanted[-1] + 1
                if next_wanted == len(times_s):
                    health.ended_s = time_s
                    return
            held = (index, time_s, frame)
            health.ended_s = time_s + (float(frame.duration * frame.time_base) if frame.duration else gap)
        if held is None:
            raise VideoError(f"{path}: not one frame decodes")
        wanted = until(health.ended_s + SLACK_S)
        if wanted:
            yield Shown(picture(held[2]), round(held[1], 6), held[0], wanted)


def _presented(container: InputContainer, stream: VideoStream, health: Health) -> Iterator[VideoFrame]:
    """All frames in presentation order; damage is counted and stepped over, not raised."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            health.notes.append(f"reading stopped: {error.strerror}")
            packet = None
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            health.damaged += 1
            frames = []
        for frame in frames:
            health.damaged += bool(frame.is_corrupt)
            yield frame
        if packet is None or (packet.size == 0 and packet.dts is None):
            return


class _Picture:
    """Turns decoded frames into upright full-range RGB, keeping the scaler's tables between frames."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        width = self.size or frame.width
        height = self.size or frame.height
        rgb = self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=SCALING,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        ).to_ndarray()
        turns = quarter_turn(frame.rotation) // 90
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _measured_duration(container: InputContainer, stream: VideoStream) -> float:
    """When the last packet leaves the screen, for files without a header that says so."""
    end = 0.0
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base - origin(stream)))
    return end
