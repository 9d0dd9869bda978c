"""The table of picks (DESIGN section 4, stage 6)."""

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import settings_of, write_table
from refocus.core.results_folder import SELECTIONS
from refocus.select.picks import Selection, VideoFile

NO_FRAMES = "no_frames"  # the clip could not be decoded: nothing to pick from
NOT_ASKED = "not_asked"  # an LMM's certainty needs options, and no more than it has letters for
ALONE = "alone_on_clip"  # swapped picks need a second question on the clip

SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("frame_indices", pa.list_(pa.int16())),
        ("pick_order", pa.list_(pa.int16())),
        ("timestamps_s", pa.list_(pa.float64())),
        ("score", pa.list_(pa.float32())),
        ("flags", pa.list_(pa.string())),
    ]
)
OF_THE_FILE = pa.schema(
    [
        ("video", pa.string()),
        ("video_digest", pa.string()),
        ("total_num_frames", pa.int64()),
        ("fps", pa.float64()),
        ("duration_s", pa.float64()),
        ("frames_indices", pa.list_(pa.int64())),
        ("selector", pa.string()),
        ("selector_digest", pa.string()),
    ]
)  # what other programs need; tables from before these columns have none of them


def write_selections(path: Path, rows: Mapping[str, Selection], settings: Mapping[str, Any]) -> None:
    """Writes one row per question; the settings (selector, its digest, frames, seed …) go into the schema metadata."""
    files = [asdict(row.file or VideoFile("")) for row in rows.values()]
    columns = {
        "qa_id": list(rows),
        "frame_indices": [row.frame_indices for row in rows.values()],
        "pick_order": [row.pick_order for row in rows.values()],
        "timestamps_s": [row.timestamps_s for row in rows.values()],
        "score": [row.score for row in rows.values()],
        "flags": [row.flags for row in rows.values()],
        **{part.name: [file[part.name] for file in files] for part in fields(VideoFile)},
        "frames_indices": [row.frames_indices for row in rows.values()],
        "selector": [settings.get("selector")] * len(rows),
        "selector_digest": [settings.get("selector_digest")] * len(rows),
    }
    write_table(path, pa.table(columns, schema=pa.schema([*SCHEMA, *OF_THE_FILE])), "select", settings)


def read_selections(path: Path) -> dict[str, Selection]:
    """The rows of a selection table by qa_id, in the table's order.

    A table from before the columns of the file reads too: its rows have no `file` and no `frames_indices`.

    Raises:
        RefocusError: the file is missing or lacks a column.
    """
    try:
        table = parquet.read_table(path)
        old = not set(OF_THE_FILE.names) & set(table.column_names)
        names = SCHEMA.names if old else [*SCHEMA.names, *OF_THE_FILE.names]
        return {row["qa_id"]: _selection(row, old) for row in table.select(names).to_pylist()}
    except (KeyError, TypeError, ValueError) as error:  # a column is missing, empty, or of another kind
        raise RefocusError(f"{path} is not a selection table: {error}") from None


def add_selections(known: MutableMapping[str, Selection], path: Path) -> None:
    """Adds the rows of a selection table to those that are known of the same selector and number of frames.

    Raises:
        UsageError: a question has picks already, as of another seed.
        RefocusError: as `read_selections`.
    """
    rows = read_selections(path)
    if twice := known.keys() & rows.keys():
        raise UsageError(f"{path}: {len(twice)} of its questions have picks in another file; give one seed at a time")
    known.update(rows)


def _selection(row: Mapping[str, Any], old: bool) -> Selection:
    file = None if old else VideoFile(**{part.name: row[part.name] for part in fields(VideoFile)})
    return Selection(
        frame_indices=tuple(row["frame_indices"]),
        timestamps_s=tuple(row["timestamps_s"]),
        pick_order=tuple(row["pick_order"]),
        score=tuple(row["score"]),
        flags=tuple(row["flags"]),
        frames_indices=() if old else tuple(row["frames_indices"]),
        file=file if file and file.video else None,
    )


@dataclass(frozen=True)
class SelectionFolder:
    """One selector's picks on one benchmark: by number of frames and qa_id, with the selector's name and the seed."""

    chosen: dict[int, dict[str, Selection]]
    selector: str
    seed: int


def read_selection_folder(folder: Path, n_frames: Collection[int] = ()) -> SelectionFolder:
    """Reads the selection tables of a folder.

    Args:
        n_frames: the numbers of frames wanted; none: all there are.
    Raises:
        UsageError: one of them is missing, or the tables are of several seeds.
        RefocusError: there are none, or one is unreadable.
    """
    files = [file for file in selection_files(folder) if not n_frames or frames_of(file) in n_frames]
    missing = set(n_frames) - {frames_of(file) for file in files}
    if missing:
        raise UsageError(f"{folder} has no selections of {', '.join(map(str, sorted(missing)))} frames")
    seeds = {seed_of(file) for file in files}
    if len(seeds) > 1:
        raise UsageError(f"{folder} holds selections of several seeds ({sorted(seeds)}); keep one per folder")
    selector = settings_of(parquet.read_schema(files[0]))["selector"]
    return SelectionFolder({frames_of(file): read_selections(file) for file in files}, selector, seeds.pop())


def selection_files(folder: Path) -> list[Path]:
    """The selection tables of one selector, by number of frames.

    Raises:
        RefocusError: there is none.
    """
    files = sorted(Path(folder).glob(SELECTIONS.name.format(frames="*", seed="*")), key=frames_of)
    if not files:
        raise RefocusError(f"{folder} holds no selections (n<frames>.s<seed>.parquet)")
    return files


def tables_below(paths: Iterable[Path]) -> list[Path]:
    """Tables of selections or answers: files as they are given, and those of folders at any depth."""
    pattern = SELECTIONS.name.format(frames="*", seed="*")
    return [file for path in paths for file in (sorted(path.rglob(pattern)) if path.is_dir() else [path])]


def frames_of(path: Path) -> int:
    """The number of frames in a file name `n{frames}.s{seed}.parquet`."""
    return _numbers(path)[0]


def seed_of(path: Path) -> int:
    """The seed in a file name `n{frames}.s{seed}.parquet`."""
    return _numbers(path)[1]


def file_name(frames: int, seed: int) -> str:
    """`n{frames}.s{seed}.parquet`."""
    return SELECTIONS.name.format(frames=frames, seed=seed)


def count_flags(rows: Iterable[Selection]) -> dict[str, int]:
    """How many rows carry each flag."""
    counts: dict[str, int] = {}
    for row in rows:
        for flag in row.flags:
            counts[flag] = counts.get(flag, 0) + 1
    return counts


def _numbers(path: Path) -> tuple[int, int]:
    try:
        frames, seed, _ = Path(path).name.split(".")
        return int(frames.removeprefix("n")), int(seed.removeprefix("s"))
    except ValueError:
        raise RefocusError(f"{path}: expected a name like n32.s0.parquet") from None
