"""Frames by decord, for comparison with harnesses that use it. Only in a worker process that can be killed.

Decord is known to hang (MPEG-TS, over-reported lengths) with the interpreter's lock held, takes edit lists wrongly and
decodes no AV1; a clip it does not finish is given up like any other.
"""

import bisect
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipeline.video.closure import Wanted
from pipeline.video.health import SLACK_S, Health
from pipeline.video.plan import EPSILON_S
from pipeline.video.probe import VideoError
from pipeline.video.track import Beat

BATCH = 8  # frames in memory at a time


def frames(
    path: Path | str, times_s: Sequence[float], health: Health, beat: Beat | None
) -> Iterator[tuple[np.ndarray, Wanted]]:
    """(H, W, 3) uint8 RGB of every frame on screen at increasing times, upright, in presentation order.

    Raises:
        VideoError: decord cannot read the file, or this process is not a worker.
    """
    if multiprocessing.parent_process() is None:
        raise VideoError(f"{path}: decord may hang and runs in worker processes only; use the backend pyav here")
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    try:
        video = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        spans = np.asarray(video.get_frame_timestamp(range(len(video))), np.float64)
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(f"{path}: decord cannot read it ({str(error).strip().splitlines()[0]})") from None
    starts = (spans[:, 0] - spans[0, 0]).tolist()
    health.packets, health.ended_s = len(starts), float(spans[-1, 1] - spans[0, 0])
    found: dict[int, list[int]] = {}
    for index, time_s in enumerate(times_s):
        if time_s + EPSILON_S < health.ended_s + SLACK_S:
            found.setdefault(max(0, bisect.bisect_right(starts, time_s + EPSILON_S) - 1), []).append(index)
    places = list(found)
    for begin in range(0, len(places), BATCH):
        batch = places[begin : begin + BATCH]
        try:
            images = video.get_batch(batch).asnumpy()
        except (decord.DECORDError, RuntimeError) as error:
            health.notes.append(f"decord stopped: {str(error).strip().splitlines()[0]}")
            return
        health.decoded += len(batch)
        if beat is not None:
            beat()
        for place, image in zip(batch, images, strict=True):
            yield image, Wanted(place, place, starts[place], tuple(found[place]))
