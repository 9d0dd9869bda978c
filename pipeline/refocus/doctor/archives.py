"""Archives beside the videos: which hold missing videos, and which were not fully unpacked."""

import posixpath
import struct
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.limits import TAR_MEMBERS
from refocus.core.progress import bar
from refocus.doctor.data_root import Tree
from refocus.video.tars import DAMAGES, every_member


@dataclass
class Unpacking:
    """What the archives of one data root say."""

    packed: dict[str, list[str]] = field(default_factory=dict)  # archive → missing videos it holds
    short: dict[str, str] = field(default_factory=dict)  # video of another size than in its archive → the archive
    broken: list[str] = field(default_factory=list)  # archives that cannot be read to their end
    closed: list[str] = field(default_factory=list)  # compressed or split archives, which would have to be unpacked


def compare(tree: Tree, missing: Iterable[str], sizes: Mapping[str, int]) -> Unpacking:
    """Compares the archives' lists of members with what is on disk.

    The list of a zip is read always, that of an uncompressed tar, which has to be walked through, only when something
    is missing.

    Args:
        missing: relative paths of the videos that were not found.
        sizes: bytes of those that were, by relative path.
    """
    found = Unpacking()
    by_stem: dict[str, list[str]] = defaultdict(list)
    for path in missing:
        by_stem[_stem(path)].append(path)
    there: dict[str, list[str]] = defaultdict(list)
    for path in sizes:
        there[posixpath.basename(path)].append(path)
    for archive in bar(sorted(tree.archives), desc="archives", unit="archive"):
        if not archive.lower().endswith((".zip", ".tar")):
            found.closed.append(archive)
            continue
        if archive.lower().endswith(".tar") and not by_stem:
            continue
        members, whole = _members(tree.root / archive)
        if not whole:
            found.broken.append(archive)
        held = []
        for name, size in members.items():
            held += by_stem.get(_stem(name), [])
            path = _unpacked(archive, name, tree, there)
            if path in sizes and sizes[path] != size:
                found.short[path] = archive
        if held:
            found.packed[archive] = held
    return found


def _unpacked(archive: str, name: str, tree: Tree, there: Mapping[str, Sequence[str]]) -> str:
    """The file a member became: beside its archive, else the only video below the root whose path ends like it."""
    beside = posixpath.join(posixpath.dirname(archive), name)
    if beside in tree.sizes:
        return beside
    alike = [path for path in there.get(posixpath.basename(name), []) if f"/{path}".endswith(f"/{name}")]
    return alike[0] if len(alike) == 1 else ""


def _members(path: Path) -> tuple[dict[str, int], bool]:
    """Size by name of the files in a zip or tar, and whether it could be read to its end."""
    members: dict[str, int] = {}
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as file:
                for info in file.infolist():
                    if not info.is_dir() and "__MACOSX" not in info.filename:
                        members[info.filename] = info.file_size
            return members, True
        total, end = path.stat().st_size, 0
        for member in every_member(path):
            if member.isfile():
                members[member.name] = member.size
            end = member.offset_data + member.size
            if len(members) > TAR_MEMBERS.value():
                return members, False
        return members, end <= total
    except (zipfile.BadZipFile, *DAMAGES, struct.error, NotImplementedError):  # the last: zips of kinds zipfile lacks
        return members, False


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]
