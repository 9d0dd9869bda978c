"""Annotation files as rows: JSON lists, JSON lines, CSV and parquet. A file that cannot be read at all is an error.

NaN, which pandas writes where a value is missing, comes as None.
"""

import contextlib
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from refocus.core.errors import RefocusError
from refocus.core.json_text import loads
from refocus.core.limits import BATCH_BYTES, CELL_CHARS, LINE_CHARS
from refocus.core.parquet import in_one_line
from refocus.qa.loose_values import as_text
from refocus.qa.raw_question import BadRow, RawQuestion
from refocus.qa.records import Reject

BATCH = 4096  # rows of a parquet file that are held at a time
CSV = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson")
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Row(dict[str, Any]):
    """A row that knows the line it begins in, from 1, which an editor shows."""

    __slots__ = ("line",)

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]], line: int) -> None:
        super().__init__(values)
        self.line = line


def rows_of(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterable[Any]:
    """Rows of a file, read by its ending: parquet, CSV (also .tsv), JSON lines (.jsonl, .ndjson), else a JSON list.

    Args:
        columns: those that a file with columns must have.
        optional: those that are read from parquet where the file has them.
    Raises:
        RefocusError: the file is missing, not of its kind, or lacks one of `columns`.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return parquet_stream(path, columns, optional)
    if ending in CSV:
        return csv_rows(path, columns)
    return json_lines(path) if ending in LINES else json_rows(path)


def columns_of(path: Path) -> list[str] | None:
    """The columns of a CSV or parquet file; None where every row has its own.

    Raises:
        RefocusError: the file is missing or not of its kind.
    """
    ending = path.suffix.lower()
    if ending in CSV:
        with _csv(path) as (header, _):
            return header
    if ending != ".parquet":
        return None
    with _parquet(path) as handle:
        return list(handle.schema_arrow.names)


def json_rows(path: Path) -> list[Any]:
    """The items of a JSON list.

    Raises:
        RefocusError: the file is missing, no JSON, or no list; names file and line.
    """
    value = json_value(path)
    if not isinstance(value, list):
        raise RefocusError(f"{path}: expected a JSON list of rows, found {type(value).__name__}")
    return value


def json_value(path: Path, as_object: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Whatever a JSON file holds; `as_object` makes an object of its entries, else it is a dict."""
    try:
        return loads(path.read_text(encoding="utf-8-sig"), as_object=as_object, constant=_no_number)
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise RefocusError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise RefocusError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        fix = "; if every line is a row, name the file .jsonl" if error.msg == "Extra data" else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise RefocusError(f"{path}: not JSON: {error.msg} in {place}{fix}") from None
    except ValueError as error:  # a number of thousands of digits, brackets without end
        raise RefocusError(f"{path}: not JSON that can be read: {error}") from None


def json_lines(path: Path) -> Iterator[Any]:
    """The values of a file with one per line; a line that is no JSON comes as `BadRow`, empty lines are skipped.

    Raises:
        RefocusError: the file is missing or cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as handle:
            for number, line in enumerate(lines_of(path, handle), 1):
                if line.strip():
                    yield _line(number, line)
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise RefocusError(f"{path}: cannot be read ({error.strerror})") from None


def _line(number: int, line: str) -> Any:
    try:
        value = loads(line, constant=_no_number)
    except json.JSONDecodeError as error:
        return BadRow("bad_row", f"line {number} is not JSON: {error.msg} in column {error.pos + 1}")
    except ValueError as error:
        return BadRow("bad_row", f"line {number} is not JSON: {error}")
    return Row(value, number) if isinstance(value, dict) else value


def lines_of(path: Path, handle: TextIO) -> Iterator[str]:
    """The lines of a file, none of them without end.

    Raises:
        RefocusError: a line is longer than the limit.
    """
    most, number = LINE_CHARS.value(), 0
    while line := handle.readline(most + 1):
        number += 1
        if len(line) > most:
            long = LINE_CHARS.refusal("a longer line")
            raise RefocusError(f"{path}: line {number}: {long} (a JSON list of rows is read from a file named .json)")
        yield line


def _no_number(constant: str) -> None:
    """NaN and the infinities, which JSON does not have, are missing values."""


def json_entries(path: Path) -> list[tuple[str, Any]]:
    """The entries of a JSON object in file order; a key that occurs twice comes twice.

    Raises:
        RefocusError: the file is missing, no JSON, or no object; names file and line.
    """
    value = json_value(path, _Entries)
    if not isinstance(value, _Entries):
        raise RefocusError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return entries(value)


def entries(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries of an object that `json_entries` read, at any depth; a key that occurs twice comes twice."""
    return getattr(value, "repeated", None) or list(value.items())


class _Entries(dict[str, Any]):
    """A JSON object that keeps the entries a dict would lose: `repeated` holds all of them if a key occurs twice."""

    __slots__ = ("repeated",)

    def __init__(self, entries: list[tuple[str, Any]]) -> None:
        super().__init__(entries)
        self.repeated = entries if len(entries) > len(self) else None


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str] | BadRow]:
    """Rows of a CSV file with a header; a line with the wrong number of cells comes as `BadRow`.

    Cells are split at what the header has most of: commas, semicolons (as spreadsheets write them in Europe) or tabs.
    Bytes that are not UTF-8 come as lone surrogates, so that they spoil their row and not the file.

    Raises:
        RefocusError: the file is missing or lacks one of `columns`.
    """
    with _csv(path) as (header, reader):
        _refuse_missing(path, columns, header)
        while True:
            first = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow("bad_row", f"line {reader.line_num}: {error}")
                continue
            if len(cells) == len(header):
                yield Row(zip(header, cells, strict=True), first)
            elif cells:
                where, hint = f"line {first}", ""
                if reader.line_num > first:
                    where, hint = f"lines {first} to {reader.line_num}", "; is a quotation mark not closed?"
                yield BadRow("bad_row", f"{where}: {len(cells)} cells where the header has {len(header)}{hint}")


