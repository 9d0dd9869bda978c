"""The chosen moments as a short video: what a viewer sees around the picked frames, one after another, silent."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from refocus.core.errors import RefocusError
from refocus.core.files import atomic
from refocus.video.decode import frames_shown
from refocus.video.decode_report import DecodeReport

Span = tuple[float, float]
FPS = 25


def spans_around(timestamps_s: Sequence[float], seconds: float, duration_s: float) -> list[Span]:
    """`seconds` around each time, inside the video, those that meet joined; ascending."""
    spans: list[Span] = []
    for time_s in sorted(timestamps_s):
        start, end = max(0.0, time_s - seconds / 2), min(duration_s, time_s + seconds / 2)
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def write_moments(path: Path, video: Path, spans: Sequence[Span]) -> None:
    """Writes an H.264 mp4 of the spans at 25 frames per second.

    Raises:
        RefocusError: nothing of the spans can be decoded.
    """
    times = [start + step / FPS for start, end in spans for step in range(max(1, round((end - start) * FPS)))]
    with atomic(path) as draft, av.open(str(draft), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        count = 0
        for picture in _pictures(video, times):
            if not count:
                stream.height, stream.width = (side - side % 2 for side in picture.shape[:2])
            frame = av.VideoFrame.from_ndarray(picture[: stream.height, : stream.width], format="rgb24")
            frame.pts, frame.time_base = count, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            count += 1
        if not count:
            raise RefocusError(f"{video}: nothing around the picked frames can be decoded")
        container.mux(stream.encode(None))


def _pictures(video: Path, times_s: Sequence[float]) -> Iterator[np.ndarray]:
    """The picture on screen at every time; where the video ends early, nothing more."""
    for frame in frames_shown(video, times_s, None, DecodeReport()):
        for _ in frame.wanted:
            yield np.ascontiguousarray(frame.image)
