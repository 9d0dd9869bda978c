"""A small results folder and its report, made once."""

from pathlib import Path

import pytest
from refocus.config.root import Root
from refocus.report.pages import index_page
from refocus.report.pages.site import write_report

from tests.support.asked_videos import build_asked_videos
from tests.support.reported_results import DOT, write_reported


@pytest.fixture(scope="session")
def reported(tmp_path_factory) -> tuple[Root, Path]:
    """Configuration and results folder."""
    home = tmp_path_factory.mktemp("reported")
    return write_reported(home / "results", build_asked_videos(home / "made")), home / "results"


@pytest.fixture(scope="session")
def report(reported, tmp_path_factory) -> Path:
    """The report's folder, of all questions; Snakemake is not asked."""
    root, results = reported
    out = tmp_path_factory.mktemp("pages") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_page, "ask_snakemake", lambda root, results: DOT)
        write_report(root, Root(), results, out, 100, ["snakemake --cores all"])
    return out
