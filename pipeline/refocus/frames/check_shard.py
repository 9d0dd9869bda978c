"""Whether a stored shard is, byte for byte, what decoding wrote, and whether its index says what it says itself."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.decode_clip import StoredClip
from refocus.frames.index import IndexRow, read_index
from refocus.frames.shard_reader import ShardReader, is_intact
from refocus.frames.shared_clips import catalogue
from refocus.frames.tar_writer import END, TarWriter


def shard_damage(tar: Path) -> Iterator[str]:
    """What of a finished shard is not what was written, clip by clip; every byte is read."""
    reader = ShardReader(tar)
    position = 0
    with tar.open("rb") as handle:
        for clip in reader.order():
            start, size = reader.span(clip)
            if start > position:
                yield _lost(position, start)
            stored = reader.read(clip)
            handle.seek(start)
            if not is_intact(stored):
                yield f"frames of clip {clip} are not the bytes that were stored"
            elif handle.read(size) != _as_written(stored):
                yield f"clip {clip} is not stored as it was written"
            position = start + size
        whole = reader.whole and position + len(END) == tar.stat().st_size
    if not whole:
        yield _lost(position, tar.stat().st_size)


def without_checksums(tar: Path) -> int:
    """How many clips of a shard have none, or none of the video that holds their frames, as earlier versions stored."""
    reader = ShardReader(tar)
    metadata = [reader.metadata(clip) for clip in reader.order()]
    return sum(1 for clip in metadata if clip is not None and clip.n_frames and not _all_summed(clip))


def index_damage(index: Path) -> Iterator[str]:
    """Where an index and the shards that it names do not fit.

    Raises:
        RefocusError: the index cannot be read.
    """
    readers: dict[str, ShardReader] = {}
    for row in read_index(index):
        if not row.n_frames:
            continue
        tar = index.parent / row.tar
        if row.tar not in readers:
            readers[row.tar] = ShardReader(tar)
            if not tar.is_file():
                yield f"{tar}, the shard that it names, is missing"
        reader = readers[row.tar]
        if len(reader) and reader.metadata(row.clip_id) is None:
            yield f"{tar.name} has no whole clip {row.clip_id}"
        elif len(reader) and not _same(row, reader.row(row.clip_id, row.tar)):
            yield f"says otherwise than {tar.name} where the frames of clip {row.clip_id} are, or when they are shown"


def catalogue_damage(sources: Path, tar: Path) -> Iterator[str]:
    """Whether the list of a shard's sources is the one that is made of it."""
    try:
        noted = json.loads(sources.read_bytes())
    except ValueError as error:
        raise RefocusError(f"{sources}: not JSON ({error})") from None
    if noted != catalogue(ShardReader(tar)):
        yield f"does not list the clips of {tar.name}"


def _all_summed(clip: ClipMetadata) -> bool:
    return bool(clip.checksums) and (clip.form.name != "video" or clip.form.checksum is not None)


def _lost(start: int, end: int) -> str:
    return f"{end - start} bytes from byte {start} on are of no whole clip"


def _as_written(clip: StoredClip) -> bytes:
    content = BytesIO()
    writer = TarWriter(content)
    for name, data in clip.members():
        writer.add(name, data)
    return content.getvalue()


def _same(noted: IndexRow, stored: IndexRow) -> bool:
    """Whether two rows agree; what an index of an earlier version lacks is not held against it."""
    old = ("video_digest", "checksums")
    mine, theirs = vars(noted), vars(stored)
    return all(value == theirs[name] or (name in old and value in (None, [])) for name, value in mine.items())
