"""What may be handed over as a video, what is made of it, and what a selection gives back."""

import io
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from refocus import Ask, Frames, FrameSelector  # noqa: E402
from refocus.config.decode import DecodeSettings  # noqa: E402
from refocus.core.errors import RefocusError, UsageError  # noqa: E402
from refocus.policy.trained_for import TrainedFor, write_trained_for  # noqa: E402
from refocus.select.video_source import open_video  # noqa: E402

from tests.support.grey_video import write_greys  # noqa: E402
from tests.support.tiny_policy import build_policy  # noqa: E402

QUESTION = "What colour is it?"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_greys(tmp_path_factory.mktemp("video") / "wide.mp4", range(30), width=128, height=48)


def test_a_path_bytes_and_an_open_file_give_the_same_frames(selector, video):
    made = [selector.select(video, QUESTION, n_frames=4), selector.select(str(video), QUESTION, n_frames=4)]
    made.append(selector.select(video.read_bytes(), QUESTION, n_frames=4))
    made.append(selector.select(io.BytesIO(video.read_bytes()), QUESTION, n_frames=4))
    with video.open("rb") as file:
        made.append(selector.select(file, QUESTION, n_frames=4))
    assert all(selection == made[0] for selection in made)
    assert len({selection.file.video_digest for selection in made}) == 1
    assert all((a == b).all() for a, b in zip(made[2].arrays(), made[0].arrays(), strict=True))


def test_a_copy_of_bytes_goes_with_its_source():
    source = open_video(b"not a video")
    copy = source.path
    assert copy.is_file()
    del source
    assert not copy.exists()


def test_frames_in_memory_are_sampled_as_a_file_is(selector, video):
    """An array, PIL images, a tensor; at a rate, or at times."""
    greys = np.stack([np.full((48, 64, 3), 8 * number, np.uint8) for number in range(30)])
    picked = selector.select(Frames(greys, fps=10), QUESTION, n_frames=5)
    assert picked.timestamps_s == pytest.approx([number / 10 for number in picked.source_frames])
    assert [int(image[0, 0, 0]) for image in picked.arrays()] == [8 * number for number in picked.source_frames]
    assert (
        open_video(Frames(greys, fps=10)).candidates(DecodeSettings()).source_frames
        == open_video(video).candidates(DecodeSettings()).source_frames
    )
    times = [number / 10 for number in range(30)]
    for same in (
        Frames([Image.fromarray(image) for image in greys], fps=10),
        Frames(torch.from_numpy(greys), fps=10),
        Frames(torch.from_numpy(greys).permute(0, 3, 1, 2), fps=10),
        Frames(list(greys), timestamps_s=times),
    ):
        assert selector.select(same, QUESTION, n_frames=5) == picked
    assert selector.select(Frames(greys, timestamps_s=times), QUESTION, n_frames=5).file.duration_s is None


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (Frames(np.zeros((3, 8, 8, 3), np.uint8)), "either fps"),
        (Frames(np.zeros((3, 8, 8, 3), np.uint8), fps=0), "positive"),
        (Frames(np.zeros((3, 8, 8, 3), np.uint8), timestamps_s=[0, 1, 1]), "increasing"),
        (Frames(np.zeros((3, 8, 8), np.uint8), fps=1), r"\(T, height, width, 3\)"),
        (Frames(np.zeros((3, 8, 8, 3), np.float32), fps=1), "uint8"),
        (Frames([], fps=1), "no images"),
        (Frames([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], fps=1), "several sizes"),
    ],
)
def test_frames_that_are_none_are_refused(frames, says):
    with pytest.raises(UsageError, match=says):
        open_video(frames)


@pytest.mark.parametrize(
    ("video", "says"),
    [("https://example.org/a.mp4", "address"), ("s3://bucket/a.mp4", "address"), (".", "folder"), (3, "int")],
)
def test_what_is_no_video_is_refused_with_what_to_do(video, says):
    with pytest.raises(UsageError, match=says):
        open_video(video)


def test_pictures_come_at_native_size_and_aspect(selector, video):
    picked = selector.select(video, QUESTION, n_frames=3)
    assert [image.size for image in picked.images()] == [(128, 48)] * 3
    assert picked.tensor().shape == (3, 3, 48, 128)
    greys = [int(image.mean()) for image in picked.arrays()]
    assert greys == pytest.approx([8 * number for number in picked.source_frames], abs=4)


