"""Random access to any frame of any clip of any number of shards."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg

from pipeline.errors import RefocusError
from pipeline.store.index import IndexRow, read_index
from pipeline.video.resize import resize


@dataclass(frozen=True)
class ClipFrames:
    """What the store knows of a clip. `timestamps` are seconds in the file; frames are numbered 0..n_frames-1."""

    clip_id: str
    status: str
    error: str | None
    n_frames: int
    timestamps: list[float]
    source_frames: list[int]


class FrameStore:
    """Frames of the clips that some index files list."""

    def __init__(self, rows: dict[str, tuple[IndexRow, Path]]) -> None:
        self._rows = rows

    @classmethod
    def open(cls, index_paths: Iterable[Path | str]) -> "FrameStore":
        """Reads index files; frames are read when they are asked for.

        Raises:
            RefocusError: an index is missing or is none.
        """
        rows = {}
        for path in map(Path, index_paths):
            for row in read_index(path):
                rows[row.clip_id] = (row, path.parent / row.tar)
        return cls(rows)

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._rows

    def clips(self) -> list[str]:
        """All clip ids, in the order of the index files; failed clips too."""
        return list(self._rows)

    def record(self, clip_id: str) -> ClipFrames:
        """Status, times and source frames of a clip."""
        row = self._row(clip_id)[0]
        return ClipFrames(
            row.clip_id, row.status, row.error, row.n_frames, list(row.timestamps), list(row.source_frames)
        )

    def jpegs(self, clip_id: str, indices: Sequence[int] | None = None) -> list[bytes]:
        """Frames as stored, in the order of `indices` (None = all).

        Raises:
            RefocusError: an unknown clip, a frame it does not have, or a shard that is missing or cut off.
        """
        row, tar = self._row(clip_id)
        wanted = range(row.n_frames) if indices is None else [int(index) for index in indices]
        for index in wanted:
            if not 0 <= index < row.n_frames:
                raise RefocusError(f"clip {clip_id} has no frame {index}: it has {row.n_frames}")
        if not wanted:
            return []
        try:
            handle = os.open(tar, os.O_RDONLY)
        except FileNotFoundError:
            raise RefocusError(f"{tar}: the shard that the index names is missing; decode it again") from None
        try:
            found = [os.pread(handle, row.sizes[index], row.offsets[index]) for index in wanted]
        finally:
            os.close(handle)
        for index, jpeg in zip(wanted, found, strict=True):
            if len(jpeg) != row.sizes[index] or jpeg[:2] != b"\xff\xd8":
                raise RefocusError(
                    f"{tar}: frame {index} of clip {clip_id} is damaged; remove the file and decode it again"
                )
        return found

    def images(self, clip_id: str, indices: Sequence[int] | None = None, size: int | None = None) -> np.ndarray:
        """Frames as pixels.

        Args:
            clip_id: the clip.
            indices: frames in any order, repeats allowed; None = all.
            size: resized to size x size (antialiased bicubic; the JPEG decoder does the coarse part); None = as stored.
        Returns:
            (n, H, W, 3) uint8 RGB.
        """
        jpegs = self.jpegs(clip_id, indices)
        if not jpegs:
            return np.zeros((0, size or 0, size or 0, 3), np.uint8)
        least = size or 0
        frames = [simplejpeg.decode_jpeg(jpeg, "RGB", min_height=least, min_width=least) for jpeg in jpegs]
        stacked = np.stack(frames)
        return stacked if size is None else resize(stacked, size)

    def _row(self, clip_id: str) -> tuple[IndexRow, Path]:
        if clip_id not in self._rows:
            raise RefocusError(f"clip {clip_id} is in none of the index files")
        return self._rows[clip_id]
