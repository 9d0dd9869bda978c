"""Files that are either complete or absent, and parquet tables that say which settings made them."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.core.disk import refusal
from refocus.core.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_UMASK = os.umask(0)  # can only be read by setting it
os.umask(_UMASK)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # made once: ids take millions


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return _ENCODER.encode(value)


def digest(value: Any, length: int = 12) -> str:
    """The first `length` hex digits of SHA-256 over the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 over a file's bytes, 64 hex digits; files of any size."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path beside `path`; renames it to `path` when the block ends, removes it when the block raises.

    What a disk refuses (`refocus.core.disk`), in whichever library's words, is an OSError that names `path`.
    Others may read the file as they may read any new file, also where its writer (safetensors) keeps it private.
    File and folder are on the disk when the block has ended: what a later stage builds on must outlast a power cut.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield draft
        with open(draft, "rb") as handle:
            os.fsync(handle.fileno())
        draft.chmod(0o666 & ~_UMASK)
        replaced(draft, path)
    except Exception as error:
        number = refusal(error)
        if number is None or (isinstance(error, OSError) and error.filename not in (None, str(draft))):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error  # the file that is meant, not its draft
    finally:
        draft.unlink(missing_ok=True)


def check_place(path: Path, folder: bool = False) -> None:
    """Refuses a name that nothing could be written under, before anything is worked for. Missing folders are no fault.

    Args:
        folder: whether it is that of a folder of files.
    Raises:
        UsageError: a folder has a file's name or the other way round, or what is there may not be written to.
    """
    if not folder and os.path.isdir(path):
        raise UsageError(f"{path} is a folder; name a file in it")
    there = next(place for place in (*([path] if folder else []), *path.parents) if os.path.lexists(place))
    if not os.path.isdir(there):
        raise UsageError(f"{path}: {there} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise UsageError(f"{path}: nothing may be written to {there}")


def replaced(draft: Path, path: Path) -> None:
    """Renames a file that is on the disk, and waits until the disk has its new name."""
    os.replace(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems sync no folders
            os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a whole text file atomically, UTF-8 with a final newline."""
    with atomic(path) as draft:
        draft.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes indented JSON atomically; keys keep the order they have."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False))


def write_table(
    path: str | os.PathLike[str], table: "pa.Table", section: str, settings: Mapping[str, Any] | None = None
) -> None:
    """Writes a parquet file atomically, with checksums and with its `provenance` in the schema metadata."""
    from refocus.core import parquet  # here, so that decoding workers go without pyarrow

    notes = provenance(section, settings or {})
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **notes})
    with atomic(path) as draft:
        parquet.write(table, draft)


def provenance(section: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Schema metadata that says what made a table.

    Returns:
        The producing config section as `refocus.section`, its settings as canonical JSON in `refocus.settings` and
        their digest in `refocus.fingerprint`.
    """
    settings = dict(settings)
    return {
        "refocus.section": section,
        "refocus.settings": canonical(settings),
        "refocus.fingerprint": digest(settings),
    }


def fingerprint_of(schema: "pa.Schema") -> str:
    """The digest of the settings that `provenance` put into a table's schema; empty in a table of another origin."""
    return (schema.metadata or {}).get(b"refocus.fingerprint", b"").decode()


def settings_of(schema: "pa.Schema") -> dict[str, Any]:
    """The settings that `provenance` put into a table's schema; empty in a table of another origin."""
    return json.loads((schema.metadata or {}).get(b"refocus.settings", b"{}"))
