"""`SHA256SUMS` in a folder: what its files were when they were written, as `sha256sum -c SHA256SUMS` reads it."""

import os
from collections.abc import Iterator
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.files import file_digest, write_text

SUMS = "SHA256SUMS"
CARD, PROVENANCE = "README.md", "provenance.json"
DESCRIPTIONS = (CARD, PROVENANCE, "LICENSE", ".gitattributes")  # said about the other files; may change beside them


def write_sums(folder: Path) -> None:
    """Notes the digest of every file in a folder, but for what describes them."""
    write_text(folder / SUMS, "\n".join(f"{file_digest(path)}  {path.name}" for path in summed(folder)))


def summed(folder: Path) -> list[Path]:
    """The files that `write_sums` notes."""
    aside = (SUMS, *DESCRIPTIONS)
    return sorted(
        path for path in folder.iterdir() if path.is_file() and path.name[0] != "." and path.name not in aside
    )


def noted(folder: Path) -> list[str]:
    """The names of the files whose digests are noted; none where there are no notes."""
    if not (folder / SUMS).is_file():
        return []
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.partition("  ")[2] for line in lines]


def add_sum(folder: Path, name: str) -> None:
    """Notes the digest of one file that was written later, where the others are noted."""
    if (folder / SUMS).is_file():
        others = [line for line in (folder / SUMS).read_text().splitlines() if line.partition("  ")[2] != name]
        write_text(folder / SUMS, "\n".join([*others, f"{file_digest(folder / name)}  {name}"]))


def check_sums(folder: Path) -> None:
    """Compares the files of a folder with what was noted; a folder without notes is taken as it is.

    Raises:
        RefocusError: a file is missing or is not what was written.
    """
    for file in differing(folder):
        raise RefocusError(
            f"{file} is not what was written: make it again, or remove {folder / SUMS} if it was changed on purpose"
        )


def differing(folder: Path) -> Iterator[Path]:
    """The files of a folder that are missing or not what was noted, and the notes where they are not as written."""
    if not (folder / SUMS).is_file():
        return
    text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        file = folder / Path(name).name
        if not os.path.isfile(file) or file_digest(file) != digest:
            yield file
    if text.rstrip("\n") != "\n".join(lines):
        yield folder / SUMS
