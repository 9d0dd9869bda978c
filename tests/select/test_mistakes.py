"""What a newcomer gets wrong is said in his words, before any work."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

torch = pytest.importorskip("torch")

from refocus import Ask, FrameSelector  # noqa: E402
from refocus.core.errors import RefocusError, UsageError  # noqa: E402
from refocus.video.decode import decode_frames  # noqa: E402

from tests.support.grey_video import write_greys  # noqa: E402


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_greys(tmp_path_factory.mktemp("video") / "one.mp4", range(30))


@pytest.mark.parametrize(
    ("question", "options", "says"),
    [
        (None, None, "a question is a text, not NoneType"),
        (["Who?", "Where?"], None, "not list; select_many takes a list"),
        ("Who?", "a cup", "options are a list of texts, not 'a cup'"),
        ("Who?", [1, 2], "options are a list of texts"),
    ],
)
def test_a_question_is_a_text_and_its_options_are_a_list(video, question, options, says):
    """Not the letters of a text."""
    with pytest.raises(UsageError, match=says):
        FrameSelector.from_pretrained("uniform").select(video, question, options)


@pytest.mark.parametrize("questions", ["Who?", Ask("Who?")])
def test_one_question_is_no_list_of_questions(video, questions):
    selector = FrameSelector.from_pretrained("uniform")
    with pytest.raises(UsageError, match="questions are a list"):
        selector.select_many(video, questions)
    [made] = selector.select_batch([(video, questions)])
    assert isinstance(made, UsageError)


def test_half_a_frame_cannot_be_picked(video):
    with pytest.raises(UsageError, match=r"a whole number, not 2\.5"):
        FrameSelector.from_pretrained("uniform").select(video, "Who?", n_frames=2.5)


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_a_video_in_memory_is_not_called_by_the_name_of_its_copy(content):
    with pytest.raises(RefocusError, match=r"^video in memory: "):
        FrameSelector.from_pretrained("uniform").select(content, "Who?")


@pytest.mark.parametrize(
    ("name", "model", "says"),
    [
        ("AKS", None, r"AKS: no such folder.*; selectors without training are uniform, .*aks"),
        ("/nowhere", None, r"/nowhere: no such folder"),
        ("assets/lmm", None, r"assets/lmm: a model of type 'internvl' is no policy; .*`confidence` an LMM"),
        ("assets/siglip", None, "a model of type 'siglip' is no policy; .*`topk` and the like"),
        ("uniform", "assets/siglip", "uniform asks no model: leave assets/siglip out"),
        ("aks", "assets/selector", "selector is a frame-selection policy, no LMM, CLIP or SigLIP"),
        ("confidence", "assets/selector", "selector is a frame-selection policy"),
        ("aks", "assets/lmm", "a model of type 'internvl' is no scorer"),
        ("confidence", "assets/siglip", "model type 'siglip' is not a supported LMM"),
    ],
)
def test_a_model_of_another_kind_is_called_by_its_kind(name, model, says):
    with pytest.raises(UsageError, match=says):
        FrameSelector.from_pretrained(name, model=model)


def test_who_stops_a_batch_does_not_wait_for_the_videos_ahead(video, monkeypatch):
    """Ctrl-C ends what is being decoded, which for films takes minutes."""
    ended, begun = [], threading.Event()

    def candidates(self, settings, heartbeat=None):
        begun.set()
        try:
            for _ in range(3000):  # a film
                heartbeat()
                time.sleep(0.001)
        except CancelledError:
            ended.append(self.name)
            raise

    def requests():
        yield video, ["Who?"]
        assert begun.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr("refocus.select.video_source.FileSource.candidates", candidates)
    with pytest.raises(KeyboardInterrupt):
        list(FrameSelector.from_pretrained("uniform").select_batch(requests()))
    assert ended == [str(video)]


def test_a_heartbeat_that_raises_ends_the_decoding(video):
    """It is a batch's word to stop, which no file's fault may swallow."""
    beats = []

    def beat():
        beats.append(1)
        if len(beats) > 5:
            raise CancelledError

    with pytest.raises(CancelledError):
        decode_frames(video, [0.0, 1.0, 2.0], heartbeat=beat)
    assert len(beats) == 6
