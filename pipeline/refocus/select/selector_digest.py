"""What decides a selector's picks, in 12 hex digits: two selections with the same digest were picked the same way."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.config.identity import weights
from refocus.config.selectors import SelectorName
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.files import digest, file_digest, fingerprint_of

if TYPE_CHECKING:
    from refocus.select.build_selector import SelectorSources


def selector_digest(
    name: str, settings: Mapping[str, Any], model: str | None = None, made: "SelectorSources | None" = None
) -> str:
    """Of a selector's name, its settings without `runtime`, the model it asks, and the tables it reads.

    Not of the number of frames, nor of the videos and questions it is asked about.

    Args:
        model: folder (its files count) or hub id (its name counts); None for a selector that asks none.
        made: tables of scores (their settings count), picks to swap and truth (their bytes count).
    """
    parts: dict[str, Any] = {"selector": name, "settings": dict(settings)}
    if model is not None:
        parts["model"] = weights(str(model))
    if made is not None:
        parts["scores"] = _fingerprints([*made.embeddings, *made.certainty])
        parts["made"] = [content_digest(file) for file in _files([*made.selections, *filter(None, [made.truth])])]
    return digest(parts)


def tuned(name: SelectorName, numbers: TrainingFreeSettings) -> dict[str, Any]:
    """The numbers of a method that has any, as a part of the settings that decide its picks."""
    return {"training_free": numbers.identity()} if name.tunable else {}


def content_digest(path: Path) -> str:
    """The first 12 hex digits of SHA-256 over a file's bytes."""
    return file_digest(path)[:12]


def _fingerprints(tables: Iterable[Path]) -> list[str]:
    from refocus.core import parquet

    return sorted({fingerprint_of(parquet.read_schema(table)) for table in tables})


def _files(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
