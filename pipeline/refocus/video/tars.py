"""Videos inside uncompressed tar shards, as VISTA-400K ships them: read in place, never unpacked.

A member's address is a relative path like any other, `<tar>/<offset>+<size>/<name>`: the bytes of the tar that are the
video. With the place in the address, whoever decodes the clip reads one header instead of those of a 20 GB archive.
"""

import logging
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.limits import TAR_MEMBERS

logger = logging.getLogger(__name__)

SUFFIX = ".tar"
EXTENDED = 1 << 20  # bytes of a header that carries a long name or attributes; more is no archive of videos
LONGEST_NAME = 255  # bytes of a file's name on any file system
DAMAGES = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, IndexError, RecursionError)
_ADDRESS = re.compile(r"(?P<tar>.+\.tar)/(?P<offset>\d{1,18})\+(?P<size>\d{1,18})/(?P<name>[^/]+)", re.DOTALL | re.I)


@dataclass(frozen=True)
class ByteSpan:
    """The bytes that are a video: a whole file, or one member of a tar."""

    file: Path
    offset: int
    size: int  # bytes
    whole: bool

    @property
    def url(self) -> str:
        """What FFmpeg, and everything built on it, opens to read exactly these bytes."""
        if self.whole:
            return f"file:{self.file}"
        return f"subfile,,start,{self.offset},end,{self.offset + self.size},,:file:{self.file}"


def members(tar: Path) -> dict[str, str]:
    """File name → address (relative to the tar's folder) of every complete file in a tar; the first of a name wins.

    An archive that is cut off or damaged gives what lies before the damage; a log line says so.

    Raises:
        RefocusError: it holds more files than the limit.
    """
    found: dict[str, str] = {}
    total = tar.stat().st_size
    complete = True
    try:
        with tarfile.open(tar, "r:", tarinfo=_Header) as archive:
            most = TAR_MEMBERS.value()
            for member in _listed(archive):
                if not member.isfile() or member.sparse:
                    continue
                if member.offset_data + member.size > total:
                    complete = False
                    break
                if len(found) == most:
                    raise RefocusError(f"{tar}: {TAR_MEMBERS.refusal('more files')}")
                name = posixpath.basename(member.name)
                if len(os.fsencode(name)) <= LONGEST_NAME:
                    found.setdefault(name, f"{tar.name}/{member.offset_data}+{member.size}/{name}")
            complete = complete and _ended(tar, archive.offset)
    except DAMAGES as error:
        logger.warning("%s: cannot be read to its end (%s); %d files were found in it", tar, error, len(found))
        return found
    if not complete:
        logger.warning("%s: is cut off or damaged; %d complete files were found in it", tar, len(found))
    return found


def every_member(tar: Path) -> Iterator[tarfile.TarInfo]:
    """The headers of an archive, one at a time.

    Raises:
        One of DAMAGES: it cannot be read to its end.
    """
    with tarfile.open(tar, "r:", tarinfo=_Header) as archive:
        yield from _listed(archive)


class _Header(tarfile.TarInfo):
    """A member's header, read without following what a hostile one says: `tarfile` takes any length at its word."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        extends = self.type in (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if self.size < 0 or (extends and self.type != tarfile.GNUTYPE_SPARSE and self.size > EXTENDED):
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        if self.type == tarfile.XGLTYPE:  # attributes of all members, which would be held: none of them is needed
            blocks = -(-self.size // tarfile.BLOCKSIZE)
            archive.fileobj.seek(archive.fileobj.tell() + blocks * tarfile.BLOCKSIZE)
            return archive.tarinfo.fromtarfile(archive)
        return super()._proc_member(archive)  # type: ignore[misc]  # private, and the same since Python 2.6

    def _proc_gnusparse_00(self, following: tarfile.TarInfo, *_: object) -> None:
        following.sparse = b"not read"  # holes in a video are of no use: the member is passed over, its map not read

    _proc_gnusparse_01 = _proc_gnusparse_10 = _proc_gnusparse_00


def _listed(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, none of which is kept; ends where a member does not lie behind the one before."""
    position = -1
    while (member := archive.next()) is not None:
        if member.offset_data <= position or member.size < 0:
            raise tarfile.ReadError("members lie over each other")
        position = member.offset_data
        archive.members.clear()  # type: ignore[attr-defined]
        yield member


def _ended(tar: Path, offset: int) -> bool:
    """Whether an archive ends here as it should, with zeros; `tarfile` takes anything for an end."""
    with tar.open("rb") as handle:
        handle.seek(offset)
        return handle.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def locate(path: Path) -> ByteSpan:
    """Where the bytes of a video are: `path` is a file, or the address of a member below the tar's folder.

    Raises:
        FileNotFoundError: there is no such file, or the tar does not have this member at this place.
    """
    if os.path.isfile(path):  # unlike Path.is_file, False also for names that are too long
        return ByteSpan(path, 0, path.stat().st_size, True)
    address = _ADDRESS.fullmatch(path.as_posix())
    if address is None or not os.path.isfile(tar := Path(address["tar"])):
        raise FileNotFoundError(f"{path}: no such file")
    offset, size = int(address["offset"]), int(address["size"])
    if not _has_member(tar, offset, size):
        raise FileNotFoundError(f"{path}: the tar has no such member at this place; ingest the data set again")
    return ByteSpan(tar, offset, size, False)


def _has_member(tar: Path, offset: int, size: int) -> bool:
    """Whether a header of a plain file of this size stands before these bytes of a tar."""
    if offset < tarfile.BLOCKSIZE or offset + size > tar.stat().st_size:
        return False
    with tar.open("rb") as handle:
        handle.seek(offset - tarfile.BLOCKSIZE)
        header = handle.read(tarfile.BLOCKSIZE)
    try:
        member = tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return member.size == size and member.isreg() and member.type != tarfile.GNUTYPE_SPARSE
