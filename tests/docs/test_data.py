"""docs/data.md takes a newcomer's CSV through every stage: its commands are run, on ten questions about four videos."""

import csv
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from refocus.config.overlay import load
from refocus.config.world import WorldSettings
from refocus.qa.adapters.table import Columns, TableOptions
from refocus.qa.ingest import SourceFiles, read_source
from refocus.world.build_world import build

from tests.docs.test_links import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
STORY = PAGE.split("## A table of your own")[0]


def block(language: str, text: str = STORY) -> str:
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]


def test_the_example_rows_are_read(tmp_path):
    """As they stand on the page, an answer in words and one as a letter."""
    (tmp_path / "questions.csv").write_text(block("csv"))
    found = read_source(SourceFiles("mine", "csv", (tmp_path / "questions.csv",), tmp_path))
    assert [question.answer_text for question in found.questions] == ["a book", "on the chair"] and not found.rejects


def test_the_configurations_of_the_page_are_accepted(tmp_path):
    table = tmp_path / "table.yaml"
    table.write_text(block("yaml", PAGE.split("## A table of your own")[1]))
    options = load([ROOT / "config.yaml", table]).datasets["mine"].adapter_options
    assert TableOptions.model_validate(options).columns.options == ("right", "wrong_1", "wrong_2")
    assert set(options) == set(TableOptions.model_fields)


def test_every_column_is_explained():
    rows = PAGE.split("Its columns:")[1].split("`adapter_options` says")[0]
    assert set(Columns.model_fields) <= set(re.findall(r"`(\w+)`", rows))


def write_questions(home: Path) -> None:
    """Ten questions of the synthetic world, which the tiny models were made for, under the page's columns."""
    build(WorldSettings(training_videos=8, benchmark_videos=4, seed=5), home / "world")
    source = home / "world" / "nextqa"
    files = (source / "train.csv", source / "map_vid_vidorID.json")
    asked = defaultdict(list)
    for question in read_source(SourceFiles("world", "nextqa", files, source)).questions:
        asked[question.video_path].append(question)
    (home / "videos").mkdir()
    with (home / "questions.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(block("csv").splitlines()[0].split(","))
        for count, path in zip((3, 3, 3, 1), list(asked), strict=False):
            shutil.copy(source / path, home / "videos")
            for question in asked[path][:count]:
                answer = "ABCD"[question.answer_index]
                writer.writerow([Path(path).name, question.question, *question.options[:4], answer])


@pytest.mark.slow
def test_five_commands_lead_from_ten_questions_to_a_table(tmp_path):
    """Each of the page's commands ends well, and the table has the policy beside uniform frames."""
    write_questions(tmp_path)
    (tmp_path / "mine.yaml").write_text(block("yaml"))
    commands = [shlex.split(line) for line in block("sh").splitlines()]
    assert len(commands) == 5
    for name, *words in commands:
        assert name == "refocus"
        done = subprocess.run([sys.executable, "-m", "refocus", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-3000:])
    questions = pq.read_table(tmp_path / "qa" / "mine.parquet")
    assert questions.num_rows == 10 and len(set(questions["video_path"].to_pylist())) == 4
    assert set(pq.read_table(tmp_path / "000000.index.parquet")["status"].to_pylist()) == {"ok"}
    assert pq.read_table(tmp_path / "reward.parquet").num_rows == 160
    assert pq.read_table(tmp_path / "filtered" / "pairs.parquet").num_rows <= 10
    table = (tmp_path / "results" / "tables" / "table1.md").read_text()
    assert "uniform" in table and "refocus/demo" in table and "(n=10)" in table
