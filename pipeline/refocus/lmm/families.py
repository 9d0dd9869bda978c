"""The supported families of video LMMs: prompt strings, vision features, image size and statistics.

A family is stateless; the model and its weights live in `refocus.lmm.option_scorer.Lmm`.
"""

import math
from typing import Any

import torch
from torch import Tensor

from refocus.config.lmm import MODEL_TYPES, unsupported
from refocus.core.errors import UsageError
from refocus.lmm.family import Family, Prompted
from refocus.lmm.loading import Statistics
from refocus.lmm.prompts import Prompt, chat_opening, internvl_frame, internvl_suffix, onevision_frame, onevision_suffix
from refocus.lmm.qwen import Qwen3VL, Qwen3VLMoe, Qwen25VL

__all__ = ["FAMILIES", "Family", "InternVL", "LlavaOnevision", "find_family"]


class InternVL(Prompted):
    """InternVL 2.5 / 3 in their transformers form: one square tile per video frame."""

    name = "internvl"
    architecture = "InternVLForConditionalGeneration"
    statistics: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

    def frame_size(self, config: Any) -> int:
        size = config.vision_config.image_size
        return int(size[0] if isinstance(size, list | tuple) else size)

    def tokens_per_frame(self, config: Any) -> int:
        return int(config.image_seq_length)

    def patches_per_frame(self, config: Any) -> int:
        return round(config.image_seq_length / config.downsample_ratio**2) + 1

    def context_id(self, config: Any) -> int:
        return int(config.image_token_id)

    def opening(self) -> str:
        return chat_opening()

    def frame(self, place: int, time_s: float, tokens_per_frame: int) -> str:
        return internvl_frame(place, tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return internvl_suffix(prompt)

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output


class LlavaOnevision(Prompted):
    """LLaVA-OneVision in its transformers form, on its video path: every frame pooled to half its side, then one
    learned newline after the last frame. The newline is the first token of the suffix, so that frame lists that begin
    alike share all their frames."""

    name = "llava_onevision"
    architecture = "LlavaOnevisionForConditionalGeneration"
    statistics: Statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def frame_size(self, config: Any) -> int:
        return int(config.vision_config.image_size)

    def tokens_per_frame(self, config: Any) -> int:
        return math.ceil(config.vision_config.image_size // config.vision_config.patch_size / 2) ** 2

    def patches_per_frame(self, config: Any) -> int:
        return (config.vision_config.image_size // config.vision_config.patch_size) ** 2

    def context_id(self, config: Any) -> int:
        return int(config.video_token_id)

    def opening(self) -> str:
        return chat_opening()

    def frame(self, place: int, time_s: float, tokens_per_frame: int) -> str:
        return onevision_frame(tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return onevision_suffix(prompt)

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        joined = model.get_video_features(pixels[None], return_dict=True).pooler_output[0, :-1]  # without the newline
        return joined.unflatten(0, (len(pixels), -1))

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        newline = (ids == self.context_id(model.config)).unsqueeze(-1)
        return torch.where(newline, model.model.image_newline.to(embeddings), embeddings)


_ALL: tuple[Family, ...] = (InternVL(), LlavaOnevision(), Qwen25VL(), Qwen3VL(), Qwen3VLMoe())
FAMILIES = {family.name: family for family in _ALL}


def find_family(name: str, model_type: str, path: str) -> Family:
    """The family called `name`, or with `auto` the one of the model's own `model_type`.

    Raises:
        UsageError: no such family.
    """
    if name == "auto":
        if model_type not in MODEL_TYPES:
            raise UsageError(f"{path}: {unsupported(model_type)}")
        name = MODEL_TYPES[model_type]
    if name not in FAMILIES:
        raise UsageError(f"unknown LMM family '{name}': one of auto, {', '.join(FAMILIES)}")
    return FAMILIES[name]
