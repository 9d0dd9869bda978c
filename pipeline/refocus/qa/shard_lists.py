"""Assigns clips to shards so that a growing data set never moves a clip: what is decoded stays decoded."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import UsageError
from refocus.core.files import settings_of, write_table
from refocus.core.results_folder import SHARD_CLIPS, SHARD_QUESTIONS, ResultsFile, shard_name
from refocus.qa.clips import Clip, ClipRow
from refocus.qa.records import CLIP_SCHEMA, read_columns
from refocus.qa.video_root import NOTE

WRITERS = 8  # threads, which wait for the disk: every list is synced by itself
KEPT_SCHEMA = pa.schema([("clip_id", pa.string()), ("shard", pa.int32())])


def assign(clips: Iterable[Clip], kept: Mapping[str, int], per_shard: int, shards: int | None) -> list[ClipRow]:
    """The clips with their shards, ordered by shard and, inside one, known clips first in their old order.

    Args:
        clips: all clips of the data set in file order, each once.
        kept: clip id → shard of an earlier run, in the order of assignment; clips that are gone keep their place.
        per_shard: clips that fill a shard.
        shards: how many shards there are; None = as many as it takes.
    Raises:
        UsageError: the clips need more shards than there are; says which number to set.
    """
    sizes = Counter(kept.values())
    shard = max(sizes, default=0)
    assigned = dict(kept)
    present = {clip.clip_id: clip for clip in clips}
    for clip in present:
        if clip in assigned:
            continue
        if sizes[shard] >= per_shard:
            shard += 1
        assigned[clip] = shard
        sizes[shard] += 1
    needed = max((assigned[clip] for clip in present), default=-1) + 1
    if shards is not None and needed > shards:
        raise UsageError(
            f"{len(present)} clips need {needed} shards of {per_shard}: set shards to {needed} (now {shards})"
        )
    order = sorted((number, place, clip) for place, (clip, number) in enumerate(assigned.items()) if clip in present)
    return [
        ClipRow(clip, present[clip].video_path, present[clip].start_s, present[clip].end_s, number)
        for number, _, clip in order
    ]


def read_kept(path: Path) -> dict[str, int]:
    """Clip id → shard of an earlier run, in the order of assignment; empty if there was none."""
    if not path.is_file():
        return {}
    return {row["clip_id"]: row["shard"] for row in read_columns(path, KEPT_SCHEMA.names).to_pylist()}


def write_kept(path: Path, kept: Mapping[str, int], rows: Iterable[ClipRow]) -> None:
    """Keeps the assignment: the earlier one, and whatever is new behind it."""
    merged = {**kept, **{row.clip_id: row.shard for row in rows if row.clip_id not in kept}}
    table = pa.Table.from_pydict({"clip_id": list(merged), "shard": list(merged.values())}, schema=KEPT_SCHEMA)
    write_unless_same(path, table, "ingest", {})


def clips_table(rows: Iterable[ClipRow]) -> pa.Table:
    """Clips as a table of `CLIP_SCHEMA`."""
    kept = list(rows)
    columns = {name: [getattr(row, name) for row in kept] for name in CLIP_SCHEMA.names}
    return pa.Table.from_pydict(columns, schema=CLIP_SCHEMA)


def write_lists(
    folder: Path, rows: Sequence[ClipRow], questions: pa.Table, shards: int, settings: Mapping[str, Any]
) -> int:
    """Writes `{shard}.clips.parquet` and `{shard}.qa.parquet` of every shard, empty ones too; unchanged files stay.

    Args:
        rows: the clips, ordered by shard.
        questions: those about them, in file order, which each list keeps.
    Returns:
        how many files were written.
    """
    shard_of = {row.clip_id: row.shard for row in rows}
    tables = (
        (SHARD_CLIPS, clips_table(rows), [row.shard for row in rows]),
        (SHARD_QUESTIONS, questions, [shard_of[clip] for clip in questions["clip_id"].to_pylist()]),
    )

    def write(file: ResultsFile, number: int, table: pa.Table) -> bool:
        return write_unless_same(file.inside(folder, shard=shard_name(number)), table, "ingest", settings)

    with ThreadPoolExecutor(WRITERS) as pool:
        jobs = [
            pool.submit(write, file, number, part)
            for file, table, numbers in tables
            for number, part in enumerate(_parts(table, numbers, shards))
        ]
        return sum(job.result() for job in jobs)


def _parts(table: pa.Table, numbers: Sequence[int], shards: int) -> Iterator[pa.Table]:
    """The rows of each shard in their order, as one chunk."""
    order = np.argsort(np.array(numbers, np.int64), kind="stable")
    ends = np.cumsum(np.bincount(np.array(numbers, np.int64), minlength=shards))
    grouped = table.take(pa.array(order)).combine_chunks()
    for start, end in itertools.pairwise([0, *ends.tolist()]):
        yield grouped.slice(start, end - start)


def write_unless_same(path: Path, table: pa.Table, section: str, settings: Mapping[str, Any]) -> bool:
    """Writes a table unless the file holds the same rows already, for videos that lie in the same places; whether it
    was written."""
    if path.is_file():
        try:
            noted = settings_of(parquet.read_schema(path)).get(NOTE)
            if noted == settings.get(NOTE) and read_columns(path, table.column_names).equals(table):
                return False
        except Exception:  # an unreadable file is replaced
            path.unlink()
    write_table(path, table, section, settings)
    return True
