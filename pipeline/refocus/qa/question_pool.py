"""Question files that are too many to hold at once: read batch by batch, with the format they were ingested from."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from refocus.core import parquet
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
        with parquet.opened(self.path, _COLUMNS) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=_COLUMNS):
                for row in batch.to_pylist():
                    yield Question(**{**row, "options": tuple(row["options"]), "flags": tuple(row["flags"])})


def open_pool(path: Path) -> QuestionPool:
    """A question file, whose metadata says which adapter read it.

    Raises:
        RefocusError: the file is missing or damaged, is not parquet, lacks a column, or is not `refocus ingest`'s.
    """
    with parquet.opened(path, _COLUMNS) as file:
        settings = settings_of(file.schema_arrow)
    if "format" not in settings:
        raise RefocusError(f"{path}: does not say its format; make it with `refocus ingest`")
    return QuestionPool(path, settings["format"])
