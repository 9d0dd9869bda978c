"""Picked frames as JPEG, at the video's own size, upright, with square pixels: files for people, bytes for programs."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refocus.core.errors import UsageError
from refocus.core.files import atomic
from refocus.video.pictures import pictures_at

QUALITY = 95


def save_frames(folder: Path, video: Path, frames_indices: Sequence[int], timestamps_s: Sequence[float]) -> list[Path]:
    """Writes `{place}-frame{number}-{seconds}s.jpg` for every frame; sorted by name is sorted by time. All, or none.

    Raises:
        VideoError: the file is unreadable or ends before one of the times.
    """
    written: list[Path] = []
    pictures = pictures_at(video, timestamps_s)
    try:
        for place, (picture, number, time_s) in enumerate(zip(pictures, frames_indices, timestamps_s, strict=True), 1):
            written.append(folder / f"{place:04d}-frame{number}-{time_s:.3f}s.jpg")
            with atomic(written[-1]) as draft:
                draft.write_bytes(jpeg(picture))
    except BaseException:  # a full disk, Ctrl-C: half of a selection looks like a whole one
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def check_no_frames(folder: Path) -> None:
    """Raises a UsageError for a folder with frames of an earlier call: nothing would tell them from the new ones."""
    if old := sorted(path.name for path in folder.glob("[0-9]*-frame*-*s.jpg")):
        raise UsageError(f"{folder} has frames of an earlier call ({old[0]}, …): remove them or name another folder")


def jpeg(picture: np.ndarray) -> bytes:
    """(h, w, 3) uint8 RGB as JPEG, colours at full resolution."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
