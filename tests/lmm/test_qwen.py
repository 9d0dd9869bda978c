"""Qwen2.5-VL and Qwen3-VL: frames with their true seconds, and scores that equal the stock model's."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError, UsageError
from refocus.evaluate.answering import answer_clip
from refocus.lmm import Prompt, load_lmm, option_logits
from refocus.lmm.families import FAMILIES
from refocus.lmm.option_scorer import Lmm
from refocus.reward.margin import margins
from refocus.select.ask_frames import certain_clip
from refocus.select.picks import Selection
from refocus.train.reward_model import LmmRewardModel
from transformers import Qwen2_5_VLConfig, Qwen3VLConfig, Qwen3VLMoeConfig, Qwen3VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.video_utils import VideoMetadata

from tests.reward.test_score_shard import question
from tests.support.reference import MEAN, STD, Reference
from tests.support.tiny_lmm import BUILDERS

QWEN = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
ASKED = Prompt("What colour is shown?", ("red", "green"))
QUESTIONS = [
    ASKED,
    Prompt("how many red before the square disappears?", ("first", "last", "blue")),
    Prompt("What is first?", ("red", "green", "blue", "yellow", "red circle", "last square")),
]
SECONDS = [0.0, 0.3, 2.5, 9.9, 10.04, 11.0, 47.25, 99.9, 100.0, 613.7]
ROWS = [
    ((0, 1, 2), 0),
    ((0, 1, 2), 1),
    ((0, 1, 2, 3, 9), 2),
    ((0, 1, 4), 1),  # another length of marker where the row above has 9.9
    ((0, 1, 5), 2),
    ((3, 4), 1),
    ((8,), 2),
    ((9,), 0),
    ((2, 1, 0), 0),  # backwards
    (tuple(range(10)), 1),
    (tuple(range(10)), 0),
    ((), 2),
]
SYSTEM = (
    "<|im_start|>system\nYou are a helpful assistant. Please choose the correct answer to the multiple-choice question "
    "regarding a video. The answer must be a single uppercase letter.<|im_end|>\n<|im_start|>user\n"
)
END = "What colour is shown?\nOptions:\nA. red\nB. green<|im_end|>\n<|im_start|>assistant\nAnswer:"
F = "<|video_pad|>" * 256
GOLDEN = {
    "qwen2_5_vl": f"{SYSTEM}<|vision_start|>{F}{F}<|vision_end|>{END}",
    "qwen3_vl": (
        f"{SYSTEM}<0.4 seconds><|vision_start|>{F}<|vision_end|><61.0 seconds><|vision_start|>{F}<|vision_end|>{END}"
    ),
}


@pytest.fixture(scope="module", params=QWEN)
def folder(request, tmp_path_factory):
    return BUILDERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (len(SECONDS), 32, 32, 3), dtype=np.uint8)


def in_float64(folder):
    lmm = load_lmm(folder)
    lmm.model.set_experts_implementation("eager")  # the grouped one of a mixture of experts has no float64
    return Lmm(lmm.model.double(), lmm.tokenizer, lmm.family, MEAN, STD, None)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_prompt_is_the_chat_template_of_its_authors_around_the_papers_words(name):
    family = FAMILIES[name]
    assert family.prefix(2, 256, [0.42, 61.0]) + family.suffix(ASKED) == GOLDEN[name]


@pytest.mark.parametrize("name", QWEN)
def test_a_folder_is_recognised_and_can_be_called_by_name(name, tmp_path):
    folder = BUILDERS[name](tmp_path)
    assert load_lmm(folder).family.name == load_lmm(folder, family=name).family.name == name


def test_markers_are_those_of_transformers_for_frames_of_the_file():
    """Its processor pairs frames: each stands there twice, and the mean of a pair is the frame's own second."""
    fps, indices = 23.976, [0, 7, 8, 240, 241, 5000]
    processor = SimpleNamespace(
        video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
        video_token="<|video_pad|>",
        _calculate_timestamps=lambda *args: Qwen3VLProcessor._calculate_timestamps(None, *args),
    )
    metadata = VideoMetadata(total_num_frames=6000, fps=fps, frames_indices=[i for i in indices for _ in range(2)])
    grid = torch.tensor([[len(indices), 28, 28]])
    theirs = Qwen3VLProcessor.replace_video_token(processor, {"video_grid_thw": grid, "video_metadata": [metadata]}, 0)
    family = FAMILIES["qwen3_vl"]
    assert theirs == "".join(family.frame(place, index / fps, 196) for place, index in enumerate(indices))


