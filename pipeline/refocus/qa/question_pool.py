"""Question files that are too many to hold at once: read batch by batch, with the format they were ingested from."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from refocus.core.errors import RefocusError
from refocus.core.files import settings_of
from refocus.qa.records import Question

BATCH_ROWS = 8192
_COLUMNS = [field.name for field in fields(Question)]


@dataclass(frozen=True)
class QuestionPool:
    """One file of `refocus ingest`."""

    path: Path
    format: str

    def questions(self) -> Iterator[Question]:
        """All questions in file order."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=_COLUMNS):
                for row in batch.to_pylist():
                    yield Question(**{**row, "options": tuple(row["options"]), "flags": tuple(row["flags"])})


def open_pool(path: Path) -> QuestionPool:
    """A question file, whose metadata says which adapter read it.

    Raises:
        RefocusError: the file is missing, is not parquet, lacks a column, or was not written by `refocus ingest`.
    """
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise RefocusError(f"{path}: cannot be read as parquet ({error})") from None
    missing = [name for name in _COLUMNS if name not in schema.names]
    if missing:
        raise RefocusError(f"{path}: no column '{missing[0]}'")
    settings = settings_of(schema)
    if "format" not in settings:
        raise RefocusError(f"{path}: does not say its format; make it with `refocus ingest`")
    return QuestionPool(path, settings["format"])
