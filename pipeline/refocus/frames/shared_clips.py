"""Videos that several data sets have are decoded once: clips of other shards of a store, found by the file's content.

Beside every shard lies `{shard}.sources.json`: which clip was made from which content and bounds. A clip whose file has
the bytes of another set's, and whose bounds are the same, is copied from there. Shards that are being decoded at the
same moment do not know of each other yet; each then decodes for itself, to the same bytes.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refocus.core.files import write_json
from refocus.frames.decode_clip import DecodeJob, StoredClip, content
from refocus.frames.shard_reader import ShardReader
from refocus.video.tars import locate

logger = logging.getLogger(__name__)
COLUMNS = ("source_bytes", "source", "start_s", "end_s", "clip_id")
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class SharedClip:
    """A clip that lies on another shard's shelf under another name."""

    shelf: ShardReader
    clip_id: str
    job: DecodeJob

    def read(self) -> StoredClip:
        """The clip as decoding the job's own file would give it."""
        lent, row = self.shelf.read(self.clip_id), self.job.row
        return StoredClip({**lent.notes, "clip_id": row.clip_id, "video_path": row.video_path}, lent.files)


def write_sources(shelf: ShardReader) -> None:
    """Writes what a finished shard can lend: clips that are whole."""
    notes = [shelf.notes(clip) or {} for clip in shelf.order()]
    write_json(_sources(shelf.path), [[note[key] for key in COLUMNS] for note in notes if note["status"] == "ok"])


def shared_clips(jobs: Sequence[DecodeJob], folder: Path, tar: Path) -> dict[str, SharedClip]:
    """Which jobs' clips other shards hold already.

    Args:
        jobs: clips that are to be decoded.
        folder: shards of the same decode settings, in one folder per data set.
        tar: the shard that is being made.
    """
    lenders: dict[tuple[int, Bounds], list[tuple[str, Path, str]]] = {}
    for path, entries in _catalogues(folder, tar):
        for size, source, start, end, clip_id in entries:
            lenders.setdefault((size, (start, end)), []).append((source, path, clip_id))
    shelves: dict[Path, ShardReader] = {}
    found: dict[str, SharedClip] = {}
    for job in jobs if lenders else ():
        span = locate(job.video)
        offers = lenders.get((span.size, (job.row.start_s, job.row.end_s)))
        source = content(span) if offers else ""
        for offered, path, clip_id in offers or ():
            if offered != source:
                continue
            shelf = shelves.setdefault(path, ShardReader(path))
            notes = shelf.notes(clip_id) or {}
            if notes.get("source") == source and notes.get("decode") == job.settings.fingerprint():
                found[job.row.clip_id] = SharedClip(shelf, clip_id, job)
                break
    return found


def _catalogues(folder: Path, tar: Path) -> Iterator[tuple[Path, list[list[Any]]]]:
    for path in sorted(folder.glob("*/*.sources.json")):
        if path == _sources(tar):
            continue
        try:
            yield path.with_name(path.name.replace(".sources.json", ".tar")), json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            logger.warning("%s: passed over (%s)", path, error)


def _sources(tar: Path) -> Path:
    return tar.with_name(tar.name.removesuffix(".tar") + ".sources.json")
