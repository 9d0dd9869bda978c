"""What a plain decode of a whole file gives, and what selective decoding gives of it."""

from pathlib import Path

import av
import numpy as np
from refocus.video.closure import WantedFrame
from refocus.video.decode_report import DecodeReport
from refocus.video.probe import opened
from refocus.video.selective_decode import selective_decode
from refocus.video.track import Track

from tests.support.videos import played_at


def all_frames(path: Path) -> dict[float, np.ndarray]:
    """Every frame by its time in seconds from the first one, in presentation order, as libavcodec gives them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        frames = [(frame.pts * stream.time_base, frame.to_ndarray()) for frame in container.decode(stream)]
    first = min(time for time, _ in frames)
    return {float(time - first): image for time, image in sorted(frames, key=lambda one: one[0])}


def selected(path: Path, times: list[float]) -> tuple[list[tuple[np.ndarray, WantedFrame]], DecodeReport]:
    """The frames on screen at some times by selective decoding, and its report."""
    report = DecodeReport()
    with opened(path) as (container, stream):
        frames = [
            (frame.to_ndarray(), wanted)
            for frame, wanted in selective_decode(Track(path, container, stream), times, report, None)
        ]
    return frames, report


def same_as_sequential(path: Path, times: list[float]) -> bool:
    """Whether selective decoding shows, at each of the times, what a decode of the whole file shows."""
    frames = all_frames(path)
    starts, images = list(frames), list(frames.values())
    found = {index: image for image, wanted in selected(path, times)[0] for index in wanted.times}
    return sorted(found) == list(range(len(times))) and all(
        np.array_equal(image, images[played_at(starts, times[index])]) for index, image in found.items()
    )
