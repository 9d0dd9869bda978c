"""docs/data_dictionary.md names the columns of every table that the code writes, and their types; no more, no less."""

import json
import re
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core import results_folder as results
from refocus.core.results_folder import ResultsFile
from refocus.evaluate import answers
from refocus.filter.pairs import VARIANCE_SCHEMA
from refocus.frames.index import INDEX_SCHEMA
from refocus.policy.provenance import DataSet, Filtered, Provenance, UsedModel, Validated
from refocus.policy.trained_for import TrainedFor
from refocus.qa import duplicates, evidence, leakage, records
from refocus.report import entropy_figure
from refocus.report.needle_maps import grid, needle_csv
from refocus.report.recall_set import RecallSet
from refocus.report.table_files import Cell
from refocus.reward.margin_table import MARGIN_SCHEMA, SKIPPED_SCHEMA
from refocus.select import certainty, likelihood, selections
from refocus.select.cost import Cost, SelectionCost
from refocus.select.embeddings import ClipEmbeddings, QuestionEmbeddings, write_embeddings
from refocus.select.exports.jsonl import FIELDS
from refocus.select.question_list import rows_schema

from tests.docs.test_links import ROOT
from tests.support.asked_videos import build_asked_videos

PAGE = (ROOT / "docs" / "data_dictionary.md").read_text(encoding="utf-8")
SELECTION = pa.schema([*selections.SCHEMA, *selections.OF_THE_FILE])
SCHEMAS = {
    results.QUESTIONS: records.QUESTION_SCHEMA,
    results.REJECTS: records.REJECT_SCHEMA,
    results.CLIPS: records.CLIP_SCHEMA,
    results.EVIDENCE: evidence.SCHEMA,
    results.DUPLICATES: duplicates.SCHEMA,
    results.LEAKS: leakage.SCHEMA,
    results.INDEX: INDEX_SCHEMA,
    results.MARGINS: MARGIN_SCHEMA,
    results.SKIPPED: SKIPPED_SCHEMA,
    results.VARIANCE: VARIANCE_SCHEMA,
    results.PAIRS: records.QUESTION_SCHEMA.append(pa.field("variance", pa.float64())),
    results.CERTAINTY: certainty.SCHEMA,
    results.SELECTIONS: SELECTION,
    results.LIKELIHOOD: likelihood.SCHEMA,
    results.ANSWERS: answers.SCHEMA,
}
# as another table, which the page says
SAME = {results.SHARD_QUESTIONS, results.SHARD_CLIPS, results.INITIAL_LIKELIHOOD, results.BIN_ANSWERS}
PRIVATE = {results.KEPT_SHARDS}


def section(title: str) -> str:
    found = re.search(rf"^## `{re.escape(title)}`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the page has no section on {title}"
    return found[1]


def described(title: str) -> list[tuple[str, str]]:
    """Column and type."""
    return re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", section(title), re.MULTILINE)


def keys(title: str) -> set[str]:
    """The keys of a section on JSON."""
    cells = re.findall(r"^\| (`[^|]*`) \|", section(title), re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def kind(type: pa.DataType) -> str:
    if pa.types.is_list(type) or pa.types.is_fixed_size_list(type):
        inner = kind(type.value_type)
        return f"list of {inner.replace('list of', 'lists of') if inner.startswith('list') else inner + 's'}"
    if pa.types.is_string(type):
        return "text"
    if pa.types.is_boolean(type):
        return "yes or no"
    return "whole number" if pa.types.is_integer(type) else "number"


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_column_is_named_with_its_type(file):
    assert described(file) == [(field.name, kind(field.type)) for field in SCHEMAS[file]]


def test_embeddings_too(tmp_path):
    """Their schema depends on the model's width."""
    clip = ClipEmbeddings(np.eye(2), {"q": QuestionEmbeddings(np.ones(2), np.ones((1, 2)), (False, False))})
    write_embeddings(tmp_path / "e.parquet", {"c": clip}, Cost(), {})
    written = pq.read_schema(tmp_path / "e.parquet")
    assert described(results.EMBEDDINGS) == [(field.name, kind(field.type)) for field in written]


def test_every_table_of_the_results_folder_has_a_section():
    tables = {file for file in vars(results).values() if isinstance(file, ResultsFile) and file.endswith(".parquet")}
    assert tables - SAME - PRIVATE == {*SCHEMAS, results.EMBEDDINGS}
    assert all(f"`{file}`" in PAGE for file in SAME)


def test_json_has_the_keys_that_are_named(tmp_path, capsys):
    bench = build_asked_videos(tmp_path, ("even.mp4",))
    capsys.readouterr()
    words = [bench.videos / "even.mp4", "which colour", "--selector", "uniform", "--frames", 2, "--json"]
    assert bench.refocus("select", *words) == 0
    assert set(json.loads(capsys.readouterr().out)) == keys("refocus select VIDEO QUESTION --json")


def test_the_table_of_many_videos_too():
    assert described("refocus select --out PICKS") == [(field.name, kind(field.type)) for field in rows_schema()]


def test_canonical_lines_have_the_keys_that_are_named():
    assert set(FIELDS) == keys("jsonl")


def test_columns_of_tables_and_of_what_figures_are_drawn_from_are_named():
    text = section("<results>/tables/{table}.csv")
    assert all(f"`KEY.{part}`" in text for part in Cell().values() if part)
    whole = RecallSet([], {}, [1], [], 0.95, is_world=False)
    needles = needle_csv(whole, grid([], 2), 1).splitlines()[0].split(",")
    assert set(needles) == keys("<results>/figures/fig5_niah.csv")
    entropy = entropy_figure.to_csv({}).splitlines()[0].split(",")
    assert set(entropy) == keys("<results>/figures/fig6_temporal_entropy.csv")


def test_provenance_is_named():
    text = PAGE.split("`provenance.json` in `policy/`")[1]
    records = (Provenance, DataSet, Filtered, UsedModel, Validated)
    assert all(f"`{name}`" in text for record in records for name in record.model_fields)
    assert all(f"`{field.name}`" in text for field in fields(TrainedFor))


def test_costs_are_named():
    text = PAGE.split("## Files that are no tables")[1]
    assert all(f"`{part.name}`" in text for part in (*fields(SelectionCost), *fields(Cost)))