def test_metadata_tell_every_frames_second(selector, video):
    picked = selector.select(video, QUESTION, n_frames=3)
    about = picked.metadata()
    assert [number / about["fps"] for number in about["frames_indices"]] == pytest.approx(picked.timestamps_s)
    assert about["total_num_frames"] == 30 and about["duration"] == pytest.approx(3) and not about["do_sample_frames"]


def test_every_candidate_has_its_likelihood(selector, video):
    """Of a policy: Eq. 10 over the steps of the very picks, so it sums to one."""
    curve = selector.select(video, QUESTION, n_frames=5).likelihood
    assert len(curve.values) == len(curve.timestamps_s) == 12
    assert sum(curve.values) == pytest.approx(1, abs=1e-4)


def test_many_questions_cost_one_decode_and_one_prefix(model, video, monkeypatch):
    """And get the frames that each gets alone; the work is counted."""
    selector, decodes = FrameSelector.from_pretrained(model), []
    candidates = type(open_video(video)).candidates
    monkeypatch.setattr(
        "refocus.select.video_source.FileSource.candidates",
        lambda self, *how: decodes.append(1) or candidates(self, *how),
    )
    asked = [f"What colour is the {what}?" for what in ("circle", "square", "left", "right", "red")] * 4
    alone = FrameSelector.from_pretrained(model)
    each = [alone.select(video, question, n_frames=3) for question in asked]
    decodes.clear()
    before = selector.policy.backbone.tokens
    together = selector.select_many(video, asked, n_frames=3)
    assert [picked.pick_order for picked in together] == [picked.pick_order for picked in each]
    assert len(decodes) == 1
    assert selector.policy.backbone.tokens - before < 2 * 12 * selector.policy.config.tokens_per_frame + 20 * 100


def test_an_encoded_video_is_asked_later_and_by_another_process(model, video, tmp_path):
    selector = FrameSelector.from_pretrained(model)
    encoded = selector.encode(video)
    selector.save_encoded(encoded, tmp_path / "wide.safetensors")
    later = FrameSelector.from_pretrained(model)
    again = later.load_encoded(tmp_path / "wide.safetensors")
    wanted = selector.select(video, QUESTION, n_frames=4)
    assert later.select(again, QUESTION, n_frames=4) == wanted
    assert later.select(again, QUESTION, n_frames=4).images()[0].size == (128, 48)


def test_an_encoded_video_of_another_selector_or_video_is_refused(model, video, tmp_path):
    selector = FrameSelector.from_pretrained(model)
    mine = write_greys(tmp_path / "mine.mp4", range(10))
    encoded = selector.encode(mine)
    selector.save_encoded(encoded, tmp_path / "state")
    slower = FrameSelector.from_pretrained(model, decode=DecodeSettings(fps=2))
    with pytest.raises(UsageError, match="encode it"):
        slower.select(encoded, QUESTION)
    with pytest.raises(UsageError, match="another selector"):
        slower.load_encoded(tmp_path / "state")
    write_greys(mine, range(5, 15))
    with pytest.raises(UsageError, match="another file"):
        selector.load_encoded(tmp_path / "state")
    (tmp_path / "state").write_bytes(b"damaged")
    with pytest.raises(UsageError, match="not a video"):
        selector.load_encoded(tmp_path / "state")


def test_a_batch_goes_on_behind_a_broken_video(selector, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    requests = [(video, [QUESTION, "What?"]), (broken, [QUESTION]), (video, [Ask("What?")])]
    made = list(selector.select_batch(requests, n_frames=2))
    assert [len(one) for one in made if isinstance(one, list)] == [2, 1]
    assert isinstance(made[1], RefocusError) and "broken.mp4" in str(made[1])
    assert made[0][1].pick_order == made[2][0].pick_order


def test_a_policy_brings_how_it_was_trained_to_be_asked(tmp_path, video):
    build_policy(0, torch.float32).save_pretrained(tmp_path)
    write_trained_for(tmp_path, TrainedFor.of(3, DecodeSettings(fps=2, size=64)))
    selector = FrameSelector.from_pretrained(tmp_path)
    picked = selector.select(video, QUESTION)
    assert len(picked.timestamps_s) == 3 and len(picked.likelihood.values) == 6
    with pytest.raises(UsageError, match=r"fps 4\.0, not 2"):
        FrameSelector.from_pretrained(tmp_path, decode=DecodeSettings(size=64))
    (tmp_path / "selection.json").write_text(json.dumps({"n_frames": 3}))
    with pytest.raises(UsageError, match=r"selection\.json must hold"):
        FrameSelector.from_pretrained(tmp_path)
