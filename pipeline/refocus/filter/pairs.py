"""Joins variances with their questions and writes what is kept, batch by batch."""

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from refocus.config.filter import FilterSettings
from refocus.core import parquet
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import atomic, provenance, write_json
from refocus.core.results_folder import FILTER_SUMMARY, PAIRS, VARIANCE
from refocus.filter.filter_summary import summarise
from refocus.filter.sensitivity import write_sensitivity
from refocus.filter.table_batches import batches
from refocus.filter.variance import Variances
from refocus.qa.formats import formats_of_sources, note
from refocus.qa.records import QUESTION_SCHEMA, read_columns

VARIANCE_SCHEMA = pa.schema(
    [("qa_id", pa.string()), ("variance", pa.float64()), ("n_subsets", pa.int32()), ("flag", pa.string())]
)
OUTCOME_SCHEMA = pa.schema(  # what is counted: some sixty bytes a question
    [
        ("dataset", pa.string()),
        ("category", pa.string()),
        ("flag", pa.string()),
        ("kept", pa.bool_()),
        ("variance", pa.float64()),
    ]
)


def write_filtered(
    out: Path,
    qa: Sequence[Path],
    found: Variances,
    settings: FilterSettings,
    drop: Sequence[Path] = (),
    skipped: Sequence[Path] = (),
) -> dict[str, Any]:
    """Writes `variance.parquet` (every question), `pairs.parquet` (those strictly above τ), `summary.json` and what
    other thresholds would have kept (`sensitivity.csv`, `sensitivity.md`).

    `flag` says why a variance does not decide: `duplicate` or `leaked` (named by a file of `drop`), `no_reward` (no
    rows), `too_short` (fewer than `min_subsets`), `not_finite` (a NaN logit); such questions are dropped and counted.

    Args:
        drop: tables of `refocus screen`: `qa_id`, `reason` and, of copies, `of` which question. Their variances are
            still written. The first copy of a question that has no rewards is not dropped.
        skipped: the reward pass's lists of questions it could not score; their reasons are counted in the summary.
    Returns:
        The summary.
    Raises:
        RefocusError: a question file is unreadable or a scored question occurs twice.
        UsageError: the question files are not those of the scored questions.
    """
    used = np.zeros(len(found.values), bool)
    outcomes = [OUTCOME_SCHEMA.empty_table()]
    screened = _screened(drop, found)
    pairs_schema = QUESTION_SCHEMA.append(pa.field("variance", pa.float64()))
    with contextlib.ExitStack() as stack:
        everything = _writer(stack, VARIANCE.inside(out), VARIANCE_SCHEMA, settings.identity())
        pairs = _writer(stack, PAIRS.inside(out), pairs_schema, settings.identity())
        for path in qa:
            places, done = found.find(_ids(path)), 0
            for batch in batches(path, QUESTION_SCHEMA.names):
                place, done = places[done : done + len(batch)], done + len(batch)
                _refuse_twice(path, batch, place, used)
                values, counts = _at(found.values, place, np.nan), _at(found.counts, place, 0)
                flags = _flags(values, counts, settings.min_subsets)
                flags = _with_reasons(flags, batch["qa_id"], screened)
                kept = (flags == "") & (np.nan_to_num(values, nan=-1.0) > settings.tau)
                variance = pa.array(values, pa.float64(), mask=np.isnan(values))
                flag = pa.array(flags.tolist(), pa.string())
                columns = [batch["qa_id"], variance, pa.array(counts, pa.int32()), flag]
                everything.write_table(pa.Table.from_arrays(columns, schema=VARIANCE_SCHEMA))
                chosen = batch.append_column("variance", variance).filter(pa.array(kept))
                pairs.write_table(chosen.cast(pairs_schema))
                outcome = [batch["dataset"], batch["category"], flag, kept, values]
                outcomes.append(pa.table(outcome, schema=OUTCOME_SCHEMA))
        if len(used) and not used.any():
            raise UsageError(
                f"none of the {len(used)} scored questions is in {', '.join(map(str, qa))}: are these the questions "
                "that were scored?"
            )
        pairs.add_key_value_metadata(note(formats_of_sources(qa)))  # training splits by film, which a format tells
    questions = pa.concat_tables(outcomes).to_pandas()
    summary = {**summarise(questions, settings.tau), "settings": settings.identity()}
    summary["skipped"] = _reasons(skipped)
    summary["rewards_without_question"] = int((~used).sum())
    write_sensitivity(out, questions, settings.tau)
    write_json(FILTER_SUMMARY.inside(out), summary)
    return summary


