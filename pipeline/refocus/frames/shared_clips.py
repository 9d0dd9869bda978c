"""Videos shared by several data sets are decoded once: clips are copied from other shards, found by the file's content.

Beside every shard lies `{shard}.sources.json`: which clip was made from which content and bounds. A clip whose file has
the bytes of another set's, and whose bounds are the same, is copied from there. Shards that are being decoded at the
same moment do not know of each other yet; each then decodes for itself, to the same bytes.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from refocus.core.files import write_json
from refocus.core.json_text import loads
from refocus.frames.decode_clip import DecodeJob, StoredClip
from refocus.frames.shard_reader import ShardReader
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate

logger = logging.getLogger(__name__)
Bounds = tuple[float | None, float | None]
Entry = tuple[int, str, float | None, float | None, str]  # size, SHA-256, bounds, clip


@dataclass(frozen=True)
class SharedClip:
    """A clip of another shard, where it has another name."""

    reader: ShardReader
    clip_id: str
    job: DecodeJob

    def read(self) -> StoredClip:
        """The clip as decoding the job's own file would give it."""
        found, row = self.reader.read(self.clip_id), self.job.row
        return StoredClip(replace(found.metadata, clip_id=row.clip_id, video_path=row.video_path), found.files)


def write_sources(reader: ShardReader) -> None:
    """Writes what other shards may copy from a finished one."""
    write_json(_sources(reader.path), catalogue(reader))


def catalogue(reader: ShardReader) -> list[list[Any]]:
    """What other shards may copy from a finished one: clips that are whole."""
    clips = [metadata for clip in reader.order() if (metadata := reader.metadata(clip)) and metadata.status == "ok"]
    return [[clip.source_bytes, clip.source_sha256, clip.start_s, clip.end_s, clip.clip_id] for clip in clips]


def shared_clips(jobs: Sequence[DecodeJob], folder: Path, tar: Path) -> dict[str, SharedClip]:
    """Which jobs' clips other shards hold already.

    Args:
        jobs: clips that are to be decoded.
        folder: shards of the same decode settings, in one folder per data set.
        tar: the shard that is being made.
    """
    known: dict[tuple[int, Bounds], list[tuple[str, Path, str]]] = {}
    for path, entries in _catalogues(folder, tar):
        for size, sha256, start_s, end_s, clip_id in entries:
            known.setdefault((size, (start_s, end_s)), []).append((sha256, path, clip_id))
    readers: dict[Path, ShardReader] = {}
    found: dict[str, SharedClip] = {}
    for job in jobs if known else ():
        span = locate(job.video)
        candidates = known.get((span.size, (job.row.start_s, job.row.end_s)), [])
        source = source_digest(span) if candidates else ""
        for sha256, path, clip_id in candidates:
            if sha256 != source:
                continue
            reader = readers.setdefault(path, ShardReader(path))
            metadata = reader.metadata(clip_id)
            same = metadata and (metadata.source_sha256, metadata.decode) == (source, job.settings.fingerprint())
            if same and reader.intact(clip_id):
                found[job.row.clip_id] = SharedClip(reader, clip_id, job)
                break
    return found


def _catalogues(folder: Path, tar: Path) -> Iterator[tuple[Path, list[Entry]]]:
    for path in sorted(folder.glob("*/*.sources.json")):
        if path == _sources(tar):
            continue
        try:
            entries = [_entry(values) for values in loads(path.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            logger.warning("%s: passed over, its videos are decoded again (%s)", path, error)
        else:
            yield path.with_name(path.name.replace(".sources.json", ".tar")), entries


def _entry(values: Any) -> Entry:
    """One line of a catalogue.

    Raises:
        TypeError, ValueError: it is none.
    """
    size, sha256, start_s, end_s, clip_id = values
    bounds = all(bound is None or isinstance(bound, int | float) for bound in (start_s, end_s))
    if not (isinstance(size, int) and isinstance(sha256, str) and isinstance(clip_id, str) and bounds):
        raise ValueError(f"not a clip: {values}")
    return size, sha256, start_s, end_s, clip_id


def _sources(tar: Path) -> Path:
    return tar.with_name(tar.name.removesuffix(".tar") + ".sources.json")
