"""docs/harnesses.md: its examples run, on a tiny model of each family, and show the picked frames at their seconds."""

import re

import pytest

from tests.docs.test_links import ROOT
from tests.support.tiny_processors import PLACES, build_with_processor
from tests.support.videos import variable, write_video

pytestmark = [pytest.mark.lmms_eval, pytest.mark.slow]
pytest.importorskip("torchvision")

SHARED, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "harnesses.md").read_text(), re.M | re.S)
NAMES = dict(zip(PLACES, EXAMPLES, strict=True))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What the page's first block leaves, for a video with an uneven rate."""
    video = tmp_path_factory.mktemp("video") / "lecture.mkv"
    write_video(video, variable(20.0, 3))
    names = {}
    exec(SHARED.replace('"lecture.mp4"', repr(str(video))), names)
    return names


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_show_the_picked_frames_at_their_seconds(name, shared, tmp_path):
    folder, names = build_with_processor(name, tmp_path), dict(shared)
    exec(re.sub(r'from_pretrained\("[^"]+"', f"from_pretrained({str(folder)!r}", NAMES[name]), names)
    inputs, seconds = names["inputs"], names["picks"].timestamps_s
    assert names["reply"].shape[1] > inputs["input_ids"].shape[1] and len(seconds) == 8
    assert isinstance(names["answer"], str)
    frames = {
        "internvl": lambda: len(inputs["pixel_values"]),
        "llava_onevision": lambda: inputs["pixel_values_videos"].shape[1],
    }.get(name, lambda: int(inputs["video_grid_thw"][0, 0]))
    assert frames() == 8
    if name == "qwen3_vl":
        text = names["processor"].tokenizer.decode(inputs["input_ids"][0]).replace(" ", "")
        told = [float(second) for second in re.findall(r"<([\d.]+)seconds>", text)]
        assert told == pytest.approx(seconds, abs=0.0501)
    if name == "qwen2_5_vl":
        video = inputs["input_ids"][0] == names["model"].config.video_token_id
        steps = names["positions"][1, 0, video] - video.nonzero()[0]
        assert sorted(set(steps.tolist())) == sorted({int(second * 2) for second in seconds})


def test_the_page_names_the_models_that_are_there():
    from refocus.select.lmms_eval import MODELS

    page = (ROOT / "docs" / "harnesses.md").read_text()
    assert re.findall(r"^\| `(refocus_\w+)` \|", page, re.M) == list(MODELS)
