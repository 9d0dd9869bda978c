"""Finds the file an annotation means, inside the data root and nowhere else.

Every folder is listed once and then looked up, so that 300,000 videos cost one pass over their names. A folder's `.tar`
files count as part of it. Links are followed as long as they end inside the root, which may itself be a link; a link
that leaves it is refused and named, since archives can carry links as annotations can carry `..`. Exceptions are the
folders of `allowed_roots`, and a Hugging Face snapshot, whose files are links into the `blobs` of the same download.
"""

import contextlib
import logging
import os
import posixpath
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from refocus.core.addresses import ADVICE, is_address
from refocus.core.progress import bar
from refocus.video import tars

logger = logging.getLogger(__name__)

_CONTAINERS = "mp4 mkv webm mov avi m4v mpg mpeg ts m2ts mts flv f4v wmv asf 3gp 3g2 ogv vob gif"
EXTENSIONS = frozenset(f".{name}" for name in _CONTAINERS.split(" "))


class Remote(ValueError):
    """A video that is named by an address on the net."""


class VideoFinder:
    """Resolves relative video paths below one root.

    A path is taken as it is where it exists; otherwise a file of the same folder and stem with another extension, case
    or Unicode normal form is taken. Attributes: `missing`, the paths that no file was found for.

    Args:
        allowed_roots: folders elsewhere that links may lead into.
    """

    def __init__(self, root: Path, allowed_roots: Sequence[Path] = ()) -> None:
        self.root = root
        self.missing: set[str] = set()
        self._bounds = bounds(root, allowed_roots)
        self._folders: dict[str, _Folder | None] = {}
        self._last: tuple[tuple[str, ...] | None, str] = None, ""  # rows about one video mostly follow one another

    def find(self, candidates: Sequence[str]) -> str:
        """The relative POSIX path of the first candidate that exists, or the first candidate if none does.

        A video in a tar is given by its address (`refocus.video.tars`).

        Raises:
            ValueError: a candidate is empty, absolute or leaves the root, by its parts or through a link.
            Remote: a candidate is an address on the net.
        """
        if (asked := tuple(candidates)) != self._last[0]:
            self._last = asked, self._found(asked)
        return self._last[1]

    def _found(self, candidates: Sequence[str]) -> str:
        paths = [checked(candidate) for candidate in candidates]
        if not paths:
            raise ValueError("video: no path")
        places = [(self._folder(posixpath.dirname(path)), posixpath.basename(path)) for path in paths]
        for look in (_Folder.exact, _Folder.alike):
            for folder, name in places:
                if folder is not None and (hit := look(folder, name)):
                    return posixpath.join(folder.path, hit)
        for path in paths:
            self._refuse_link(path)
        self.missing.add(paths[0])
        return paths[0]

    def _folder(self, path: str) -> "_Folder | None":
        """The listing of a folder; a part whose exact name does not exist may differ in case or normal form."""
        if path not in self._folders:
            here = self._listed("")
            for part in filter(None, path.split("/")):
                name = here.folder(part) if here else None
                if here is None or name is None:
                    here = None
                    break
                here = self._listed(posixpath.join(here.path, name))
            self._folders[path] = here
        return self._folders[path]

    def _listed(self, actual: str) -> "_Folder | None":
        """The listing of a folder that exists, read from the disk the first time only."""
        if actual not in self._folders:
            self._folders[actual] = _Folder(self.root, actual, self._bounds)
        return self._folders[actual]

    def _refuse_link(self, path: str) -> None:
        parts = path.split("/")
        for index, part in enumerate(parts):
            here = self._folder("/".join(parts[:index]))
            if here is None:
                return
            if part in here.leaving:
                link = posixpath.join(here.path, part)
                raise ValueError(
                    f"video: {path!r} passes through the link {link!r}, which leaves the data root (to "
                    f"{here.leaving[part]}); if that is where it belongs, name the folder in allowed_roots of this "
                    "data set or benchmark (--allowed-roots), else put the files below the root"
                )


