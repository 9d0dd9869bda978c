"""The folder of a source's videos as later stages open them: what ingest checked may have been replaced by a link.

Where links may lead beyond the folder (`allowed_roots`) is noted in the tables that ingest writes.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from refocus.core import parquet
from refocus.core.files import settings_of
from refocus.qa.video_finder import bounds, checked, inside
from refocus.video.probe import VideoError

NOTE = "allowed_roots"  # among the settings of ingest's tables; absent where there are none


class VideoRoot:
    """Opens paths of a table below a folder and nowhere else.

    Args:
        table: where ingest noted which other folders links may lead into; None: none are allowed.
    """

    def __init__(self, folder: Path, table: Path | None = None) -> None:
        self.folder = folder
        allowed: Sequence[str] = settings_of(parquet.read_schema(table)).get(NOTE, []) if table else []
        self._bounds = bounds(folder, [Path(root) for root in allowed])

    def file(self, path: str) -> Path:
        """The file, or the address in a tar, of a path that a table has; it need not exist.

        Raises:
            VideoError: the path leaves the folder, by its parts or through a link.
        """
        try:
            file = self.folder / checked(path)
        except ValueError as error:
            raise VideoError(str(error)) from None
        target = os.path.realpath(file)
        if not inside(target, self._bounds):
            raise VideoError(
                f"{path}: leaves the data root through a link (to {target}); if that is where it belongs, name the "
                "folder in allowed_roots of this data set or benchmark and ingest it again"
            )
        return file
