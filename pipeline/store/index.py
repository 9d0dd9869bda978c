"""The index of a shard: one row per clip, with the place of every frame in the tar."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.files import write_table
from pipeline.qa.records import read_columns

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
    ]
)


@dataclass(frozen=True)
class IndexRow:
    """One clip of a shard.

    `status` is ok, partial or failed, and `error` says why it is not ok; `tar` is relative to the index's folder.
    """

    clip_id: str
    status: str
    error: str | None
    n_frames: int
    timestamps: list[float]
    source_frames: list[int]
    tar: str
    offsets: list[int]
    sizes: list[int]


def write_index(path: Path, rows: Iterable[IndexRow], settings: Mapping[str, Any]) -> None:
    """Writes the index of one shard, atomically."""
    write_table(path, pa.Table.from_pylist([asdict(row) for row in rows], schema=INDEX_SCHEMA), "decode", settings)


def read_index(path: Path | str) -> list[IndexRow]:
    """The rows of one index file."""
    return [IndexRow(**row) for row in read_columns(path, INDEX_SCHEMA.names).to_pylist()]
