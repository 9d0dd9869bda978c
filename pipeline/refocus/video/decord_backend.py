"""Frames by decord, for comparison with harnesses that use it. Only in a worker process that can be killed.

Decord is known to hang (MPEG-TS, over-reported lengths) with the interpreter's lock held, takes edit lists wrongly,
does not mirror and decodes no AV1; a clip it does not finish is given up like any other. Its random access and its
skipping give wrong frames around open GOPs and B-frames, so every frame is read here, which is right and slow.
"""

import bisect
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from refocus.video.closure import WantedFrame
from refocus.video.decode_report import SLACK_S, DecodeReport
from refocus.video.frame_plan import ROUNDING_S
from refocus.video.packets import Heartbeat
from refocus.video.probe import VideoError, first_orientation
from refocus.video.tars import locate


def frames(
    path: Path | str, times_s: Sequence[float], report: DecodeReport, heartbeat: Heartbeat | None
) -> Iterator[tuple[np.ndarray, WantedFrame]]:
    """(H, W, 3) uint8 RGB of every frame on screen at increasing times, upright, in presentation order.

    Raises:
        VideoError: decord cannot read the file, or this process is not a worker.
    """
    if multiprocessing.parent_process() is None:
        raise VideoError(f"{path}: decord may hang and runs in worker processes only; use the backend pyav here")
    if first_orientation(path).mirrored:
        raise VideoError(f"{path}: is mirrored, which decord leaves out; use the backend pyav")
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        video = decord.VideoReader(_address(path), ctx=decord.cpu(0), num_threads=1)
        spans = np.asarray(video.get_frame_timestamp(range(len(video))), np.float64)
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(f"{path}: decord cannot read it ({_reason(error)})") from None
    starts = (spans[:, 0] - spans[0, 0]).tolist()
    report.packets, report.ended_s = len(starts), float(spans[-1, 1] - spans[0, 0])
    found: dict[int, list[int]] = {}
    for index, time_s in enumerate(times_s):
        if time_s < report.ended_s + SLACK_S:
            found.setdefault(max(0, bisect.bisect_right(starts, time_s + ROUNDING_S) - 1), []).append(index)
    here = 0
    for place, wanted in found.items():
        try:
            for _ in range(place - here):
                video.next()
            image = video.next().asnumpy()
        except (decord.DECORDError, RuntimeError, StopIteration) as error:
            report.notes.append(f"decord stopped at frame {place}: {_reason(error)}")
            return
        here = place + 1
        report.decoded = here
        if heartbeat is not None:
            heartbeat()
        yield image, WantedFrame(place, place, starts[place], tuple(wanted))


def _address(path: Path | str) -> str:
    """What decord opens: a file by its name, a video inside a tar by its bytes."""
    try:
        span = locate(Path(path))
    except FileNotFoundError as error:
        raise VideoError(str(error)) from None
    return str(path) if span.whole else span.url


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
