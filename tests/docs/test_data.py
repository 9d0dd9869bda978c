"""docs/data.md takes a newcomer's CSV through every stage: its commands are run, on ten questions about four videos."""

import csv
import io
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from refocus.config.overlay import load
from refocus.config.world import WorldSettings
from refocus.qa.adapters.table import TableOptions
from refocus.qa.adapters.table_columns import Columns
from refocus.qa.ingest import SourceFiles, read_source
from refocus.world.build_world import build

from tests.docs.test_links import ROOT
from tests.support.tutorial import Tutorial

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
STORY, REST = PAGE.split("## A table of your own")


def block(language: str, text: str = STORY) -> str:
    return re.search(rf"^```{language}[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]


def test_the_example_rows_are_read(tmp_path):
    """As they stand on the page, an answer in words and one as a letter."""
    (tmp_path / "questions.csv").write_text(block("csv"))
    found = read_source(SourceFiles("mine", "csv", (tmp_path / "questions.csv",), tmp_path))
    assert [question.answer_text for question in found.questions] == ["a book", "on the chair"] and not found.rejects


def test_the_configurations_of_the_page_are_accepted(tmp_path):
    table = tmp_path / "table.yaml"
    table.write_text(block("yaml", REST))
    options = load([ROOT / "config.yaml", table]).datasets["mine"].adapter_options
    assert TableOptions.model_validate(options).columns.options == ("right", "wrong_1", "wrong_2")
    assert set(options) == set(TableOptions.model_fields)


def test_every_column_is_explained():
    rows = PAGE.split("Its columns:")[1].split("`adapter_options` says")[0]
    assert set(Columns.model_fields) <= set(re.findall(r"`(\w+)`", rows))


def write_questions(home: Path) -> str:
    """Ten questions of the synthetic world, which the tiny models were made for, under the page's columns."""
    build(WorldSettings(training_videos=8, benchmark_videos=4, seed=5), home / "world")
    source = home / "world" / "nextqa"
    files = (source / "train.csv", source / "map_vid_vidorID.json")
    asked = defaultdict(list)
    for question in read_source(SourceFiles("world", "nextqa", files, source)).questions:
        asked[question.video_path].append(question)
    (home / "videos").mkdir()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(block("csv").splitlines()[0].split(","))
    for count, path in zip((3, 3, 3, 1), list(asked), strict=False):
        shutil.copy(source / path, home / "videos")
        for question in asked[path][:count]:
            answer = "ABCD"[question.answer_index]
            writer.writerow([Path(path).name, question.question, *question.options[:4], answer])
    shutil.copy(home / "videos" / Path(path).name, home / "videos" / "kitchen.mp4")
    return table.getvalue()


@pytest.mark.slow
def test_the_tutorial_leads_from_ten_questions_to_a_table_and_a_policy(tmp_path):
    """The table has the policy beside uniform frames; what the page shows is what is printed."""
    home = tmp_path / "home"
    home.mkdir()
    questions = write_questions(home)
    Tutorial(STORY, home, ["python3 -m venv", "pip install"], {block("csv"): questions}).follow()
    kept = pq.read_table(home / "qa" / "mine.parquet")
    assert kept.num_rows == 10 and len(set(kept["video_path"].to_pylist())) == 4
    assert set(pq.read_table(home / "000000.index.parquet")["status"].to_pylist()) == {"ok"}
    assert pq.read_table(home / "reward.parquet").num_rows == 160
    assert pq.read_table(home / "filtered" / "pairs.parquet").num_rows <= 10
    table = (home / "results" / "tables" / "table1.md").read_text()
    assert "uniform" in table and "refocus/demo" in table and "(n=10)" in table
