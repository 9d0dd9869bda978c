"""docs/metrics.md is followed from its first block to its last, on a training run of six steps."""

import pytest

pytest.importorskip("torch")

from refocus.train.curves import draw
from refocus.train.run_log import read

from tests.docs.test_links import ROOT
from tests.support.tiny_training import SETTINGS, build_trainer
from tests.support.tutorial import Tutorial

pytestmark = pytest.mark.slow


def test_the_tutorial_reads_a_run(tmp_path):
    """It shows what is printed: seven validations, names and candidates; and leaves the replayed steps."""
    runtime = SETTINGS.runtime.model_copy(update={"validate_every": 1, "tensorboard": True})
    settings = SETTINGS.model_copy(update={"picks": 4, "runtime": runtime})
    build_trainer(tmp_path, settings, counts=[9, 8, 7, 9, 8]).run()
    home = tmp_path / "home"
    (home / "results" / "train").mkdir(parents=True)
    draw(read(tmp_path / "out" / "metrics.jsonl"), tmp_path / "out")
    (tmp_path / "out").rename(home / "results" / "train" / "demo")
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    done = Tutorial(page, home).follow()
    assert {"metrics.jsonl", "curves.png", "groups.jsonl", "tensorboard"} <= set(done.said[0].split())
    assert list(done.names["steps"].index) == list(range(6))
    assert len((home / "replay.csv").read_text().splitlines()) == 7
