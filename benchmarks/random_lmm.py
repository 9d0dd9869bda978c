"""Random InternVL models of any size, made on the device they run on: speed can be measured where no weights are."""

import math

import torch
from refocus.lmm import Lmm
from refocus.lmm.families import FAMILIES
from refocus.lmm.loading import find_attention
from refocus.plan.model_shapes import LmmShape
from transformers import AutoModelForImageTextToText, InternVLConfig, InternVLVisionConfig, Qwen2Config

from tests.support.tiny_lmm import build_tokenizer

LETTERS = "ABCDEFGHIJKLMN"
HEAD = 64  # width of the vision tower's heads


def config_of(shape: LmmShape) -> InternVLConfig:
    """The transformers configuration of a model of this shape, output layer apart from the embedding."""
    tower = shape.tower
    return InternVLConfig(
        vision_config=InternVLVisionConfig(
            hidden_size=tower.width,
            intermediate_size=tower.ffn,
            num_hidden_layers=tower.layers,
            num_attention_heads=max(1, tower.width // HEAD),
            image_size=tower.patch * math.isqrt(tower.patches),
            patch_size=tower.patch,
            attention_bias=True,
        ),
        text_config=Qwen2Config(
            hidden_size=shape.width,
            intermediate_size=shape.ffn,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            vocab_size=shape.vocab,
            max_position_embeddings=32768,
            tie_word_embeddings=False,
        ),
        image_token_id=build_tokenizer(LETTERS).convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=shape.frame_tokens,
        downsample_ratio=math.sqrt(tower.width / shape.connector_in),
        tie_word_embeddings=False,
    )


def build(
    shape: LmmShape,
    *,
    device: torch.device,
    dtype: torch.dtype,
    attention: str = "auto",
    seed: int = 0,
    batch_tokens: int | None = None,
) -> Lmm:
    """A model whose answers depend on its frames; the same weights for the same seed, device and type.

    Weights are drawn wide enough for attention to choose: with transformers' own spread it averages all frames.
    """
    chosen = find_attention(attention, device, dtype)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config_of(shape), dtype=dtype, attn_implementation=chosen)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lambda" in name:
                weight.fill_(1.0)
            elif weight.ndim > 1:
                weight.normal_(0, 1.5 / math.sqrt(weight[0].numel()))
    return wrapped(model, batch_tokens)


def wrapped(model: torch.nn.Module, batch_tokens: int | None = None) -> Lmm:
    """The scorer of a model that `build` has made."""
    family = FAMILIES["internvl"]
    model = model.eval().requires_grad_(False)
    return Lmm(model, build_tokenizer(LETTERS), family, *family.statistics, batch_tokens)
