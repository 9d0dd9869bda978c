"""Reading parquet tables in batches of bounded size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from refocus.core import parquet

BATCH_ROWS = 65536


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Non-empty batches of these columns, in file order.

    Raises:
        RefocusError: the file is missing, damaged or not parquet, or lacks a column.
    """
    with parquet.opened(path, columns) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
            if batch.num_rows:
                yield pa.Table.from_batches([batch]).select(columns)
