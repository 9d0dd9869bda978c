"""Picks of a table that is not written yet, one small file per video: a run that was ended goes on behind them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from refocus import __version__
from refocus.core.content import mark
from refocus.core.files import digest, write_text
from refocus.select.question_list import AskedVideo

Rows = list[dict[str, Any]]


class KeptRows:
    """The rows of finished videos, in a folder beside the table until `clear`."""

    def __init__(self, out: Path, made_by: Mapping[str, Any]) -> None:
        """`out`: the table. `made_by`: all that its picks depend on, beside the videos and questions."""
        self.folder = out.with_name(f"{out.name}.parts")
        self._made_by = {**made_by, "version": __version__}

    def read(self, asked: AskedVideo) -> Rows | None:
        """The rows of one video; None where it is still to be asked, its file is another or these are damaged."""
        try:
            kept = json.loads(self._path(asked).read_text(encoding="utf-8"))
            return kept["rows"] if kept["digest"] == digest(kept["rows"]) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, asked: AskedVideo, rows: Rows) -> None:
        """Keeps the rows of one video."""
        write_text(self._path(asked), json.dumps({"digest": digest(rows), "rows": rows}))

    def clear(self) -> None:
        """Removes the folder, once the table holds everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, asked: AskedVideo) -> Path:
        asks: Sequence[Any] = [asdict(ask) for ask in asked.asks]
        name = digest([self._made_by, str(asked.video), mark(asked.video), asks], 32)
        return self.folder / f"{name}.json"
