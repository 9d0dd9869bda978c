"""Reading parquet tables in batches of bounded size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from refocus.core.errors import RefocusError

BATCH_ROWS = 65536


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Non-empty batches of these columns, in file order.

    Raises:
        RefocusError: the file is missing, is not parquet or lacks a column.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise RefocusError(f"{path}: no column '{missing[0]}' (it has {', '.join(file.schema_arrow.names)})")
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
                if batch.num_rows:
                    yield pa.Table.from_batches([batch]).select(columns)
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise RefocusError(f"{path}: cannot be read as parquet ({error})") from None
