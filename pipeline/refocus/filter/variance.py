"""Variance of every question's margins (paper A.1), read from reward tables in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from refocus.core.errors import RefocusError
from refocus.filter.table_batches import batches


@dataclass(frozen=True)
class Variances:
    """One entry per question that has rows: `values` is NaN where a margin is, or where n does not exceed ddof."""

    qa_ids: pa.Array  # (q,) string
    values: np.ndarray  # (q,) float64
    counts: np.ndarray  # (q,) int32, subsets

    def find(self, qa_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Positions of these questions, −1 where they have no rows."""
        return np.asarray(pc.index_in(qa_ids, self.qa_ids).fill_null(-1))


def variances(paths: Sequence[Path], ddof: int, progress: Iterable[Path] | None = None) -> Variances:
    """The variance of the margins of every question in these reward tables.

    Memory holds one question's rows, one batch and a few dozen bytes per question. A question's rows stand together in
    one file, as `refocus reward` writes them.

    Args:
        ddof: the divisor is n − ddof.
        progress: `paths` wrapped in a progress bar, if any.
    Raises:
        RefocusError: a file is unreadable, or a question's rows are scattered or doubled.
    """
    ids: list[pa.Array] = []
    values: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    for path in progress if progress is not None else paths:
        for batch in _whole_questions(path):
            qa_ids, starts = _runs(batch)
            value, count = _variance(batch["margin"].to_numpy().astype(np.float64), starts, ddof)
            _refuse_doubled(batch, starts, path)
            ids.append(qa_ids)
            values.append(value)
            counts.append(count)
    joined = pa.concat_arrays([pa.array([], pa.string()), *ids])
    if pc.count_distinct(joined).as_py() != len(joined):
        tally = pc.value_counts(joined)
        first = tally.filter(pc.greater(tally.field("counts"), 1))[0]["values"].as_py()
        raise RefocusError(
            f"question {first} is scored in more than one place: were reward tables given twice or mixed?"
        )
    none = np.zeros(0)
    return Variances(joined, np.concatenate([none, *values]), np.concatenate([none, *counts]).astype(np.int32))


def _variance(margins: np.ndarray, starts: np.ndarray, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    """Two-pass variance of runs of rows that begin at `starts`, and their lengths."""
    counts = np.diff(np.append(starts, len(margins)))
    means = np.add.reduceat(margins, starts) / counts
    squares = np.add.reduceat((margins - np.repeat(means, counts)) ** 2, starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(counts > ddof, squares / (counts - ddof), np.nan), counts.astype(np.int32)


def _runs(batch: pa.Table) -> tuple[pa.Array, np.ndarray]:
    """The distinct questions of a batch and the row each begins at."""
    runs = pc.run_end_encode(batch["qa_id"].combine_chunks())
    ends = runs.run_ends.to_numpy(zero_copy_only=False)
    return runs.values, np.concatenate([[0], ends[:-1]]).astype(np.int64)


def _refuse_doubled(batch: pa.Table, starts: np.ndarray, path: Path) -> None:
    """A subset that is there twice would count twice."""
    subset = batch["subset"].to_numpy().astype(np.int64)
    run = np.zeros(len(subset), np.int64)
    run[starts[1:]] = 1
    key = np.cumsum(run) * 256 + subset
    if (np.diff(key) > 0).all():  # as the reward pass writes them
        return
    if len(np.unique(key)) != len(key):
        row = int(np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])[0])
        qa_id, number = batch["qa_id"][row].as_py(), int(subset[row])
        raise RefocusError(f"{path}: question {qa_id} has subset {number} twice")


def _whole_questions(path: Path) -> Iterator[pa.Table]:
    """Batches of (qa_id, subset, margin) that never end inside a question."""
    held: pa.Table | None = None
    for part in batches(path, ["qa_id", "subset", "margin"]):
        table = part if held is None else pa.concat_tables([held, part]).combine_chunks()
        same = pc.equal(table["qa_id"], table["qa_id"][-1].as_py()).to_numpy()
        last = len(same) - int(np.argmin(same[::-1])) if not same.all() else 0
        if last:
            yield table.slice(0, last).combine_chunks()
        held = table.slice(last)
    if held is not None and len(held):
        yield held.combine_chunks()
