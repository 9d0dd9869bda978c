"""LLaVA-OneVision behind the interface of InternVL, and the path that flash attention takes."""

import numpy as np
import pytest
import torch
from refocus.lmm import Prompt, load_lmm
from refocus.lmm.families import FAMILIES
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tests.support.tiny_lmm import build_onevision

ASKED = Prompt("What colour is shown?", ("red", "green"))
GOLDEN = (
    "<|im_start|>system\nYou are a helpful assistant. Please choose the correct answer to the multiple-choice question "
    "regarding a video. The answer must be a single uppercase letter.<|im_end|>\n<|im_start|>user\n"
    f"{'<video>' * 393}\nWhat colour is shown?\nOptions:\nA. red\nB. green<|im_end|>\n<|im_start|>assistant\nAnswer:"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_onevision(tmp_path_factory.mktemp("onevision"))


def test_onevisions_prompt_is_its_chat_template_around_the_papers_words():
    family = FAMILIES["llava_onevision"]
    assert family.prefix(2, 196) + family.suffix(ASKED) == GOLDEN


def test_a_folder_is_recognised_as_onevision_and_can_be_called_by_name(folder):
    assert load_lmm(folder).family.name == load_lmm(folder, family="llava_onevision").family.name == "llava_onevision"


def test_onevision_pools_frames_as_its_video_path_does(folder):
    lmm = load_lmm(folder)
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.25])
    pixels = ((torch.from_numpy(images) / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        video = lmm.model.get_video_features(pixels[None], return_dict=True).pooler_output[0]
    found = lmm.encode(images, batch_tokens=1)
    assert found.shape == (3, lmm.tokens_per_frame, 48) == (3, 4, 48)
    torch.testing.assert_close(found.flatten(0, 1), video[:-1], atol=1e-5, rtol=0)
    torch.testing.assert_close(lmm.model.model.image_newline, video[-1])


def test_onevision_frames_are_384_pixels_of_196_tokens_at_the_published_size():
    from transformers import LlavaOnevisionConfig

    config, family = LlavaOnevisionConfig(), FAMILIES["llava_onevision"]
    assert (family.frame_size(config), family.tokens_per_frame(config), family.patches_per_frame(config)) == (
        384,
        196,
        729,
    )
    assert config.video_token_id == family.context_id(config)


def test_flash_attention_gets_no_masks_and_the_values_stay(lmm, monkeypatch):
    """Flash attention knows only causal attention aligned to the end; packed questions must not reach it."""
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    asked = [ASKED, Prompt("how many?", ("red", "blue"))]
    rows = [(frames, number) for frames in ((0, 1), (0, 2, 3), (4,)) for number in range(2)]
    features = lmm.encode(images)
    expected, calls = lmm.score(features, rows, asked), []

    def flash(module, query, key, value, attention_mask, **kwargs):
        assert attention_mask is None
        calls.append(query.shape)
        after, whole = query.shape[2], key.shape[2]
        mask = torch.ones(after, whole, dtype=torch.bool).tril(whole - after)[None, None]
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "flash_attention_2", flash)
    monkeypatch.setattr(lmm._passes._decoder.config, "_attn_implementation_internal", "flash_attention_2")
    for row, other in zip(lmm.score(features, rows, asked), expected, strict=True):
        torch.testing.assert_close(row, other, atol=1e-5, rtol=0)
    assert calls and lmm._passes._decoder.config._attn_implementation == "flash_attention_2"
