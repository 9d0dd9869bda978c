"""Parquet files that are what was written or are refused: every page carries its CRC-32, and so does the footer.

The library compares pages with theirs when it reads them. The footer, which says what the columns are and what made the
file, is compared by `opened`; its CRC-32 stands right before it, where no reader looks and no copy of the table takes
it along. Files without checksums, written by earlier versions or by other programs, are read too.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from refocus.core.errors import RefocusError

Path = str | os.PathLike[str]

_MARK, _CRC = b"refocus:", 4  # what stands before the footer: this, and so many bytes
_TAIL = 8  # bytes behind the footer: its length and the magic number


def write(table: pa.Table, path: Path) -> None:
    """Writes a whole file."""
    with writer(path, table.schema) as file:
        file.write_table(table)


@contextlib.contextmanager
def writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A file that grows table by table within the block."""
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as file:
        yield file
    with open(path, "r+b") as handle:
        start, footer = _footer(handle)
        tail = handle.read()
        handle.seek(start)
        handle.write(_MARK + zlib.crc32(footer).to_bytes(_CRC) + footer + tail)


@contextlib.contextmanager
def opened(path: Path, columns: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """A file that must have some columns, for reading within the block.

    Raises:
        RefocusError: the file is missing or not parquet, is not what was written, or lacks a column.
    """
    try:
        _check_footer(path)
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            names = file.schema_arrow.names
            if missing := [name for name in columns if name not in names]:
                raise RefocusError(f"{path}: no column '{missing[0]}' (it has {', '.join(names)})")
            yield file
    except FileNotFoundError:
        raise RefocusError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        fix = "if a stage wrote it, delete it and run that stage again"
        raise RefocusError(f"{path}: cannot be read as parquet ({in_one_line(error)}); {fix}") from None


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole file, or some of its columns.

    Raises:
        RefocusError: as `opened`.
    """
    with opened(path, columns or ()) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_schema(path: Path) -> pa.Schema:
    """The columns, and in the schema's metadata what made the file.

    Raises:
        RefocusError: as `opened`.
    """
    with opened(path) as file:
        return file.schema_arrow


def in_one_line(error: Exception) -> str:
    """What the library says, which may be a page."""
    return " ".join(str(error).split())[:300]


def _check_footer(path: Path) -> None:
    with open(path, "rb") as handle:
        start, footer = _footer(handle)
        handle.seek(max(0, start - len(_MARK) - _CRC))
        mark, crc = handle.read(len(_MARK)), handle.read(_CRC)
    if mark == _MARK and int.from_bytes(crc) != zlib.crc32(footer):
        raise pa.ArrowInvalid("its footer is not what was written")


def _footer(handle: BinaryIO) -> tuple[int, bytes]:
    """Where the footer begins, and its bytes; no bytes where this is no parquet file."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - _TAIL))
    start = size - _TAIL - int.from_bytes(handle.read(4), "little")
    if start < 0:
        return 0, b""
    handle.seek(start)
    return start, handle.read(size - _TAIL - start)