@pytest.mark.parametrize(("config", "tokens"), [(Qwen2_5_VLConfig, 256), (Qwen3VLConfig, 196), (Qwen3VLMoeConfig, 196)])
def test_frames_of_the_published_models_are_448_pixels(config, tokens):
    values = config()
    family = FAMILIES[values.model_type]
    assert family.frame_size(values) == 448
    assert family.tokens_per_frame(values) == tokens == family.patches_per_frame(values) / 4
    assert family.context_id(values) == values.video_token_id
    assert family.embeddings_per_token(values) == (1 if config is Qwen2_5_VLConfig else 4)


def test_the_flat_configuration_in_which_qwen2_5_is_published_is_read(tmp_path, images):
    folder = BUILDERS["qwen2_5_vl"](tmp_path)
    before = load_lmm(folder)
    values = json.loads((folder / "config.json").read_text())
    text = values.pop("text_config")
    rope = text.pop("rope_parameters")
    text |= {
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
    }
    del text["model_type"], text["layer_types"]
    (folder / "config.json").write_text(json.dumps({**text, **values}))
    after = load_lmm(folder)
    expected, found = (lmm.score(lmm.encode(images), ROWS, QUESTIONS, SECONDS) for lmm in (before, after))
    for row, other in zip(found, expected, strict=True):
        torch.testing.assert_close(row, other, atol=0, rtol=0)


def test_a_size_that_is_no_multiple_of_a_tokens_is_refused(tmp_path):
    folder = BUILDERS["qwen3_vl"](tmp_path)
    values = json.loads((folder / "config.json").read_text())
    values["vision_config"]["image_size"] = 40
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(UsageError, match="multiples of 16 pixels"):
        load_lmm(folder)


def test_a_frame_is_encoded_as_the_models_own_image_path_does_whatever_its_company(folder, images):
    lmm = load_lmm(folder)
    cut = Qwen2VLImageProcessorPil(do_resize=False, image_mean=MEAN, image_std=STD, patch_size=8)
    inputs = cut.preprocess([*images], return_tensors="pt")
    with torch.no_grad():
        theirs = lmm.model.get_image_features(**inputs, return_dict=True)
    expected = [theirs.pooler_output, *getattr(theirs, "deepstack_features", [])]
    expected = torch.cat([torch.stack(part) for part in expected], dim=-1)
    found = lmm.encode(images, batch_tokens=40)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lmm.encode(images[3:4])[0], found[3], atol=1e-5, rtol=0)


@pytest.mark.parametrize("budget", [1, 300, 100_000])
def test_scores_in_float64_equal_one_forward_of_the_stock_model_per_row(folder, images, budget):
    lmm, reference = in_float64(folder), Reference(folder, torch.float64)
    rows = [row for row in ROWS if row[0]]
    found = lmm.score(lmm.encode(images), rows, QUESTIONS, SECONDS, batch_tokens=budget)
    for (frames, number), raw in zip(rows, found, strict=True):
        asked = QUESTIONS[number]
        times = [SECONDS[frame] for frame in frames]
        expected = reference.letters(images[list(frames)], times, asked.question, asked.options)
        torch.testing.assert_close(raw, expected, atol=1e-7, rtol=0)  # not less: the models' norms compute in float32


def test_scores_do_not_depend_on_packing_or_company(folder, images):
    lmm = load_lmm(folder)
    features = lmm.encode(images)
    alone = [lmm.score(features, [row], QUESTIONS, SECONDS)[0] for row in ROWS]
    for budget in (1, 100, 500, 100_000):
        for row, expected in zip(lmm.score(features, ROWS, QUESTIONS, SECONDS, budget), alone, strict=True):
            torch.testing.assert_close(row, expected, atol=1e-5, rtol=0)


def test_every_shared_beginning_is_computed_once_though_markers_differ_in_length(folder, images):
    lmm = load_lmm(folder)
    lmm.score(lmm.encode(images), ROWS, QUESTIONS, SECONDS)
    lists = {frames for frames, _ in ROWS}
    assert lmm.work.slots == len({frames[:n] for frames in lists for n in range(1, len(frames) + 1)})
    assert lmm.work.frames == len(images)


