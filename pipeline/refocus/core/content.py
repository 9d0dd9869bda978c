"""SHA-256 of files too large to read every time: each is read once, and known again as long as it is the same file.

A file is the same with its path, inode, size and times of change; the second of the times (`ctime`) is set by the
system and not by programs, so that a file whose `mtime` was put back is read again. What is known lies in the user's
own cache (`$XDG_CACHE_HOME/refocus`, else `~/.cache/refocus`) rather than beside results, which come from others too;
where nothing can be written there, files are read every time.
"""

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from refocus.core.files import file_digest, write_json

KNOWN = "weights.json"
KEPT = 4096  # files that are remembered, the latest
SMALL = 64 << 20  # bytes: up to this, reading costs less than looking it up is worth

log = logging.getLogger(__name__)


def mark(file: Path) -> tuple[int, int, int, int]:
    """What changes when a file does."""
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def content(file: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    size = file.stat().st_size
    if size <= SMALL:
        return file_digest(file)
    name, before = str(file.resolve()), mark(file)
    known = _read().get(name)
    if known is not None and tuple(known[:-1]) == before:
        return str(known[-1])
    log.info("reading %s once to know its content (%.1f GB)", file, size / 1e9)
    found = file_digest(file)
    if mark(file) == before:  # else it is being written
        others = {other: value for other, value in _read().items() if other != name}
        with contextlib.suppress(OSError, RuntimeError):
            write_json(_place(), dict(list({**others, name: [*before, found]}.items())[-KEPT:]))
    return found


def _read() -> dict[str, list[Any]]:
    """What is known; nothing where the file is not as it was written."""
    try:
        known = json.loads(_place().read_text(encoding="utf-8"))
        return {str(name): list(value) for name, value in known.items() if len(value) == 5 and len(value[-1]) == 64}
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError):  # RecursionError is a RuntimeError
        return {}


def _place() -> Path:
    """Where it is noted.

    Raises:
        RuntimeError: nobody knows where this user's home is.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refocus" / KNOWN
