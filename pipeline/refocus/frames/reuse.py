"""Which stored clips are still what decoding their video files would give."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from refocus.core.progress import bar
from refocus.frames.clip_metadata import ClipMetadata
from refocus.frames.shard_reader import ShardReader
from refocus.qa.clips import ClipRow
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate

logger = logging.getLogger(__name__)


class Reuse:
    """Compares stored clips with their files, each file and each stored clip read once.

    Args:
        videos: data root of the clips' paths.
        fingerprint: of the decode settings.
    """

    def __init__(self, videos: Path, fingerprint: str) -> None:
        self._videos, self._fingerprint = videos, fingerprint
        self._digests: dict[str, str] = {}
        self.fits = functools.cache(self._fits)

    def found(self, clips: Sequence[ClipRow], readers: Sequence[ShardReader]) -> dict[str, ShardReader]:
        """Where each clip can be copied from."""
        readers = [reader for reader in readers if len(reader)]
        if not readers:
            return {}
        places = {}
        for row in bar(clips, desc="compare what is stored", unit="clip"):
            reader = next((reader for reader in readers if self.fits(reader, row)), None)
            if reader is not None:
                places[row.clip_id] = reader
        return places

    def _fits(self, reader: ShardReader, row: ClipRow) -> bool:
        """Whether a shard holds a clip as it was stored, by the same settings, from the file as it is now.

        A file that is gone is not held against what was decoded from it.
        """
        metadata = reader.metadata(row.clip_id)
        if metadata is None or metadata.decode != self._fingerprint or not self._is_source(row.video_path, metadata):
            return False
        if not reader.intact(row.clip_id):
            logger.warning("%s: clip %s is not what was stored; it is decoded again", reader.path, row.clip_id)
            return False
        return True

    def _is_source(self, path: str, metadata: ClipMetadata) -> bool:
        """Whether a file has the bytes that a clip was decoded from: its date and even its size may be the same."""
        try:
            span = locate(self._videos / path)
        except OSError:
            return True
        if span.size != metadata.source_bytes:
            return False
        if path not in self._digests:
            self._digests[path] = source_digest(span)
        return self._digests[path] == metadata.source_sha256
