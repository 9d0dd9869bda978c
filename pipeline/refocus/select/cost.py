"""What picking frames costs, kept beside the picks: seconds, and passes of the models that were asked."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import canonical, write_json
from refocus.core.model_folder import read_json

KEY = b"refocus.cost"  # in the schema metadata of tables of scores


@dataclass(frozen=True)
class Cost:
    """What was spent on some questions.

    seconds: with waiting for frames, without loading of models. frame_passes: frames through a vision tower.
    text_passes: texts through a text encoder. lmm_passes: prompts through an LMM. cut_texts: texts longer than the text
    encoder reads, whose ends counted for nothing.
    """

    seconds: float = 0.0
    frame_passes: int = 0
    text_passes: int = 0
    lmm_passes: int = 0
    cut_texts: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(**{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(Cost)})


@dataclass(frozen=True)
class SelectionCost:
    """What one selector spent on one benchmark, for all numbers of frames together."""

    benchmark: str
    selector: str
    questions: int
    cost: Cost


def with_cost(table: pa.Table, cost: Cost) -> pa.Table:
    """The table with what it took to make it in its schema metadata."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: canonical(asdict(cost)).encode()})


def cost_of(paths: Iterable[Path]) -> Cost:
    """What it took to make some tables of scores.

    Raises:
        RefocusError: one of them is missing or does not say.
    """
    total = Cost()
    for path in paths:
        try:
            total += Cost(**json.loads((parquet.read_schema(path).metadata or {})[KEY]))
        except (KeyError, ValueError) as error:
            raise RefocusError(f"{path} is no table of scores: {error}") from None
    return total


def write_selection_cost(path: Path, spent: SelectionCost) -> None:
    """Writes `cost.json`."""
    write_json(path, asdict(spent))


def read_selection_cost(path: Path) -> SelectionCost:
    """Reads `cost.json`.

    Raises:
        RefocusError: it is missing or is none.
    """
    try:
        values = read_json(path)
        return SelectionCost(**{**values, "cost": Cost(**values["cost"])})
    except (OSError, KeyError, TypeError) as error:
        raise RefocusError(f"{path} does not say what a selection cost: {error}") from None
