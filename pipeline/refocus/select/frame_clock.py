"""Which clock tells other programs when a picked frame is shown: they all take number / rate for its second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from refocus.core.errors import RefocusError
from refocus.select.picks import VideoFile

MILLISECONDS = 1000  # frames a second of the clock that stands in for an uneven one


class TimedFrames(Protocol):
    """Frames by their number in the file, ascending, and when each is shown: `Selection` and `VideoSelection`."""

    @property
    def frames_indices(self) -> Sequence[int]: ...

    @property
    def timestamps_s(self) -> Sequence[float]: ...


@dataclass(frozen=True)
class FrameClock:
    """Numbers that, divided by `fps`, are each frame's second; named as in transformers' and vLLM's metadata."""

    frames_indices: tuple[int, ...]
    total_num_frames: int
    fps: float
    duration: float


def frame_clock(picked: TimedFrames, file: VideoFile | None) -> FrameClock:
    """The file's own clock where its frames come at an even rate; else milliseconds, so that the seconds are right.

    Raises:
        RefocusError: the file's duration is not known.
    """
    if file is None or file.duration_s is None:
        raise RefocusError("how long the video is is not known; make the selection again with --videos")
    duration_s = max(file.duration_s, *picked.timestamps_s, 0.0)
    if file.total_num_frames is not None and file.fps is not None and even_rate(picked, file):
        return FrameClock(tuple(picked.frames_indices), file.total_num_frames, file.fps, duration_s)
    numbers = tuple(round(time_s * MILLISECONDS) for time_s in picked.timestamps_s)
    return FrameClock(numbers, round(duration_s * MILLISECONDS) + 1, MILLISECONDS, duration_s)


def even_rate(picked: TimedFrames, file: VideoFile | None) -> bool:
    """Whether frame number / fps is each pick's time, to half a frame: what readers assume that get no times."""
    fps = file.fps if file else None
    pairs = zip(picked.frames_indices, picked.timestamps_s, strict=True)
    return fps is not None and all(abs(time_s * fps - number) < 0.5 for number, time_s in pairs)
