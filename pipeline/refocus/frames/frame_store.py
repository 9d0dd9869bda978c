"""Random access to any frame of any clip of any number of shards."""

import functools
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from refocus.config.decode import DecodeSettings
from refocus.core.errors import RefocusError
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.encoding import DamagedFrames, pictures, spans
from refocus.frames.index import ClipFrames, IndexRow, clip_ids, index_table, sampling
from refocus.frames.shard_reader import metadata_before
from refocus.video.resize import resize

TABLES = 64  # index files held in memory, about a megabyte each


class FrameStore:
    """Frames of the clips that some index files list."""

    def __init__(self, places: dict[str, tuple[Path, int]]) -> None:
        self._places = places  # clip → its index file and its row there
        self._table = functools.lru_cache(maxsize=TABLES)(_read_table)

    @classmethod
    def open(cls, index_paths: Iterable[Path | str]) -> "FrameStore":
        """Reads which clips the index files list; the rest of them and the frames are read when they are asked for.

        Raises:
            RefocusError: an index is missing or is none.
        """
        return cls({clip: (path, row) for path in map(Path, index_paths) for row, clip in enumerate(clip_ids(path))})

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._places

    def sampling(self) -> list[DecodeSettings]:
        """How its clips were sampled, each way once; index files that do not say add nothing."""
        return sampling(dict.fromkeys(path for path, _ in self._places.values()))

    def clips(self) -> list[str]:
        """All clip ids, in the order of the index files; failed clips too."""
        return list(self._places)

    def record(self, clip_id: str) -> ClipFrames:
        """Status, times and source frames of a clip.

        Raises:
            RefocusError: no index lists the clip.
        """
        return self._row(clip_id)

    def metadata(self, clip_id: str) -> ClipMetadata | None:
        """What the clip's shard says of its video file; None for a clip without frames.

        Raises:
            RefocusError: no index lists the clip, or its shard is missing or lacks the clip.
        """
        row = self._row(clip_id)
        if row.n_frames == 0:
            return None
        index = self._places[clip_id][0]
        tar = index.parent / row.tar
        try:
            found = metadata_before(tar, clip_id, row.offsets[0], row.n_frames)
        except FileNotFoundError:
            raise RefocusError(_missing(tar, index)) from None
        if found is None or row.video_digest not in (None, found.source_sha256):
            raise RefocusError(
                f"{tar}: does not say what clip {clip_id} was made from; remove it and {index}, and run decode again"
            )
        return found

    def images(self, clip_id: str, indices: Sequence[int] | None = None, size: int | None = None) -> np.ndarray:
        """Frames as pixels. Only what the frames are decoded from is read.

        Args:
            clip_id: the clip.
            indices: frames in any order, repeats allowed; None = all.
            size: resized to size x size (antialiased bicubic; a JPEG decoder does the coarse part); None = as stored.
        Returns:
            (n, H, W, 3) uint8 RGB.
        Raises:
            RefocusError: an unknown clip, a frame it does not have, or a shard that is missing, cut off or damaged.
        """
        row = self._row(clip_id)
        wanted = list(range(row.n_frames)) if indices is None else [int(index) for index in indices]
        for index in wanted:
            if not 0 <= index < row.n_frames:
                raise RefocusError(f"clip {clip_id} has no frame {index}: it has {row.n_frames}")
        images = np.zeros((0, size or 0, size or 0, 3), np.uint8)
        slots: dict[int, list[int]] = {}
        for slot, index in enumerate(wanted):
            slots.setdefault(index, []).append(slot)
        for index, picture in self._decoded(row, sorted(slots), size or 0):
            image = picture if size is None else resize(picture[None], size)[0]
            if not len(images):
                images = np.empty((len(wanted), *image.shape), np.uint8)
            images[slots[index]] = image
        return images

    def _decoded(self, row: IndexRow, frames: Sequence[int], least: int) -> Iterator[tuple[int, np.ndarray]]:
        """Each of the frames (increasing) with its pixels."""
        if not frames:
            return
        index = self._places[row.clip_id][0]
        tar = index.parent / row.tar
        try:
            handle = os.open(tar, os.O_RDONLY)
        except FileNotFoundError:
            raise RefocusError(_missing(tar, index)) from None
        try:
            for (offset, size), held in spans(row.offsets, row.sizes, frames):
                data = os.pread(handle, min(size, os.fstat(handle).st_size), offset)
                if len(data) < size:
                    raise RefocusError(
                        f"{tar}: cut off behind its index: frame {held[-1]} of clip {row.clip_id} ends at byte "
                        f"{offset + size} of {os.fstat(handle).st_size}; remove {index} and run decode again"
                    )
                if row.checksums and zlib.crc32(data) != row.checksums[held[-1]]:
                    raise RefocusError(
                        f"{tar}: frames {held[0]} to {held[-1]} of clip {row.clip_id} are damaged (not the bytes that "
                        f"were stored); remove {index} and run decode again"
                    )
                try:
                    yield from zip(held, pictures(data, row.offsets, row.sizes, held, least), strict=True)
                except DamagedFrames as damage:
                    raise RefocusError(
                        f"{tar}: frames {held[0]} to {held[-1]} of clip {row.clip_id} are damaged ({damage}); "
                        f"remove the file and {index}, and run decode again"
                    ) from None
        finally:
            os.close(handle)

    def _row(self, clip_id: str) -> IndexRow:
        if clip_id not in self._places:
            raise RefocusError(f"clip {clip_id} is in none of the index files")
        path, number = self._places[clip_id]
        row = IndexRow.from_columns(self._table(path).slice(number, 1).to_pylist()[0])
        if not row.fits():
            raise RefocusError(f"{path}: row {number} contradicts itself; remove it and run decode again")
        return row


def _read_table(path: Path) -> pa.Table:
    return index_table(path)


def _missing(tar: Path, index: Path) -> str:
    return f"{tar}: the shard that {index} names is missing; remove the index and run decode again"
