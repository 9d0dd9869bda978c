"""Annotation files as rows: JSON lists, CSV and parquet. A whole file that cannot be read is an error of its own."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RefocusError
from pipeline.qa.draft import BadRow, Draft
from pipeline.qa.records import Reject

MAX_CELL = 1 << 24  # characters of one CSV cell


def rows_of(path: Path, columns: Sequence[str]) -> list[Any]:
    """Rows of a parquet file that has `columns`, or the items of a JSON list, by the file's name."""
    return parquet_rows(path, columns) if path.suffix.lower() == ".parquet" else json_rows(path)


def json_rows(path: Path) -> list[Any]:
    """The items of a JSON list.

    Raises:
        RefocusError: the file is missing, no JSON, or no list; names file and line.
    """
    value = json_value(path)
    if not isinstance(value, list):
        raise RefocusError(f"{path}: expected a JSON list of rows, found {type(value).__name__}")
    return value


def json_value(path: Path) -> Any:
    """Whatever a JSON file holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except UnicodeDecodeError as error:
        raise RefocusError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise RefocusError(f"{path}: not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of nested lists
        raise RefocusError(f"{path}: JSON that cannot be read ({error})") from None


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str] | BadRow]:
    """Rows of a CSV file with a header; a line with the wrong number of cells comes as `BadRow`.

    Bytes that are not UTF-8 come as lone surrogates, so that they spoil their row and not the file.

    Raises:
        RefocusError: the file is missing or lacks one of `columns`.
    """
    csv.field_size_limit(MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            reader = csv.reader(handle)
            header = next(reader, [])
            missing = [name for name in columns if name not in header]
            if missing:
                raise RefocusError(f"{path}: the header has no column '{missing[0]}'")
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow("bad_row", f"line {reader.line_num}: {error}")
                    continue
                if len(cells) == len(header):
                    yield dict(zip(header, cells, strict=True))
                elif cells:
                    yield BadRow("bad_row", f"{len(cells)} cells where the header has {len(header)}")
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None


def parquet_rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a parquet file.

    Raises:
        RefocusError: the file is missing, no parquet, or lacks one of `columns`.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except (OSError, pa.ArrowException) as error:
        raise RefocusError(f"{path}: cannot be read as parquet ({error})") from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise RefocusError(f"{path}: no column '{missing[0]}'")
    try:
        return table.to_pylist()
    except UnicodeDecodeError as error:
        raise RefocusError(f"{path}: text that is not UTF-8 ({error.reason})") from None


def each(
    path: Path, rows: Iterator[Any] | list[Any], parse: Callable[[str, int, Any], Draft], first: int = 0
) -> Iterator[Draft | Reject]:
    """Parses rows one by one with `parse(where, number, row)`; what it refuses becomes a reject that says where."""
    for number, row in enumerate(rows, first):
        where = f"{path.name} row {number}"
        try:
            if isinstance(row, BadRow):
                raise row
            yield parse(where, number, row)
        except BadRow as bad:
            yield Reject(_source_id(path, number, row), bad.reason, f"{where}: {bad.detail}")


def _source_id(path: Path, number: int, row: Any) -> str:
    """What a row calls itself, else its place."""
    if isinstance(row, dict):
        for name in ("question_id", "id"):
            if isinstance(row.get(name), str | int):
                return str(row[name])
        if isinstance(row.get("video"), str) and isinstance(row.get("qid"), str):
            return f"{row['video']}_{row['qid']}"
    return f"{path.stem}_{number}"
