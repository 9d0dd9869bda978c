"""docs/library.md and the first page are followed from their first block to the last, on a file of the same name."""

import pytest

pytest.importorskip("torch")

from PIL import Image

from tests.docs.test_links import ROOT
from tests.support.grey_video import write_greys
from tests.support.trained_folder import write_trained
from tests.support.tutorial import Tutorial

ASKED = "--selector mdp3-options --model assets/siglip"  # in place of SigLIP 2, which no test fetches


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    write_greys(tmp_path / "home" / "lecture.mp4", range(30), width=96)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_three_lines_on_the_first_page_give_pictures_and_seconds(home):
    names = Tutorial(page("README.md"), home, skip=["pip install"]).follow().names
    assert [picture.size for picture in names["pictures"]] == [(96, 48)] * 8 and len(names["seconds"]) == 8


@pytest.mark.slow
def test_the_tutorial_leads_to_pictures_tables_and_a_policy_to_share(home):
    """What its text blocks show is what one sees."""
    write_trained(home / "results" / "train" / "demo" / "policy")
    skip = ["python3 -m venv", "pip install", "refocus serve", "hf auth login"]
    skip += ["refocus push results/train/demo/policy OWNER/NAME --private"]
    first = 'refocus select lecture.mp4 "When does she show the chart?"'
    instead = {
        first: f"{first} {ASKED}",
        "--selector siglip2-aks --save": "--selector aks --model assets/siglip --save",
    }
    done = Tutorial(page("library.md"), home, skip, instead).follow()
    names = done.names
    assert [picture.size for picture in names["pictures"]] == [(96, 48)] * 8
    assert list(names["seconds"]) == sorted(names["seconds"])
    assert len(names["several"]) == 2 and len(names["later"].frames_indices) == 4
    assert len(names["frames"]) == 1 and len(names["again"].frames_indices) == 2
    with Image.open(home / "picks.png") as sheet:
        assert sheet.width > 4 * 96
    assert len(list((home / "frames").iterdir())) == 4 and (home / "moments.mp4").stat().st_size > 0
    assert (home / "picks.jsonl").read_text().count("\n") == 1
    assert "OWNER/NAME" in done.said[-1]
