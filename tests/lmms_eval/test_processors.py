"""Picks handed to transformers' processors: the model is shown what our own scorer shows it."""

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.lmm import Prompt, load_lmm, option_logits
from refocus.lmm.prompts import SYSTEM, option_lines
from refocus.select.picks import Selection, VideoFile
from refocus.select.processors import as_video, qwen2_5_positions, qwen3_text

from tests.support.tiny_processors import PLACES, build_with_processor

pytestmark = pytest.mark.lmms_eval
pytest.importorskip("torchvision")

PROMPT = Prompt("What colour is shown?", ("red", "green", "blue"))
SECONDS = (0.4, 2.0, 7.2, 90.0)
FILE = VideoFile("v.mp4", "d" * 32, total_num_frames=3000, fps=25.0, duration_s=120.0)
EVEN = Selection((0, 1, 2, 3), SECONDS, (0, 1, 2, 3), frames_indices=(10, 50, 180, 2250), file=FILE)
MESSAGES = [
    {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
    {
        "role": "user",
        "content": [
            {"type": "video"},
            {"type": "text", "text": "\n".join([PROMPT.question, "Options:", *option_lines(PROMPT.options)])},
        ],
    },
]


@pytest.fixture(scope="module", params=PLACES)
def family(request, tmp_path_factory):
    return request.param, build_with_processor(request.param, tmp_path_factory.mktemp(request.param))


def processor_of(folder):
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder)


def pictures(size, frames=4):
    return list(np.random.default_rng(0).integers(0, 256, (frames, size, size, 3), dtype=np.uint8))


def inputs_of(name, processor, shown, row):
    text = processor.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True) + "Answer:"
    text = qwen3_text(text) if name == "qwen3_vl" else text
    sized = {"do_resize": False} if name.startswith("qwen") else {}
    return processor(text=text, **as_video(processor, shown, row, row.file), **sized, return_tensors="pt")


def test_the_stock_model_behind_its_processor_answers_as_our_scorer_does(family):
    """Same frames, same prompt, same seconds: the logits of the letters are equal."""
    name, folder = family
    lmm, processor = load_lmm(folder), processor_of(folder)
    shown = pictures(lmm.frame_size)
    inputs = dict(inputs_of(name, processor, shown, EVEN))
    if name == "qwen2_5_vl":
        inputs["position_ids"] = qwen2_5_positions(inputs, lmm.model.config, EVEN.timestamps_s)
    with torch.no_grad():
        last = lmm.model(**inputs).logits[0, -1]
    theirs = torch.stack([last[ids].logsumexp(0) for ids in lmm._letters[:3]])
    raw = lmm.score(lmm.encode(np.stack(shown)), [(range(4), 0)], [PROMPT], EVEN.timestamps_s)[0]
    torch.testing.assert_close(theirs, option_logits(raw), atol=1e-4, rtol=1e-4)


def test_every_frame_is_shown_once_whatever_the_processor_would_sample(family):
    """Qwen3-VL's processor samples two frames a second unless it is told not to."""
    name, folder = family
    processor = processor_of(folder)
    processor.video_processor.do_sample_frames, processor.video_processor.num_frames = True, 2
    inputs = inputs_of(name, processor, pictures(32), EVEN)
    if name.startswith("qwen"):
        assert inputs["video_grid_thw"][0, 0] == 4
    else:
        pixels = inputs["pixel_values"] if name == "internvl" else inputs["pixel_values_videos"][0]
        assert len(pixels) == 4


@pytest.mark.parametrize("file", [FILE, VideoFile("v.mkv", duration_s=120.0, fps=7.3)], ids=["even", "uneven"])
def test_metadata_say_the_true_seconds(family, file):
    """Where frames come unevenly, number / fps of the file's own numbers would not be a frame's time."""
    name, folder = family
    video = as_video(processor_of(folder), pictures(32), EVEN, file)
    metadata = video["video_metadata"][0]
    times = 2 if name.startswith("qwen") else 1
    assert metadata.timestamps == pytest.approx(np.repeat(SECONDS, times), abs=5e-4)
    assert metadata.duration == 120.0 and max(metadata.frames_indices) < metadata.total_num_frames
    assert len(video["videos"][0]) == len(metadata.frames_indices) and video["do_sample_frames"] is False


def test_qwen3_reads_each_frames_own_second_and_no_marks_around_all_of_them(tmp_path):
    processor = processor_of(build_with_processor("qwen3_vl", tmp_path))
    ids = inputs_of("qwen3_vl", processor, pictures(32), EVEN)["input_ids"][0]
    text = processor.tokenizer.decode(ids).replace(" ", "").replace("<|video_pad|>", "")
    frames = "".join(f"<{second}seconds><|vision_start|><|vision_end|>" for second in SECONDS)
    assert f"user\n{frames}Whatcolour" in text


def test_qwen2_5_frames_that_are_not_the_pictures_given_are_refused(tmp_path):
    folder = build_with_processor("qwen2_5_vl", tmp_path)
    inputs = dict(inputs_of("qwen2_5_vl", processor_of(folder), pictures(32), EVEN))
    with pytest.raises(RefocusError, match="made 4 frames of 3"):
        qwen2_5_positions(inputs, load_lmm(folder).model.config, SECONDS[:3])


def test_pictures_that_are_no_video_are_refused(family):
    processor = processor_of(family[1])
    with pytest.raises(RefocusError, match="of 2 sizes"):
        as_video(processor, [*pictures(32, 3), *pictures(24, 1)], EVEN, FILE)
    with pytest.raises(RefocusError, match="3 pictures for 4"):
        as_video(processor, pictures(32, 3), EVEN, FILE)
    with pytest.raises(RefocusError, match="how long the video is"):
        as_video(processor, pictures(32), EVEN, VideoFile("v.mp4"))
