"""What lies in a store and which of it no configuration refers to.

An entry is what one fingerprint made for one data set, one run's checkpoints, or one data set's assignment of clips to
shards. Only entries are ever removed: what is unknown, and what is a link, stays.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.progress import bar

DEPTH = {"frames": 2, "reward": 2, "train": 1, "shards": 1}  # folders of an entry below its kind


@dataclass(frozen=True)
class StoreEntry:
    """One removable part of a store."""

    path: Path
    files: int
    bytes: int


@dataclass(frozen=True)
class StoreSurvey:
    """A store, sorted out. `unknown` is no entry of ours: never removed."""

    kept: list[StoreEntry]
    garbage: list[StoreEntry]
    unknown: list[Path]


def survey(store: Path, kept: Iterable[str]) -> StoreSurvey:
    """Sorts out a store.

    Args:
        store: `<results>/store`; an absent one is empty.
        kept: what configurations refer to, relative to the store.
    """
    wanted = {store / path for path in kept}
    paths, unknown = [], []
    for kind in _entries(store):
        if kind.name in DEPTH and _is_plain(kind):
            found = list(_below(Path(kind.path), DEPTH[kind.name]))
            paths += [Path(entry.path) for entry in found if _is_plain(entry)]
            unknown += [Path(entry.path) for entry in found if not _is_plain(entry)]
        else:
            unknown.append(Path(kind.path))
    measured = [_measured(path) for path in bar(paths, desc="measure", unit="entry")]
    return StoreSurvey(
        [entry for entry in measured if entry.path in wanted],
        [entry for entry in measured if entry.path not in wanted],
        unknown,
    )


def listed(found: StoreSurvey) -> Iterator[str]:
    """A line for each entry that no configuration refers to, and for what is left alone."""
    for entry in found.garbage:
        yield f"{size(entry.bytes):>10}  {entry.files:>7} files  {entry.path}"
    for path in found.unknown:
        yield f"{'left alone':>10}  {'':>13}  {path} (not made by refocus, or a link)"


def total(store: Path, found: StoreSurvey, removed: bool) -> str:
    """How much that is, and how much stays."""
    garbage, rest = (size(sum(entry.bytes for entry in entries)) for entries in (found.garbage, found.kept))
    verb = "removed" if removed else "could be removed (--delete)"
    return f"{store}: {garbage} in {len(found.garbage)} entries {verb}, {rest} stay"


def size(count: int) -> str:
    """Bytes as people read them."""
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def remove(store: Path, entries: Iterable[StoreEntry]) -> None:
    """Removes entries of a store, and folders that this leaves empty.

    Raises:
        RefocusError: an entry does not lie inside the store, or cannot be removed; nothing outside is ever touched.
    """
    root = store.resolve()
    for entry in entries:
        inside = entry.path.resolve()
        if root not in inside.parents or inside == root or entry.path.is_symlink():
            raise RefocusError(f"{entry.path} leads out of {store}: left alone")
        try:
            if entry.path.is_dir():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink()
        except OSError as error:
            raise RefocusError(f"{entry.path}: cannot be removed ({error.strerror or error})") from None
        for folder in entry.path.parents:
            if folder == store or any(folder.iterdir()):
                break
            folder.rmdir()


def _below(folder: Path, depth: int) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(folder):
        if depth > 1 and _is_plain(entry) and entry.is_dir():
            yield from _below(Path(entry.path), depth - 1)
        else:
            yield entry


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return not entry.is_symlink()


def _measured(path: Path) -> StoreEntry:
    if path.is_file():
        return StoreEntry(path, 1, path.stat().st_size)
    sizes = [
        os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
        for folder, _, names in os.walk(path)
        for name in names
    ]
    return StoreEntry(path, len(sizes), sum(sizes))
