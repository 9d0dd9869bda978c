"""Finds the file an annotation means, inside the data root and nowhere else."""

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path

EXTENSIONS = frozenset(
    [".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".3gp"]
)


class VideoFinder:
    """Resolves relative video paths below one root.

    A path is taken as it is where it exists; otherwise a file of the same folder and stem with another extension or
    another case is taken. Attributes: `missing`, the paths that no file was found for.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: set[str] = set()
        self._found: dict[tuple[str, ...], str] = {}
        self._folders: dict[str, dict[str, str]] = {}

    def find(self, candidates: Sequence[str]) -> str:
        """The relative POSIX path of the first candidate that exists, or the first candidate if none does.

        Raises:
            ValueError: a candidate is empty, absolute or leaves the root.
        """
        key = tuple(candidates)
        if key not in self._found:
            paths = [checked(candidate) for candidate in candidates]
            if not paths:
                raise ValueError("video: no path")
            hit = next(filter(None, map(self._exact, paths)), None) or next(filter(None, map(self._like, paths)), None)
            if hit is None:
                self.missing.add(paths[0])
            self._found[key] = hit or paths[0]
        return self._found[key]

    def _exact(self, path: str) -> str | None:
        return path if (self.root / path).is_file() else None

    def _like(self, path: str) -> str | None:
        folder, name = posixpath.split(path)
        actual = self._folder(folder)
        if actual is None:
            return None
        if actual not in self._folders:
            files = sorted(entry.name for entry in os.scandir(self.root / actual) if entry.is_file())
            stems: dict[str, str] = {}
            for file in files:
                stem, extension = posixpath.splitext(file)
                if extension.lower() in EXTENSIONS:
                    stems.setdefault(stem, file)
                    stems.setdefault(stem.casefold(), file)
            self._folders[actual] = stems
        stem = posixpath.splitext(name)[0]
        file = self._folders[actual].get(stem) or self._folders[actual].get(stem.casefold())
        return posixpath.join(actual, file) if file else None

    def _folder(self, folder: str) -> str | None:
        """The folder below the root, one part at a time, ignoring case where the exact name does not exist."""
        actual = ""
        for part in filter(None, folder.split("/")):
            here = self.root / actual
            if not (here / part).is_dir():
                same = [entry.name for entry in os.scandir(here) if entry.name.casefold() == part.casefold()]
                part = next((name for name in sorted(same) if (here / name).is_dir()), "")
                if not part:
                    return None
            actual = posixpath.join(actual, part)
        return actual if (self.root / actual).is_dir() else None


def checked(path: str) -> str:
    """A relative path in normal form.

    Raises:
        ValueError: it is empty, absolute, holds NUL or a part `..`, so that it could leave the root.
    """
    parts = path.replace("\\", "/").split("/")
    absolute = path.startswith(("/", "\\")) or (len(path) > 1 and path[1] == ":" and path[0].isalpha())
    if absolute or ".." in parts or "\0" in path:
        raise ValueError(f"video: the path {path!r} leaves the data root")
    kept = [part for part in parts if part not in ("", ".")]
    if not kept:
        raise ValueError(f"video: {path!r} is not a path")
    return "/".join(kept)
