"""Plain ustar files: the same members give the same bytes, and every member's offset is known.

webdataset's own TarWriter cannot go on with the file of a killed run, does not say where a member lies, and pads the
end to 10 KiB, so we write here and leave reading to it: members of a clip are `{clip_id}.json` and then
`{clip_id}.0000.jpg`, `{clip_id}.0001.jpg`, … or `{clip_id}.mp4`, which it groups into one sample under the key
`clip_id`.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 512
END = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Member:
    """A file inside a tar: where its content lies."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the next header starts."""
        return self.offset + self.size + -self.size % BLOCK


class TarWriter:
    """Appends members to a binary file, from `position` on, and remembers nothing but the position."""

    def __init__(self, handle: BinaryIO, position: int = 0) -> None:
        self.handle = handle
        self.position = position

    def add(self, name: str, content: bytes) -> Member:
        """Writes one member; returns where its content lies."""
        self.handle.write(header(name, len(content)))
        self.handle.write(content)
        self.handle.write(bytes(-len(content) % BLOCK))
        member = Member(name, self.position + BLOCK, len(content))
        self.position = member.end
        return member

    def close(self) -> None:
        """Writes the end of the archive; the file itself stays open."""
        self.handle.write(END)


def header(name: str, size: int) -> bytes:
    """A ustar header of a regular file: mode 644, no owner, time 0.

    Raises:
        ValueError: the name has more than 100 characters, or the size is 8 GiB or more.
    """
    if len(name) > 100:
        raise ValueError(f"{name}: more than 100 characters do not fit a ustar header")
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def member_size(block: bytes) -> int:
    """The size that a header gives.

    Raises:
        ValueError: it gives none.
    """
    return int(block[124:135], 8)


def members(path: Path) -> Iterator[Member]:
    """The regular members of a tar this module wrote, up to its end or to where it is damaged or cut off."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        position = 0
        while position + BLOCK <= size:
            handle.seek(position)
            block = handle.read(BLOCK)
            name = block[:100].rstrip(b"\0").decode("ascii", "replace")
            try:
                length = member_size(block)
                valid = block == header(name, length)
            except (ValueError, UnicodeEncodeError):
                return
            if not valid or position + BLOCK + length > size:
                return
            member = Member(name, position + BLOCK, length)
            yield member
            position = member.end
