"""The reward table: one row per (question, subset), and the list of questions that have no usable rows."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.core.counted import counted
from refocus.core.files import write_table
from refocus.core.results_folder import SKIPPED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Margin:
    """The LMM's view of one question through one subset.

    `frame_indices` index the clip's kept frames; `logits` has one value per option, `logits_raw` one list of letter
    variants per option; `margin` is Eq. 5 and NaN where a logit is not finite.
    """

    qa_id: str
    subset: int
    frame_indices: tuple[int, ...]
    logits: tuple[float, ...]
    logits_raw: tuple[tuple[float, ...], ...]
    margin: float


@dataclass(frozen=True)
class Skipped:
    """A question the filter cannot use, and why.

    Reasons: `clip_failed`, `clip_missing` (not in the index), `no_frames`, `open_question`, `bad_answer`, `options`
    (fewer than two, or more than the tokenizer has letters for), `not_finite` (its rows are in the table, some with
    NaN margins).
    """

    qa_id: str
    clip_id: str
    reason: str
    detail: str


MARGIN_SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("subset", pa.int8()),
        ("frame_indices", pa.list_(pa.int16())),
        ("logits", pa.list_(pa.float32())),
        ("logits_raw", pa.list_(pa.list_(pa.float32()))),
        ("margin", pa.float32()),
    ]
)
SKIPPED_SCHEMA = pa.schema(
    [("qa_id", pa.string()), ("clip_id", pa.string()), ("reason", pa.string()), ("detail", pa.string())]
)


def margins_table(rows: Iterable[Margin]) -> pa.Table:
    """Rows as a table of `MARGIN_SCHEMA`."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=MARGIN_SCHEMA)


def skipped_table(rows: Iterable[Skipped]) -> pa.Table:
    """Rows as a table of `SKIPPED_SCHEMA`."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=SKIPPED_SCHEMA)


def write_margins(out: Path, margins: pa.Table, skipped: Sequence[Skipped], identity: Mapping[str, Any]) -> None:
    """Writes a shard's margins, and beside them the questions without usable ones; logs how many there are and why."""
    write_table(skipped_path(out), skipped_table(skipped), "reward", identity)
    write_table(out, margins, "reward", identity)
    log.info("%d rows -> %s", len(margins), out)
    if reasons := Counter(row.reason for row in skipped):
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        number = counted(reasons.total(), "question")
        log.warning("%s skipped (%s), listed in %s", number, listed, skipped_path(out))


def skipped_path(out: Path) -> Path:
    """Where the skipped questions of `NAME.parquet` are listed: `NAME.skipped.parquet` beside it."""
    return SKIPPED.inside(out.parent, shard=out.stem)
