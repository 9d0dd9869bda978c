"""What passes between stages: clips, questions, rejected rows, and their parquet tables (DESIGN section 4, stage 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import digest, write_table
from refocus.qa.clips import ClipRow

ID_LENGTH = 16
OPEN = -1  # answer_index of a question without options
DROPPED = "dropped"  # reason of a reject that an option asked for


@dataclass(frozen=True)
class Question:
    """One question about one clip. `options` carry no letters; `answer_index` is -1 for open questions."""

    qa_id: str
    dataset: str
    split: str
    clip_id: str
    video_path: str
    start_s: float | None
    end_s: float | None
    question: str
    options: tuple[str, ...]
    answer_index: int
    answer_text: str
    category: str
    source_id: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Reject:
    """An input row that is not a usable question: a reason code, and a detail that names file, row and field."""

    source_id: str
    reason: str
    detail: str


QUESTION_SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("dataset", pa.string()),
        ("split", pa.string()),
        ("clip_id", pa.string()),
        ("video_path", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("question", pa.string()),
        ("options", pa.list_(pa.string())),
        ("answer_index", pa.int16()),
        ("answer_text", pa.string()),
        ("category", pa.string()),
        ("source_id", pa.string()),
        ("flags", pa.list_(pa.string())),
    ]
)
CLIP_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_path", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("shard", pa.int32()),
    ]
)
REJECT_SCHEMA = pa.schema([("source_id", pa.string()), ("reason", pa.string()), ("detail", pa.string())])


def clip_id(dataset: str, video_path: str, start_s: float | None, end_s: float | None) -> str:
    """16 hex digits of SHA-256 over (data set, path, bounds rounded to milliseconds)."""
    return digest([dataset, video_path, _milliseconds(start_s), _milliseconds(end_s)], ID_LENGTH)


def qa_id(clip: str, source_id: str, question: str, options: Iterable[str], occurrence: int) -> str:
    """16 hex digits of SHA-256; `occurrence` counts identical rows from 0, so that a repeated row keeps its own id."""
    return digest([clip, source_id, question, list(options), occurrence], ID_LENGTH)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 3)


def questions_table(questions: Iterable[Question]) -> pa.Table:
    """The questions as a table of `QUESTION_SCHEMA`."""
    rows = list(questions)
    columns = {name: [getattr(row, name) for row in rows] for name in QUESTION_SCHEMA.names}
    return pa.Table.from_pydict(columns, schema=QUESTION_SCHEMA)


def write_questions(
    path: Path | str, questions: Iterable[Question], section: str, settings: Mapping[str, Any] | None = None
) -> None:
    """Writes questions as parquet, atomically, with the producing section in the schema metadata."""
    write_table(path, questions_table(questions), section, settings)


def read_questions(path: Path | str, only: pa.Array | None = None) -> list[Question]:
    """Questions of a parquet file in file order; columns of later stages (such as `variance`) are ignored.

    Args:
        only: the qa_ids wanted; None: all.
    Raises:
        RefocusError: as `read_columns`, or a row is no question.
    """
    table = read_columns(path, [field.name for field in fields(Question)])
    if only is not None:
        table = table.filter(pc.is_in(table["qa_id"], only))
    try:
        return [
            Question(**{**row, "options": tuple(row["options"]), "flags": tuple(row["flags"])})
            for row in table.to_pylist()
        ]
    except (TypeError, ValueError) as error:  # a cell is empty or of another kind
        raise RefocusError(f"{path} is not a table of questions: {error}") from None


def by_clip(questions: Iterable[Question]) -> dict[str, list[Question]]:
    """Questions grouped by their clip's id; clips and the questions of each keep their order."""
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.clip_id, []).append(question)
    return groups


def read_clips(path: Path | str) -> list[ClipRow]:
    """Clips of a list (of a data set or of a shard) in file order."""
    return [ClipRow(**row) for row in read_columns(path, CLIP_SCHEMA.names).to_pylist()]


def read_columns(path: Path | str, columns: list[str]) -> pa.Table:
    """Columns of a parquet file.

    Raises:
        RefocusError: the file is missing, damaged or not parquet, or lacks a column.
    """
    with parquet.opened(path, columns) as file:
        return file.read(columns=columns)
