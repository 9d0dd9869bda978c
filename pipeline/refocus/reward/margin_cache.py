"""The store of the reward pass: one small file per clip, so that a killed job or a grown data set loses nothing.

A file holds the margins of some of a clip's questions and a digest of what they depend on: the frames and the settings.
It is used only if that digest is still the same; questions it lacks are computed and added.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import atomic, digest
from refocus.frames.index import ClipFrames
from refocus.reward.margin_table import MARGIN_SCHEMA

DIGEST = b"refocus.mark"  # the key in the file's metadata


class MarginCache:
    """The margins of one shard's clips in one folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self._identity = dict(identity)

    def read(self, clip: ClipFrames) -> pa.Table:
        """The clip's margins, computed under the same settings on the same frames; empty if there are none.

        A damaged file counts as none and is replaced by the next `write`.
        """
        nothing = MARGIN_SCHEMA.empty_table()
        if self._folder is None or not self._path(clip.clip_id).is_file():
            return nothing
        try:
            table = parquet.read_table(self._path(clip.clip_id))
        except RefocusError:
            return nothing
        found = (table.schema.metadata or {}).get(DIGEST)
        if found != self._digest(clip) or not table.schema.equals(MARGIN_SCHEMA):
            return nothing
        return table.replace_schema_metadata(None)

    def write(self, clip: ClipFrames, table: pa.Table) -> None:
        """Keeps all of the clip's margins."""
        if self._folder is not None:
            with atomic(self._path(clip.clip_id)) as draft:
                parquet.write(table.replace_schema_metadata({DIGEST: self._digest(clip)}), draft)

    def _digest(self, clip: ClipFrames) -> bytes:
        """What the margins depend on; of an index of an earlier version, which names no content, as it was then."""
        parts = [self._identity, [round(float(second), 3) for second in clip.timestamps_s]]
        return digest([*parts, clip.content] if clip.content else parts, 16).encode()

    def _path(self, clip_id: str) -> Path:
        return Path(self._folder or "") / f"{clip_id}.parquet"
