"""docs/library.md and the first page: their Python runs, one block after the other, on a real file of the same name."""

import re

import pytest

pytest.importorskip("torch")

from tests.docs.test_links import ROOT
from tests.support.grey_video import write_greys


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The names that a page's blocks leave."""
    write_greys(tmp_path / "lecture.mp4", range(30), width=96)
    monkeypatch.chdir(tmp_path)

    def run(page):
        names = {}
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
            exec(block, names)
        return names

    return run


def test_three_lines_on_the_first_page_give_pictures_and_seconds(ran):
    names = ran("README.md")
    assert [picture.size for picture in names["pictures"]] == [(96, 48)] * 8 and len(names["seconds"]) == 8


def test_the_examples_run(ran):
    names = ran("library.md")
    assert [picture.size for picture in names["pictures"]] == [(96, 48)] * 8
    assert list(names["seconds"]) == sorted(names["seconds"])
    assert len(names["several"]) == 2 and len(names["later"].frames_indices) == 4
    assert len(names["frames"]) == 1 and len(names["again"].frames_indices) == 2