def test_evenly_spaced_frames_stand_where_transformers_puts_them(tmp_path):
    """Its rule for Qwen2.5-VL: one interval for a whole video that begins at second 0."""
    lmm = load_lmm(BUILDERS["qwen2_5_vl"](tmp_path))
    config, opening, start = lmm.model.config, 5, torch.tensor([5])
    video = torch.tensor([[0] * opening + [1] * 4 * 6])
    theirs, _ = lmm.model.model.get_rope_index(
        video, mm_token_type_ids=2 * video, video_grid_thw=torch.tensor([[6, 4, 4]]), second_per_grid_ts=[0.7]
    )
    for frame in range(6):
        ours = lmm.family.frame_positions(config, start, opening, torch.tensor([0.7 * frame]), 0, 0)
        assert ours[:, 0].tolist() == theirs[:, 0, opening + 4 * frame : opening + 4 * (frame + 1)].tolist()


def test_a_question_follows_the_largest_position_of_the_video(tmp_path, images):
    """The example of the model's authors: three frames 50 steps apart, then text from 101 on."""
    lmm = load_lmm(BUILDERS["qwen2_5_vl"](tmp_path))
    decode, seen = lmm._passes._decode, []

    def noted(x, cache, **kwargs):
        seen.append(kwargs.get("position_ids"))
        return decode(x, cache, **kwargs)

    lmm._passes._decode = noted
    lmm.score(lmm.encode(images[:3]), [((0, 1, 2), 0)], [ASKED], [0.0, 25.0, 50.0])
    opening, (frames, asked) = len(lmm._tokens(lmm.family.opening())), seen[1:]
    time, height, width = (frames[:, 0] - opening).tolist()
    assert time == [0, 0, 0, 0, 50, 50, 50, 50, 100, 100, 100, 100]
    assert height == [0, 0, 1, 1] * 3 and width == [0, 1, 0, 1] * 3
    assert (asked[:, 0, 0] - opening).tolist() == [101, 101, 101]
    assert (asked[:, 0].diff() == 1).all()


def test_seconds_matter_and_are_asked_for(folder, images):
    lmm = load_lmm(folder)
    features = lmm.encode(images)
    early, late = (
        lmm.score(features, [((1, 2), 0)], QUESTIONS, [second + shift for second in SECONDS])[0] for shift in (0, 30)
    )
    assert (early - late).abs().max() > 1e-3
    with pytest.raises(RefocusError, match=f"{lmm.family.name} shows the seconds"):
        lmm.score(features, [((1, 2), 0)], QUESTIONS)


def test_rewards_certainty_and_answers_are_given_the_files_seconds(folder, images):
    lmm = load_lmm(folder)
    features = lmm.encode(images)
    asked = [question(0, "c"), question(1, "c", question="how many red?", answer_index=0)]
    prompts = [Prompt.of(one) for one in asked]

    def logits(frames, number):
        return option_logits(lmm.score(features, [(frames, number)], prompts, SECONDS)[0])

    certain = certain_clip(lmm, images, SECONDS, asked)
    for number, one in enumerate(asked):
        expected = [float(logits((frame,), number).log_softmax(-1).max()) for frame in range(len(images))]
        np.testing.assert_allclose(certain[one.qa_id], expected, atol=1e-4)

    subsets = [[(1, 4), (2, 9)], [(0, 8), (1, 4)]]
    rewards = LmmRewardModel(lmm, lambda clip: features, lambda clip: SECONDS)(asked, subsets)
    for number, row in enumerate(subsets):
        expected = margins([logits(frames, number) for frames in row], [asked[number].answer_index] * 2)
        np.testing.assert_allclose(rewards.reward[number], expected, atol=1e-4)

    chosen = {(2, asked[0].qa_id): Selection((4, 7), (SECONDS[4], SECONDS[7]), (4, 7))}
    answers = answer_clip(lmm, asked, chosen, lambda one, frames, times: images[list(frames)])
    np.testing.assert_allclose(answers[2, asked[0].qa_id].logits, logits((4, 7), 0), atol=1e-4)
