"""The complete clips of a tar, whether it is finished, left by a killed run, or truncated."""

import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.frames.clip_metadata import ByteRange, ClipMetadata
from refocus.frames.decode_clip import StoredClip
from refocus.frames.encoding import checksums
from refocus.frames.index import IndexRow
from refocus.frames.tar_writer import BLOCK, END, member_size, members

WINDOW, BYTES_PER_FRAME = 1 << 16, 128  # metadata and an mp4's header lie in so many bytes before the first frame


@dataclass
class _Entry:
    metadata: ClipMetadata
    names: list[str]
    start: int  # where the header of its first member begins
    end: int
    places: list[ByteRange] = field(default_factory=list)

    def awaits(self, name: str) -> bool:
        return len(self.places) < len(self.names) and self.names[len(self.places)] == name


class ShardReader:
    """The clips of one file, in its order. Only metadata and places are held; frames are read when asked for."""

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
                    entry = _entry(clip, handle.read(member.size), start, position)
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

    def metadata(self, clip_id: str) -> ClipMetadata | None:
        """What the shard says of a clip, None if it is not here."""
        entry = self._clips.get(clip_id)
        return entry.metadata if entry else None

    def row(self, clip_id: str, tar: str) -> IndexRow:
        """A clip's row in the index of this file; `tar` is how the index calls the file."""
        entry = self._clips[clip_id]
        return index_row(entry.metadata, entry.places, tar)

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
        return StoredClip(entry.metadata, files)

    def intact(self, clip_id: str) -> bool:
        """Whether a clip's frames are the bytes that were stored; True also in a shard that has no checksums."""
        return is_intact(self.read(clip_id))

    def span(self, clip_id: str) -> ByteRange:
        """Where the headers and contents of a clip lie."""
        entry = self._clips[clip_id]
        return entry.start, entry.end - entry.start

    def beginning(self, clips: list[str]) -> int | None:
        """Where a file would be continued that begins with exactly these clips; None if this one does not."""
        position = 0
        for clip, entry in zip(clips, self._clips.values(), strict=False):
            if entry.metadata.clip_id != clip or entry.start != position:
                return None
            position = entry.end
        return position if len(clips) <= len(self._clips) else None


def is_intact(stored: StoredClip) -> bool:
    """Whether a clip's frames, and the video around them, are the bytes that were stored; True also for one that has no
    checksums."""
    noted, video = stored.metadata.checksums, stored.metadata.form.checksum
    frames = not noted or tuple(checksums(stored.metadata, stored.files)) == noted
    return frames and (video is None or zlib.crc32(stored.files[0]) == video)


def metadata_before(tar: Path, clip: str, position: int, n_frames: int) -> ClipMetadata | None:
    """What a finished shard says of a clip, found from where its first frame is decoded from.

    The metadata lie right before the frames, so that nothing else of the shard is read.

    Args:
        position: byte of the tar; n_frames: how many frames the clip has.
    Returns:
        None if it is not there.
    """
    reach = WINDOW + BYTES_PER_FRAME * n_frames
    start = max(0, position - reach) // BLOCK * BLOCK
    with tar.open("rb") as handle:
        handle.seek(start)
        data = handle.read(position - start)
    name = f"{clip}.json\0".encode()
    for at in reversed(range(0, len(data), BLOCK)):
        if data.startswith(name, at):
            content = data[at + BLOCK : at + BLOCK + member_size(data[at : at + BLOCK])]
            entry = _entry(clip, content, start + at, position)
            return entry.metadata if entry else None
    return None


def index_row(metadata: ClipMetadata, members: list[ByteRange], tar: str) -> IndexRow:
    """The index row of a clip whose members' contents lie at these places of `tar`."""
    ranges = metadata.frame_ranges(members)
    return IndexRow(
        clip_id=metadata.clip_id,
        status=metadata.status,
        error=metadata.error,
        n_frames=metadata.n_frames,
        timestamps_s=list(metadata.timestamps_s),
        source_frames=list(metadata.source_frames),
        tar=tar,
        offsets=[offset for offset, _ in ranges],
        sizes=[size for _, size in ranges],
        video_digest=metadata.source_sha256,
        checksums=list(metadata.checksums),
    )


def _entry(clip: str, content: bytes, start: int, end: int) -> _Entry | None:
    try:
        metadata = ClipMetadata.from_json(content)
    except ValueError:  # what an earlier version wrote counts as none
        return None
    return _Entry(metadata, metadata.member_names, start, end) if metadata.clip_id == clip else None
