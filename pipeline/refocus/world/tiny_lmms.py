"""The world's two video-LMMs before training: a tiny InternVL, and a tiny LLaVA-OneVision that shares nothing with it.

Each is cut at its frozen tower, so that what the tower gives can be kept while the rest learns.

f frames · p patches · c tower width · q tokens per frame · d width of the language model
"""

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from refocus.lmm.families import FAMILIES, Family
from refocus.world.contrast import PATCH, WIDTH
from refocus.world.stream import SIDE

if TYPE_CHECKING:
    from transformers import Qwen2Config, SiglipModel

TOKENS = 4  # per frame, in both


class TinyLmm(Protocol):
    """A model, its family, and the way from pixels to the language model's tokens in two steps."""

    model: Any
    family: Family

    @property
    def before_language(self) -> list[Any]:
        """The tower and the projector."""

    def tower(self, pixels: Tensor) -> Tensor:
        """(f, 3, s, s) normalised pixels -> (f, p, c)."""

    def project(self, features: Tensor) -> Tensor:
        """(f, p, c) -> (f, q, d)."""


class TinyInternVL:
    """`InternVLForConditionalGeneration` of about a million parameters."""

    family = FAMILIES["internvl"]

    def __init__(self, tokenizer: Any):
        from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig

        vision = InternVLVisionConfig(
            hidden_size=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=3 * WIDTH,
            image_size=[SIDE, SIDE],
            patch_size=[PATCH, PATCH],
            layer_scale_init_value=1.0,
            initializer_range=0.08,
        )
        config = InternVLConfig(
            vision_config=vision,
            text_config=_language(tokenizer),
            image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
            image_seq_length=TOKENS,
            downsample_ratio=0.5,
            tie_word_embeddings=True,
        )
        self.model = InternVLForConditionalGeneration(config)
        _warm_start(self.model.model.language_model)

    @property
    def before_language(self) -> list[Any]:
        """See `TinyLmm`."""
        return [self.model.model.vision_tower, self.model.model.multi_modal_projector]

    def tower(self, pixels: Tensor) -> Tensor:
        """See `TinyLmm`; after the pixel shuffle, without the class token."""
        inner = self.model.model
        hidden = inner.vision_tower(pixels).last_hidden_state[:, 1:]
        side = SIDE // PATCH
        return inner.pixel_shuffle(hidden.unflatten(1, (side, side)), scale_factor=0.5).flatten(1, 2)

    def project(self, features: Tensor) -> Tensor:
        """See `TinyLmm`."""
        return self.model.model.multi_modal_projector(features)


class TinyOneVision:
    """`LlavaOnevisionForConditionalGeneration` of about a million parameters; its tower is the world's SigLIP."""

    family = FAMILIES["llava_onevision"]

    def __init__(self, tokenizer: Any, siglip: "SiglipModel | None" = None):
        from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, SiglipVisionConfig

        from refocus.world.contrast import build_siglip

        siglip = siglip or build_siglip(len(tokenizer))
        shape: Any = siglip.config.vision_config
        vision = SiglipVisionConfig(**{**shape.to_dict(), "vision_use_head": False, "dtype": None})
        config = LlavaOnevisionConfig(
            vision_config=vision,
            text_config=_language(tokenizer),
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
            tie_word_embeddings=True,
        )
        self.model = LlavaOnevisionForConditionalGeneration(config).float()
        _warm_start(self.model.model.language_model)
        self.model.model.vision_tower.load_state_dict(siglip.vision_model.state_dict(), strict=False)

    @property
    def before_language(self) -> list[Any]:
        """See `TinyLmm`."""
        return [self.model.model.vision_tower, self.model.model.multi_modal_projector]

    def tower(self, pixels: Tensor) -> Tensor:
        """See `TinyLmm`."""
        layer = self.model.config.vision_feature_layer
        return self.model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[layer]

    def project(self, features: Tensor) -> Tensor:
        """See `TinyLmm`; pooled as the family does."""
        return self.model.model.apply_pooling(self.model.model.multi_modal_projector(features))


def _language(tokenizer: Any) -> "Qwen2Config":
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=256,
        max_position_embeddings=4096,
        initializer_range=0.08,  # 0.02 does not learn at this width
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )


@torch.no_grad()
def _warm_start(language: Any, gain: float = 1.5) -> None:
    """Starts half of the heads asking by content: a token attends to those like it, and what they hold comes back.

    Without it the first hundreds of steps teach nothing, and lessons that could be answered by position are.
    """
    for layer in language.layers:
        attention, size = layer.self_attn, layer.self_attn.head_dim
        for head in range(0, language.config.num_attention_heads, attention.num_key_value_groups):
            group = head // attention.num_key_value_groups
            own, shared = slice(head * size, (head + 1) * size), slice(group * size, (group + 1) * size)
            attention.q_proj.weight[own] = gain * attention.k_proj.weight[shared]
            attention.o_proj.weight[:, own] = attention.v_proj.weight[shared].T
