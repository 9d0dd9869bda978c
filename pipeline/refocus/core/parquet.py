"""Parquet files that are what was written or are refused: every page carries its CRC-32, and so does the footer.

The library compares pages with theirs when it reads them. The footer, which says what the columns are and what made the
file, is compared by `opened`; its CRC-32 stands right before it, where no reader looks and no copy of the table takes
it along. Before that stands the CRC-32 of all that comes before the two, page headers included, which only
`check_bytes` compares. Files without checksums, written by earlier versions or by other programs, are read too.
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

_BODY, _MARK, _CRC = b"refocus=", b"refocus:", 4  # what stands before the footer: each of these, and so many bytes
_TAIL = 8  # bytes behind the footer: its length and the magic number
_NEAR = 8  # bits: what differs from a mark by no more was one
_CHUNK = 1 << 20


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
        body = _crc(handle, start)
        handle.seek(start)
        handle.write(_BODY + body.to_bytes(_CRC) + _MARK + zlib.crc32(footer).to_bytes(_CRC) + footer + tail)


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


def check_bytes(path: Path) -> bool:
    """Compares everything in a file with the checksums that it holds.

    Returns:
        Whether every byte has one. In a file of an earlier version only the pages have, and the footer; in one that
        another program wrote there may be none.
    Raises:
        RefocusError: the file is missing or is not what was written.
    """
    with opened(path) as file:
        with open(path, "rb") as handle:
            start, _ = _footer(handle)
            end = start - 2 * (len(_MARK) + _CRC)
            noted = _noted(handle, end, _BODY) if _noted(handle, end + len(_BODY) + _CRC, _MARK) is not None else None
            if noted is not None and _crc(handle, end) != noted:
                raise pa.ArrowInvalid("its bytes are not what was written")
        if noted is None:
            for _ in file.iter_batches():  # compares the pages
                pass
    return noted is not None


def in_one_line(error: Exception) -> str:
    """What the library says, which may be a page."""
    return " ".join(str(error).split())[:300]


def _check_footer(path: Path) -> None:
    with open(path, "rb") as handle:
        start, footer = _footer(handle)
        noted = _noted(handle, start - len(_MARK) - _CRC, _MARK)
    if noted not in (None, zlib.crc32(footer)):
        raise pa.ArrowInvalid("its footer is not what was written")


def _noted(handle: BinaryIO, place: int, mark: bytes) -> int | None:
    """The CRC-32 behind a mark at some place of a file; None where there is no mark.

    Raises:
        pa.ArrowInvalid: there was one.
    """
    if place < 0:
        return None
    handle.seek(place)
    found, crc = handle.read(len(mark)), handle.read(_CRC)
    differing = (int.from_bytes(found) ^ int.from_bytes(mark)).bit_count()
    if 0 < differing <= _NEAR:
        raise pa.ArrowInvalid("its checksums are not what was written")
    return None if differing else int.from_bytes(crc)


def _crc(handle: BinaryIO, size: int) -> int:
    """CRC-32 of the first `size` bytes."""
    handle.seek(0)
    crc = 0
    while size and (chunk := handle.read(min(_CHUNK, size))):
        crc = zlib.crc32(chunk, crc)
        size -= len(chunk)
    return crc


def _footer(handle: BinaryIO) -> tuple[int, bytes]:
    """Where the footer begins, and its bytes; no bytes where this is no parquet file."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - _TAIL))
    start = size - _TAIL - int.from_bytes(handle.read(4), "little")
    if start < 0:
        return 0, b""
    handle.seek(start)
    return start, handle.read(size - _TAIL - start)
