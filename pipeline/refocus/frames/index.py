"""The index of a shard: one row per clip, with the place of every frame in the tar."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.config.decode import DecodeSettings
from refocus.core import parquet
from refocus.core.files import digest, settings_of, write_table
from refocus.qa.records import read_columns

OK, PARTIAL, FAILED = "ok", "partial", "failed"

INDEX_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("n_frames", pa.int32()),
        ("timestamps", pa.list_(pa.float64())),
        ("source_frames", pa.list_(pa.int64())),
        ("tar", pa.string()),
        ("offsets", pa.list_(pa.int64())),
        ("sizes", pa.list_(pa.int32())),
        ("video_digest", pa.string()),
        ("checksums", pa.list_(pa.uint32())),
    ]
)
ADDED_LATER = ("video_digest", "checksums")  # index files from before lack them


@dataclass(frozen=True)
class ClipFrames:
    """What the store knows of a clip.

    status: ok, partial or failed; `error` says why it is not ok. timestamps_s, source_frames: when each kept frame is
    shown, in seconds of the file, and its number in the file. Kept frames are numbered 0 to n_frames - 1. video_digest:
    32 hex digits of SHA-256 of the video file; None for a failed clip and in an index of an earlier version. checksums:
    CRC-32 of the bytes that each frame is decoded from; none in a shard of an earlier version.
    """

    clip_id: str
    status: str
    error: str | None
    n_frames: int
    timestamps_s: list[float]
    source_frames: list[int]
    video_digest: str | None = field(default=None, kw_only=True)
    checksums: list[int] = field(default_factory=list, kw_only=True)

    @property
    def content(self) -> str:
        """16 hex digits that change with the video file, the frames' times or their stored bytes; empty if not known.

        What is computed from the frames of a clip is kept under it.
        """
        if self.video_digest is None:
            return ""
        return digest([self.video_digest, [round(time_s, 3) for time_s in self.timestamps_s], self.checksums], 16)


@dataclass(frozen=True)
class IndexRow(ClipFrames):
    """One clip of a shard, with the byte range that each frame is decoded from (see `refocus.frames.encoding`).

    `tar` is relative to the index's folder.
    """

    tar: str
    offsets: list[int]
    sizes: list[int]

    def fits(self) -> bool:
        """Whether there is one of everything for every frame, none of it before the shard's beginning."""
        lists = (self.timestamps_s, self.source_frames, self.offsets, self.sizes)
        if self.n_frames == 0:
            return not any(lists)
        if not all(isinstance(one, list) and len(one) == self.n_frames and None not in one for one in lists):
            return False
        named = isinstance(self.tar, str) and self.tar.endswith(".tar") and "\0" not in self.tar
        whole = len(self.checksums or ()) in (0, self.n_frames) and None not in (self.checksums or ())
        return named and whole and min((*self.offsets, *self.sizes)) >= 0

    @classmethod
    def from_columns(cls, values: Mapping[str, Any]) -> "IndexRow":
        """A row of the index file; its column `timestamps` holds seconds."""
        return cls(**{"timestamps_s" if name == "timestamps" else name: value for name, value in values.items()})

    def to_columns(self) -> dict[str, Any]:
        """The row as the index file has it."""
        return {"timestamps" if name == "timestamps_s" else name: value for name, value in asdict(self).items()}


def write_index(path: Path, rows: Iterable[IndexRow], settings: Mapping[str, Any]) -> None:
    """Writes the index of one shard, atomically."""
    write_table(path, pa.Table.from_pylist([row.to_columns() for row in rows], schema=INDEX_SCHEMA), "decode", settings)


def read_index(path: Path | str) -> list[IndexRow]:
    """The rows of one index file."""
    return [IndexRow.from_columns(row) for row in index_table(path).to_pylist()]


def index_table(path: Path | str) -> pa.Table:
    """One index file as a table of `INDEX_SCHEMA`, which takes a tenth of the memory of its rows. An older one lacks
    `ADDED_LATER`.

    Raises:
        RefocusError: the file is missing or damaged, is not parquet or lacks a column.
    """
    with parquet.opened(path, [name for name in INDEX_SCHEMA.names if name not in ADDED_LATER]) as file:
        return file.read(columns=[name for name in INDEX_SCHEMA.names if name in file.schema_arrow.names])


def sampling(paths: Iterable[Path | str]) -> list[DecodeSettings]:
    """How the clips of some index files were sampled, each way once; files that do not say add nothing."""
    found: dict[str, DecodeSettings] = {}
    for path in paths:
        noted = settings_of(parquet.read_schema(path))
        if noted:
            settings = DecodeSettings.model_validate(noted)
            found[settings.canonical()] = settings
    return list(found.values())


def clip_ids(path: Path | str) -> list[str]:
    """The clips of one index file in file order, without reading the rest."""
    return read_columns(path, ["clip_id"])["clip_id"].to_pylist()
