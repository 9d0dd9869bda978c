"""Small pictures of a clip's frames, many in one file, so that a page of hundreds of them loads a few."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from refocus.core.files import atomic
from refocus.frames.frame_store import FrameStore

SIDE = 96  # pixels of a picture; stored frames are squares already
COLUMNS = 16  # pictures in a row of a sheet
QUALITY = 75
STRIP = 12  # pictures of a clip as a whole


def evenly(n_frames: int, count: int = STRIP) -> list[int]:
    """Frames that show a clip as a whole: midpoints of `count` equal parts, or all."""
    count = min(count, n_frames)
    return [int((place + 0.5) * n_frames / count) for place in range(count)]


def write_sheet(path: Path, store: FrameStore, clip_id: str, frames: Sequence[int]) -> None:
    """Writes frames of a clip as one WebP: row by row, `COLUMNS` in a row, each `SIDE` pixels.

    Raises:
        RefocusError: the clip's frames are missing or damaged.
    """
    images = store.images(clip_id, frames, size=SIDE)  # (n, SIDE, SIDE, 3)
    rows = -(-len(images) // COLUMNS)
    sheet = np.zeros((rows * SIDE, min(COLUMNS, len(images)) * SIDE, 3), np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, COLUMNS)
        sheet[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = image
    with atomic(path) as draft:
        Image.fromarray(sheet).save(draft, format="WEBP", quality=QUALITY)
