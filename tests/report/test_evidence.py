"""The evidence page repeats the run's own files."""

import json

import pytest
from refocus.cli.main import main
from refocus.core.errors import UsageError
from refocus.report.evidence import copy_figures, page


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    for name in ("tables", "figures", "filtered/tiny", "benchmarks/reward"):
        (folder / name).mkdir(parents=True)
    (folder / "tables/world.md").write_text("**the world's table**\n")
    (folder / "tables/world.csv").write_text("LMM,selector,frames,moment\ntiny,uniform,4,40\ntiny,refocus/a,4,70\n")
    (folder / "figures/training.png").write_bytes(b"png")
    rates = {"moment/color": {"questions": 8, "kept": 6, "kept_share": 0.75}}
    summary = {"kept": 6, "questions": 8, "tau": 0.21, "categories": rates}
    (folder / "filtered/tiny/summary.json").write_text(json.dumps(summary))
    for shard, seconds in (("0", 10.0), ("1", 30.0)):
        (folder / f"benchmarks/reward/{shard}.jsonl").write_text(json.dumps({"s": seconds, "max_rss": 500.0}) + "\n")
    (folder / "benchmarks/tables.jsonl").write_text(json.dumps({"s": 0.5, "max_rss": "NA"}) + "\n")
    return folder


def test_the_page_holds_tables_rates_costs_and_figures(results, tmp_path):
    figures = copy_figures(results, tmp_path / "docs" / "evidence")
    text = page(results, [tmp_path / "e.yaml"], figures)
    assert "**the world's table**" in text
    assert "+30.0 points" in text
    assert "| moment/color | 8 | 6 | 75.0% |" in text
    assert "| reward | 2 | 40 | 500 |" in text
    assert "| tables | 1 | 0 | 0 |" in text
    assert "![training](evidence/training.png)" in text
    assert (tmp_path / "docs/evidence/training.png").read_bytes() == b"png"
    assert "synthetic world" in text


def test_without_tables_there_is_no_page(tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        page(tmp_path, [], [])


def test_the_page_names_the_study_where_there_is_one(results, tmp_path):
    words = ["evidence", "--results", str(results), "--out", str(tmp_path / "docs" / "evidence.md")]
    assert main(words) == 0 and "study.md" not in (tmp_path / "docs/evidence.md").read_text()
    (tmp_path / "docs" / "study.md").write_text("")
    assert main(words) == 0 and "(study.md)" in (tmp_path / "docs/evidence.md").read_text()
