"""Questions about videos from a file, and picks for them to a file: many at once, without the workflow."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.core.errors import RefocusError, UsageError
from refocus.core.extras import require
from refocus.core.files import write_table, write_text
from refocus.select.frame_selector import Ask, FrameSelector
from refocus.select.picks import VideoFile
from refocus.select.video_selection import VideoSelection

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".jsonl")
FIELDS = ("timestamps_s", "frames_indices", "pick_order", "score")


@dataclass(frozen=True)
class AskedVideo:
    """Questions about one video file."""

    video: Path
    asks: tuple[Ask, ...]


def read_questions(path: Path, videos: Path | None) -> list[AskedVideo]:
    """The questions of a table, video by video in the order in which these come.

    Args:
        path: .csv, .tsv, .jsonl, .json or .parquet with the columns video, question, and if there are any options
            (a list, or option_a, option_b, …) and id.
        videos: the folder that paths in it are relative to; None: the table's own.
    Raises:
        UsageError: a column or a video is missing, a row is unusable, or there is none; names file and row.
    """
    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path}")
    from refocus.qa.adapters.table import asked_rows

    folder, found = videos or path.parent, dict[Path, list[Ask]]()
    for row in asked_rows(path):
        video = folder / row.video
        if not os.path.isfile(video):  # unlike Path.is_file, False also for names that are too long
            raise UsageError(f"{row.where}: there is no file {video}; --videos DIR is the folder that paths start at")
        if not row.question.strip():
            raise UsageError(f"{row.where}: the question is empty")
        found.setdefault(video, []).append(Ask(row.question, row.options, row.id or None))
    if not found:
        raise UsageError(f"{path} has no question")
    return [AskedVideo(video, tuple(asks)) for video, asks in found.items()]


def rows_of(
    asked: AskedVideo, made: list[VideoSelection] | RefocusError, selector: FrameSelector
) -> Iterable[dict[str, Any]]:
    """A row for each question about one video: what was picked, or why nothing could be."""
    picked: Sequence[VideoSelection | None] = [None] * len(asked.asks) if isinstance(made, RefocusError) else made
    about = asdict(VideoFile(str(asked.video)) if isinstance(made, RefocusError) else made[0].file)
    for ask, selection in zip(asked.asks, picked, strict=True):
        row = {"id": ask.id, "question": ask.question, "options": list(ask.options), **about}
        row |= {name: list(getattr(selection, name)) if selection else [] for name in FIELDS}
        row |= {"selector": selector.name, "selector_digest": selector.digest}
        yield row | {"error": str(made) if isinstance(made, RefocusError) else None}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes .parquet or .jsonl, by the file's ending; docs/data_dictionary.md has the columns."""
    if path.suffix == ".jsonl":
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return
    import pyarrow as pa

    write_table(path, pa.Table.from_pylist(list(rows), schema=rows_schema()), "select", {})


def rows_schema() -> "pa.Schema":
    """The columns of the table; pyarrow is not needed for .jsonl."""
    import pyarrow as pa

    texts, numbers, fractions = pa.string(), pa.list_(pa.int64()), pa.list_(pa.float64())
    return pa.schema(
        [
            ("id", texts),
            ("question", texts),
            ("options", pa.list_(texts)),
            ("video", texts),
            ("video_digest", texts),
            ("total_num_frames", pa.int64()),
            ("fps", pa.float64()),
            ("duration_s", pa.float64()),
            ("timestamps_s", fractions),
            ("frames_indices", numbers),
            ("pick_order", numbers),
            ("score", fractions),
            ("selector", texts),
            ("selector_digest", texts),
            ("error", texts),
        ]
    )


def check_ending(path: Path) -> None:
    """Raises a UsageError for a file that `write_rows` does not write, or not here."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: name it {' or '.join(ENDINGS)}, which says what is written")
    if path.suffix == ".parquet":
        require("pyarrow")
