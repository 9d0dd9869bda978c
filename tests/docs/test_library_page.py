"""docs/library.md: its Python runs, one block after the other, on a real file of the same name."""

import re

import pytest

pytest.importorskip("torch")

from tests.docs.test_links import ROOT
from tests.support.grey_video import write_greys

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "library.md").read_text(encoding="utf-8"), re.M | re.S)


def test_the_examples_run(tmp_path, monkeypatch):
    write_greys(tmp_path / "lecture.mp4", range(30), width=96)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCKS:
        exec(block, names)
    assert [picture.size for picture in names["pictures"]] == [(96, 48)] * 8
    assert list(names["seconds"]) == sorted(names["seconds"])
    assert len(names["several"]) == 2 and len(names["later"].frames_indices) == 4
    assert len(names["frames"]) == 1 and len(names["again"].frames_indices) == 2
