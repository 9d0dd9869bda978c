"""What the page shows is what the library picks; what goes wrong is said in plain words, and the rest goes on."""

import io

import pytest
from PIL import Image
from refocus import FrameSelector
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.select.video_source import FileSource
from refocus.serve.comparison import Comparison
from refocus.serve.selectors import PageSelectors

QUESTION = "What colour is it?"


@pytest.fixture
def comparison(selectors):
    return Comparison(selectors)


def test_the_picks_are_those_of_the_library(comparison, policy, video):
    options = ("red", "green")
    for compared in comparison.ask(video, QUESTION, options, [policy, "uniform"], 4):
        alone = FrameSelector.from_pretrained(compared.name).select(video, QUESTION, options, 4)
        assert compared.selection == alone and compared.selection.likelihood == alone.likelihood
        assert compared.n_candidates == 12 and compared.length_s == pytest.approx(3.0, abs=0.1)


def test_every_pick_has_a_small_picture_of_its_frame(comparison, video):
    """The frames are 160 x 48 and get lighter; more of them than are decoded at a time."""
    [compared] = comparison.ask(video, QUESTION, (), ["uniform"], 9)
    pictures = [Image.open(io.BytesIO(picture)) for picture in compared.thumbnails]
    assert [picture.size for picture in pictures] == [(160, 48)] * 9
    greys = [picture.convert("L").getpixel((80, 24)) for picture in pictures]
    assert greys == pytest.approx([8 * number for number in compared.selection.source_frames], abs=4)


def test_a_large_frame_is_made_small_at_its_aspect(comparison, tmp_path):
    from tests.support.grey_video import write_greys

    [compared] = comparison.ask(write_greys(tmp_path / "large.mp4", range(9), 640, 160), "What?", (), ["uniform"], 1)
    assert Image.open(io.BytesIO(compared.thumbnails[0])).size == (320, 80)


def test_a_video_is_decoded_once_for_all_selectors_and_questions(comparison, policy, video, monkeypatch):
    decoded, candidates = [], FileSource.candidates
    monkeypatch.setattr(
        FileSource, "candidates", lambda source, settings: decoded.append(source) or candidates(source, settings)
    )
    for question in (QUESTION, "What is it?"):
        assert all(made.problem is None for made in comparison.ask(video, question, (), [policy, "uniform"], 2))
    assert len(decoded) == 1


def test_another_video_is_read_anew(comparison, policy, video, tmp_path):
    from tests.support.grey_video import write_greys

    other = write_greys(tmp_path / "grey.mp4", range(20), width=160, height=48)
    counts = [next(comparison.ask(one, QUESTION, (), [policy], 2)).n_candidates for one in (video, other, video)]
    assert counts == [12, 8, 12]


def test_a_selector_that_cannot_pick_says_why_and_the_others_go_on(comparison, policy, video):
    names = ["no-such-policy", "confidence", policy, "oracle", "uniform"]
    made = list(comparison.ask(video, QUESTION, (), names, 2))
    assert [compared.name for compared in made] == names
    assert [compared.problem is None for compared in made] == [False, False, True, False, True]
    assert "no-such-policy" in made[0].problem and "needs a model" in made[1].problem


def test_a_file_that_is_no_video_is_called_by_its_name(comparison, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    [compared] = comparison.ask(broken, QUESTION, (), ["uniform"], 2)
    assert "broken.mp4" in compared.problem and str(tmp_path) not in compared.problem


def test_what_nobody_expected_is_said_too(comparison, selectors, video, monkeypatch, caplog):
    def fail(*words):
        raise ZeroDivisionError(f"in {video}")

    monkeypatch.setattr(selectors.named("uniform"), "select_many", fail)
    [compared] = comparison.ask(video, QUESTION, (), ["uniform"], 2)
    assert "in grey.mp4" in compared.problem and "terminal" in compared.problem
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"video": None}, "no video yet"),
        ({"question": "  "}, "no question yet"),
        ({"names": []}, "choose at least one"),
        ({"n_frames": 0}, "1 or more"),
    ],
)
def test_a_wrong_request_says_what_is_missing(comparison, video, change, says):
    asked = {"video": video, "question": QUESTION, "options": (), "names": ["uniform"], "n_frames": 2, **change}
    with pytest.raises(UsageError, match=says):
        comparison.ask(**asked)


def test_what_to_know_before_trusting_the_picks_comes_with_them(comparison, policy, video):
    [compared] = comparison.ask(video, QUESTION, (), [policy], 64)
    assert len(compared.selection.timestamps_s) == 12
    assert "synthetic world" in compared.notes[0] and "only 12 candidates" in compared.notes[1]


def test_a_page_for_others_loads_only_what_it_offers(policy):
    """Any other name would be a folder of this machine, or something to fetch."""
    made = PageSelectors(SelectSettings(), typed=False)
    made.choose(["uniform"])
    assert made.named("random").name == "random"
    with pytest.raises(UsageError, match="not among"):
        made.named(policy)


def test_without_a_name_the_page_asks_what_select_picks_with_beside_uniform(policy):
    made = PageSelectors(SelectSettings(), model=policy)
    made.choose([])
    assert made.chosen == (policy, "uniform") and made.named(policy).name == "refocus"
    assert made.offered[:2] == [policy, "uniform"] and "mdp3-options" in made.offered