class _Folder:
    """The names in one folder: `files`, `folders`, and `leaving`, links out of the data root with their targets."""

    def __init__(self, root: Path, path: str, bounds: Sequence[str]) -> None:
        self.path = path
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.leaving: dict[str, str] = {}
        self._place = root / path
        try:
            with os.scandir(self._place) as entries:
                for entry in entries:
                    self._add(entry, bounds)
        except OSError as error:
            logger.warning("%s: the folder cannot be read to its end (%s)", self._place, error.strerror)

    def _add(self, entry: "os.DirEntry[str]", bounds: Sequence[str]) -> None:
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if not inside(target, bounds):
                self.leaving[entry.name] = target
                return
        with contextlib.suppress(OSError):  # a link to itself is neither
            if entry.is_dir():
                self.folders.add(entry.name)
            elif entry.is_file():
                self.files.add(entry.name)

    def exact(self, name: str) -> str | None:
        """The file of this name, or the address of the member of this name."""
        return name if name in self.files else self._members.get(name)

    def alike(self, name: str) -> str | None:
        """A video of the same stem: first in the same letters, then in the same extension, then in neither."""
        stem = _stem(name)
        hit = self._stems.get(stem) or self._loose_names.get(_loose(name)) or self._loose_stems.get(_loose(stem))
        return self.exact(hit) if hit else None

    def folder(self, name: str) -> str | None:
        """The subfolder of this name, else one that differs in case or normal form."""
        return name if name in self.folders else self._loose_folders.get(_loose(name))

    @cached_property
    def _members(self) -> dict[str, str]:
        archives = sorted(name for name in self.files if name.lower().endswith(tars.SUFFIX))
        found: dict[str, str] = {}
        for name in bar(archives, desc=f"list the tars of {self.path or self._place.name}", unit="tar"):
            for member, address in tars.members(self._place / name).items():
                found.setdefault(member, address)
        return found

    @cached_property
    def _videos(self) -> list[str]:
        return sorted(name for name in self.files | self._members.keys() if _stem(name) != name)

    @cached_property
    def _stems(self) -> Mapping[str, str]:
        return _first(self._videos, _stem)

    @cached_property
    def _loose_names(self) -> Mapping[str, str]:
        return _first(self._videos, _loose)

    @cached_property
    def _loose_stems(self) -> Mapping[str, str]:
        return _first(self._videos, lambda name: _loose(_stem(name)))

    @cached_property
    def _loose_folders(self) -> Mapping[str, str]:
        return _first(sorted(self.folders), _loose)


def checked(path: str) -> str:
    """A relative path in normal form.

    Raises:
        ValueError: it is empty, absolute, holds NUL or a part `..`, so that it could leave the root.
        Remote: it is an address on the net.
    """
    if is_address(path):
        raise Remote(f"video: {path!r} {ADVICE} below the data root")
    parts = path.replace("\\", "/").split("/")
    absolute = path.startswith(("/", "\\")) or (len(path) > 1 and path[1] == ":" and path[0].isalpha())
    if absolute or ".." in parts or "\0" in path:
        raise ValueError(f"video: the path {path!r} leaves the data root")
    kept = [part for part in parts if part not in ("", ".")]
    if not kept:
        raise ValueError(f"video: {path!r} is not a path")
    return "/".join(kept)


def _first(names: Sequence[str], key: Callable[[str], str]) -> dict[str, str]:
    """Key → the first name that has it."""
    table: dict[str, str] = {}
    for name in names:
        table.setdefault(key(name), name)
    return table


def _stem(name: str) -> str:
    """The name without a video's extension; any other name as it is, dots included."""
    stem, extension = posixpath.splitext(name)
    return stem if extension.lower() in EXTENSIONS else name


def _loose(text: str) -> str:
    """What names that differ only in case or in Unicode normal form have in common."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def bounds(root: Path, allowed_roots: Sequence[Path] = ()) -> list[str]:
    """The folders a link may lead into: the root, the blobs of the Hugging Face download the root is part of, and
    those that are allowed."""
    real = Path(os.path.realpath(root))
    snapshots = [folder for folder in (real, *real.parents) if folder.parent.name == "snapshots"]
    blobs = [folder.parents[1] / "blobs" for folder in snapshots]
    allowed = (os.path.realpath(folder) for folder in allowed_roots)
    return [str(real), *(str(folder) for folder in blobs if folder.is_dir()), *allowed]


def inside(target: str, bounds: Sequence[str]) -> bool:
    """Whether a real path is one of these folders or lies in it."""
    return any(target == bound or target.startswith(bound.rstrip("/") + "/") for bound in bounds)
