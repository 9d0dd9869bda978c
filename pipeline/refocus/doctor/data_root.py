"""One walk over a data root: the size of every file, and what does not belong there."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.progress import bar

_PARTIAL = re.compile(r"\.(part|crdownload|aria2|ytdl|incomplete|download|tmp|part-Frag\d+)$", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.(gz|xz|zst|bz2)|7z|rar)([._-]?part[._-]?\w{1,4}|\.\d{3})?$", re.IGNORECASE)


@dataclass
class Tree:
    """Everything below one folder, by paths relative to it (POSIX)."""

    root: Path
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of every other file
    archives: dict[str, int] = field(default_factory=dict)  # bytes
    macos_files: list[str] = field(default_factory=list)  # what macOS leaves in archives: __MACOSX/…, ._name, .DS_Store
    partial: list[str] = field(default_factory=list)  # downloads that did not end
    dangling: list[str] = field(default_factory=list)  # links to nothing
    closed: list[str] = field(default_factory=list)  # folders that may not be read


def walk(root: Path) -> Tree:
    """Lists a folder, following links and entering each folder once."""
    tree, entered = Tree(root), set()
    waiting = [("", str(root))]
    with bar(desc=f"walk {root.name}", unit="file") as progress:
        while waiting:
            prefix, folder = waiting.pop()
            try:
                place = os.stat(folder)
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                tree.closed.append(prefix)
                continue
            if (place.st_dev, place.st_ino) in entered:
                continue
            entered.add((place.st_dev, place.st_ino))
            for entry in entries:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                if entry.is_dir():
                    waiting.append((path, entry.path))
                else:
                    _add(tree, path, entry)
            progress.update(len(entries))
    return tree


def _add(tree: Tree, path: str, entry: "os.DirEntry[str]") -> None:
    name = entry.name
    try:
        size = entry.stat().st_size
    except OSError:
        tree.dangling.append(path)
        return
    if name.startswith("._") or name == ".DS_Store" or "__MACOSX" in path.split("/"):
        tree.macos_files.append(path)
    elif _PARTIAL.search(name) and not _ARCHIVE.search(name):
        tree.partial.append(path)
    elif _ARCHIVE.search(name):
        tree.archives[path] = size
    else:
        tree.sizes[path] = size
