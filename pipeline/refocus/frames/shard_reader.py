"""The complete clips of a tar, however it ended: a finished shard, a killed run's draft, a file cut off."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.frames.decode_clip import StoredClip
from refocus.frames.encoding import Range, member_names, ranges
from refocus.frames.index import IndexRow
from refocus.frames.tar_writer import END, members


@dataclass
class _Entry:
    notes: dict[str, Any]
    names: list[str]
    start: int  # where the header of its first member begins
    end: int
    places: list[Range] = field(default_factory=list)

    def awaits(self, name: str) -> bool:
        return len(self.places) < len(self.names) and self.names[len(self.places)] == name


class ShardReader:
    """The clips of one file, in its order. Only notes and places are held; frames are read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False  # the archive ends as it should, with nothing missing and nothing behind it
        self._clips: dict[str, _Entry] = {}
        if path.is_file():
            self._scan()

    def _scan(self) -> None:
        found: dict[str, _Entry] = {}
        position = 0
        with self.path.open("rb") as handle:
            self._inode = os.fstat(handle.fileno()).st_ino
            for member in members(self.path):
                start, position = position, member.end
                clip, _, kind = member.name.partition(".")
                if kind == "json":
                    handle.seek(member.offset)
                    entry = _noted(clip, handle.read(member.size), start, position)
                    if entry is not None:
                        found[clip] = entry
                elif clip in found and found[clip].awaits(member.name):
                    found[clip].places.append((member.offset, member.size))
                    found[clip].end = position
            handle.seek(position)
            self.whole = handle.read(len(END) + 1) == END
        self._clips = {clip: entry for clip, entry in found.items() if len(entry.names) == len(entry.places)}

    def __len__(self) -> int:
        return len(self._clips)

    def order(self) -> list[str]:
        """Clip ids in the order of the file."""
        return list(self._clips)

    def notes(self, clip_id: str) -> dict[str, Any] | None:
        """The notes of a clip, None if it is not here."""
        entry = self._clips.get(clip_id)
        return entry.notes if entry else None

    def row(self, clip_id: str, tar: str) -> IndexRow:
        """A clip's row in the index of this file; `tar` is how the index calls the file."""
        entry = self._clips[clip_id]
        return index_row(entry.notes, entry.places, tar)

    def read(self, clip_id: str) -> StoredClip:
        """The clip itself.

        Raises:
            RefocusError: another run has replaced the file.
        """
        entry = self._clips[clip_id]
        files = []
        with self.path.open("rb") as handle:
            if os.fstat(handle.fileno()).st_ino != self._inode:
                raise RefocusError(f"{self.path}: another run has replaced it meanwhile; run again")
            for offset, size in entry.places:
                handle.seek(offset)
                files.append(handle.read(size))
        return StoredClip(entry.notes, files)

    def beginning(self, clips: list[str]) -> int | None:
        """Where a file would be continued that begins with exactly these clips; None if this one does not."""
        position = 0
        for clip, entry in zip(clips, self._clips.values(), strict=False):
            if entry.notes["clip_id"] != clip or entry.start != position:
                return None
            position = entry.end
        return position if len(clips) <= len(self._clips) else None


def index_row(notes: dict[str, Any], places: list[Range], tar: str) -> IndexRow:
    """The index row of a clip whose members lie at these places of `tar`."""
    found = ranges(notes, places)
    return IndexRow(
        clip_id=notes["clip_id"],
        status=notes["status"],
        error=notes["error"],
        n_frames=notes["n_frames"],
        timestamps=notes["timestamps"],
        source_frames=notes["source_frames"],
        tar=tar,
        offsets=[offset for offset, _ in found],
        sizes=[size for _, size in found],
    )


def _noted(clip: str, content: bytes, start: int, end: int) -> _Entry | None:
    try:
        notes = json.loads(content)
        return _Entry(notes, member_names(notes), start, end) if notes["clip_id"] == clip else None
    except (ValueError, KeyError, TypeError):  # an earlier version's notes count as none
        return None
