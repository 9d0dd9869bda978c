"""How many of a source's shards get jobs: an entry's number has to suffice, and what it is too large by costs nothing.

Shards are filled one after another, so the empty ones are the last. How many are filled is known once ingest has run
on the annotation files as they are. Until then all shards get jobs; those that were empty keep theirs afterwards,
because a run that is finished must plan nothing.
"""

from collections.abc import Iterable
from pathlib import Path

from refocus.config.root import Root
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of
from refocus.core.results_folder import CLIPS, INDEX


def planned_shards(root: Root, name: str) -> int:
    """How many shards of the source `name` are decoded and scored: the filled ones, and those that were before."""
    source = root.source(name)
    table = CLIPS.at(root.results, dataset=name)
    if root.is_rendered(name) or not _is_newer(table, root.annotations_of(name)):
        return source.shards
    filled = _filled(table, {**root.ingest.identity(), "format": source.format, "limit": source.limit})
    return source.shards if filled is None else min(source.shards, max(filled, _decoded(root, name), 1))


def _is_newer(table: Path, files: Iterable[Path]) -> bool:
    """Whether a table is there, and was written after all of the files."""
    try:
        written = table.stat().st_mtime_ns
        return all(file.stat().st_mtime_ns <= written for file in files)
    except FileNotFoundError:
        return False


def _filled(table: Path, asked: dict[str, object]) -> int | None:
    """The number of the last shard that has clips, from 1, by the footer of the table of clips.

    None where ingest is to run again, because other settings were asked for, or where it cannot be told.
    """
    from refocus.core import parquet

    try:
        with parquet.opened(table) as file:
            metadata = file.metadata
        made_with = settings_of(metadata.schema.to_arrow_schema())
        column = metadata.schema.names.index("shard")
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        highest = [group.column(column).statistics.max for group in groups if group.num_rows]
    except (RefocusError, ValueError, AttributeError):
        return None
    if any(made_with.get(key) != value for key, value in asked.items()):
        return None
    return max(highest, default=-1) + 1


def _decoded(root: Root, name: str) -> int:
    """The number of the last shard that was decoded, from 1."""
    suffix = INDEX.name.removeprefix("{shard}")
    folder = INDEX.fill(dataset=name).at(root.results, shard="").parent
    there = (file.name.removesuffix(suffix) for file in folder.glob(f"*{suffix}"))
    return max((int(shard) for shard in there if shard.isdigit()), default=-1) + 1
