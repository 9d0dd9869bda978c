"""`snakemake --report` of a finished run, in a headless Chromium: a click on a table opens it and downloads nothing."""

import zipfile
from pathlib import Path

import pytest
from refocus.evaluate.scoring import Score
from refocus.report.table_files import Cell, Table, write

from tests.support.browser import chromium
from tests.support.dry_runs import snakemake

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def report(repository: Path, tmp_path: Path) -> Path:
    """The report's page: every file of a run is there, empty but for one table."""
    (tmp_path / "assets").symlink_to(repository / "assets")
    listed = snakemake(repository, "--directory", str(tmp_path), "--summary")
    assert listed.returncode == 0, listed.stderr
    for line in listed.stdout.splitlines():
        if line.startswith("results/"):
            _touch(tmp_path / line.split("\t")[0])
    rows = ((("tiny",), (Cell(Score(0.425, None, None, 4)),)),)
    write(Table("Table 1: made up", ("LMM",), (("b", "bench"),), rows), tmp_path / "results" / "tables", "table1")
    made = snakemake(repository, "--directory", str(tmp_path), "--report", str(tmp_path / "report.zip"))
    assert made.returncode == 0, made.stderr[-3000:]
    with zipfile.ZipFile(tmp_path / "report.zip") as packed:
        packed.extractall(tmp_path / "report")
    return next((tmp_path / "report").rglob("report.html"))


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_tables_are_labelled_and_open_in_the_report(report):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        downloads: list[str] = []
        page.on("download", lambda one: downloads.append(one.suggested_filename))
        page.goto(report.as_uri())
        page.get_by_text("Tables").first.click()
        row = page.locator("tr", has_text="accuracy on the groups of every benchmark")
        assert "Table 1" in row.inner_text()
        row.locator("a").first.click()
        shown = page.frame_locator("iframe")
        assert shown.locator("h1").inner_text() == "Table 1: made up"
        assert shown.locator("tbody td").nth(1).inner_text() == "42.5"
        assert downloads == []
