"""What undisturbed stages make of two tiny videos, for tests that disturb them."""

import pytest
from refocus.report.pages import index_page

from tests.support.reported_results import DOT
from tests.support.stages_by_hand import AskedVideos, build


def draw_no_graph(patch: pytest.MonkeyPatch) -> None:
    """The report asks Snakemake for the graph of the rules, which takes seconds and is the same every time."""
    patch.setattr(index_page, "ask_snakemake", lambda root, results: DOT)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> AskedVideos:
    """Inputs of all stages, and in `expected` what they write."""
    with pytest.MonkeyPatch.context() as patch:
        draw_no_graph(patch)
        return build(tmp_path_factory.mktemp("inputs"))


@pytest.fixture
def inputs(undisturbed: AskedVideos, monkeypatch: pytest.MonkeyPatch) -> AskedVideos:
    """The same, for a test that runs stages."""
    draw_no_graph(monkeypatch)
    return undisturbed