@contextlib.contextmanager
def _csv(path: Path) -> Iterator[tuple[list[str], Any]]:
    """The header, and a reader of the lines below it."""
    csv.field_size_limit(CELL_CHARS.value())
    try:
        with path.open("rb") as raw:
            encoding = "utf-16" if raw.read(2) in UTF16 else "utf-8-sig"  # Excel's "Unicode text"
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as handle:
            start = next(lines_of(path, handle), "")
            if "\0" in start:
                raise RefocusError(f"{path}: not text; a spreadsheet has to be saved as CSV, not to be renamed")
            handle.seek(0)
            reader = csv.reader(lines_of(path, handle), delimiter=max(",;\t", key=start.count))
            header = next(reader, [])
            if not header:
                raise RefocusError(f"{path}: its first line is empty, which has to name the columns")
            yield header, reader
    except UnicodeDecodeError as error:  # of UTF-16, which has no stand-in for what is none
        raise RefocusError(f"{path}: not UTF-16 text ({error.reason} at byte {error.start})") from None
    except csv.Error as error:
        raise RefocusError(f"{path}: its header cannot be read ({error})") from None
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise RefocusError(f"{path}: cannot be read ({error.strerror})") from None


def parquet_stream(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[dict[str, Any] | BadRow]:
    """Rows of a parquet file that may be too large to hold: batch by batch, and of these columns only.

    Args:
        columns: those the file must have.
        optional: those that are read where the file has them.
    Raises:
        RefocusError: the file is missing, no parquet, damaged, or lacks one of `columns`.
    """
    with _parquet(path) as handle:
        there = handle.schema_arrow.names
        _refuse_missing(path, columns, there)
        for batch in handle.iter_batches(BATCH, columns=[*columns, *(name for name in optional if name in there)]):
            if batch.nbytes > BATCH_BYTES.value():
                raise RefocusError(f"{path}: {BATCH_BYTES.refusal(f'{batch.nbytes} bytes in {batch.num_rows} rows')}")
            yield from _batch_rows(batch)


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as handle:
            yield handle
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such annotation file") from None
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise RefocusError(f"{path}: cannot be read as parquet ({in_one_line(error)})") from None


def _refuse_missing(path: Path, columns: Sequence[str], there: Sequence[str]) -> None:
    for name in columns:
        if name not in there:
            raise RefocusError(f"{path}: no column '{name}' (it has {', '.join(there)})")


def _batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | BadRow]:
    """The rows of a batch; text that is not UTF-8, or a time beyond the calendar, spoils its row and not the file."""
    try:
        rows: list[dict[str, Any] | BadRow] = [_present(row) for row in batch.to_pylist()]
    except (ValueError, ArithmeticError):
        rows = [_one_row(batch.slice(number, 1)) for number in range(batch.num_rows)]
    yield from rows


def _one_row(batch: pa.RecordBatch) -> dict[str, Any] | BadRow:
    try:
        return _present(batch.to_pylist()[0])
    except UnicodeDecodeError as error:
        return BadRow("bad_text", f"not UTF-8 text ({error.reason})")
    except (ValueError, ArithmeticError) as error:
        return BadRow("bad_value", f"a value that Python cannot hold ({error})")


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """A row with None for NaN, the one value that differs from itself."""
    return {name: value if value == value else None for name, value in row.items()}


def each(
    path: Path, rows: Iterable[Any], parse: Callable[[str, int, Any], RawQuestion], first: int = 0
) -> Iterator[RawQuestion | Reject]:
    """Parses rows one by one with `parse(where, number, row)`; what it refuses becomes a reject that says where.

    Args:
        first: number of the first row; a line of the file, where there are lines, is named beside it.
    """
    for number, row in enumerate(rows, first):
        line = f", line {row.line}" if isinstance(row, Row) else ""
        where = f"{path.name} row {number}{line}"
        try:
            if isinstance(row, BadRow):
                raise row
            yield parse(where, number, row)
        except BadRow as bad:
            yield Reject(_source_id(path, number, row), bad.reason, f"{where}: {bad.detail}")


def _source_id(path: Path, number: int, row: Any) -> str:
    """What a row calls itself, else its place."""
    if isinstance(row, dict):
        for names in (("question_id",), ("id",), ("video", "qid"), ("qid",), ("q_uid",)):
            parts = [as_text(row.get(name)) or "" for name in names]
            if all(parts):
                return "_".join(parts)
    return f"{path.stem}_{number}"