def _ids(path: Path) -> pa.Array:
    """All ids of a question file at once, because every look-up in the scored questions has to index them first."""
    return pa.concat_arrays(
        [pa.array([], pa.string()), *(part["qa_id"].combine_chunks() for part in batches(path, ["qa_id"]))]
    )


def _at(values: np.ndarray, place: np.ndarray, absent: float) -> np.ndarray:
    """`values` at these positions, `absent` where a position is −1."""
    padded = np.append(values, np.array([absent], values.dtype))
    return padded[place]


def _refuse_twice(path: Path, batch: pa.Table, place: np.ndarray, used: np.ndarray) -> None:
    """Marks questions as used; one that was used before would train twice."""
    known = place[place >= 0]
    twice = used[known] | (np.bincount(known, minlength=len(used))[known] > 1)
    if twice.any():
        qa_id = batch["qa_id"][int(np.flatnonzero(place == known[twice][0])[0])].as_py()
        raise RefocusError(f"{path}: question {qa_id} occurs twice; were question files given twice?")
    used[known] = True


def _flags(values: np.ndarray, counts: np.ndarray, min_subsets: int) -> np.ndarray:
    conditions = [counts == 0, counts < min_subsets, np.isnan(values)]
    return np.select(conditions, ["no_reward", "too_short", "not_finite"], default="")


def _reasons(paths: Sequence[Path]) -> dict[str, int]:
    """How many questions the reward pass skipped, by reason."""
    counts: Counter[str] = Counter()
    for path in paths:
        for part in batches(path, ["reason"]):
            counts.update(part["reason"].to_pylist())
    return dict(sorted(counts.items()))


def _screened(paths: Sequence[Path], found: Variances) -> pa.Table:
    """`qa_id` and `reason` of all questions that are dropped whatever their variance."""
    schema = pa.schema([("qa_id", pa.string()), ("reason", pa.string())])
    tables = [schema.empty_table()]
    for path in paths:
        table = read_columns(path, schema.names).cast(schema)
        if "of" in parquet.read_schema(path).names:
            table = table.filter(pa.array(~_heirs(table["qa_id"], read_columns(path, ["of"])["of"], found)))
        tables.append(table)
    return pa.concat_tables(tables)


def _heirs(copies: pa.ChunkedArray, originals: pa.ChunkedArray, found: Variances) -> np.ndarray:
    """Which copies stand in for an original that could not be scored (its video is lost): the first scored of each."""
    orphaned = (found.find(copies) >= 0) & (found.find(originals) < 0)
    _, first = np.unique(originals.to_numpy()[orphaned], return_index=True)
    heirs = np.zeros(len(copies), bool)
    heirs[np.flatnonzero(orphaned)[first]] = True
    return heirs


def _with_reasons(flags: np.ndarray, qa_ids: pa.ChunkedArray, screened: pa.Table) -> np.ndarray:
    """`flags` with the reason of every screened question in its place."""
    place = pc.index_in(qa_ids, screened["qa_id"].combine_chunks())
    reasons = screened["reason"].take(place).to_numpy(zero_copy_only=False)
    return np.where(place.is_valid().to_numpy(), reasons, flags).astype(str)


def _writer(
    stack: contextlib.ExitStack, path: Path, schema: pa.Schema, settings: Mapping[str, Any]
) -> pq.ParquetWriter:
    """A parquet file that grows batch by batch and gets its name only when everything was written."""
    draft = stack.enter_context(atomic(path))
    return stack.enter_context(parquet.writer(draft, schema.with_metadata(provenance("filter", settings))))
