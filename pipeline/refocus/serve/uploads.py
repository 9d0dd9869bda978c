"""Uploaded videos: one for each open page, deleted when the page asks about another one or is closed."""

import logging
import shutil
import threading
from pathlib import Path

log = logging.getLogger(__name__)


class Uploads:
    """Which page has which file. Pages that upload equal files share one copy (Gradio names it by its content)."""

    def __init__(self, folder: Path):
        """folder: where the copies lie, each in a folder of its own."""
        self.folder = folder.resolve()
        self._held: dict[str, Path] = {}
        self._lock = threading.Lock()

    def hold(self, page: str, video: Path | None) -> None:
        """Says which file a page has now; the one it had is deleted, if no other page has it.

        Args:
            page: the page's session.
        """
        with self._lock:
            before = self._held.pop(page, None)
            if video is not None:
                self._held[page] = video
            if before is not None and before not in self._held.values():
                self._delete(before)

    def _delete(self, video: Path) -> None:
        folder = video.resolve().parent
        if self.folder in folder.parents:  # nothing but copies
            shutil.rmtree(folder, ignore_errors=True)
            log.debug("deleted %s", video)
