"""What differs between families of video LMMs: prompt strings, vision features, image size and statistics.

A family is stateless; the model and its weights live in `refocus.lmm.option_scorer.Lmm`.
"""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from refocus.core.errors import UsageError
from refocus.lmm.loading import Statistics
from refocus.lmm.prompts import Prompt, internvl_prefix, internvl_suffix, onevision_prefix, onevision_suffix


class Family(Protocol):
    """One family of models. f frames · p tokens per frame · d width of the language model."""

    name: str
    model_types: tuple[str, ...]
    architecture: str
    statistics: Statistics  # of images, where the model's folder does not say

    def frame_size(self, config: Any) -> int:
        """Side in pixels of the square image the vision tower takes."""

    def tokens_per_frame(self, config: Any) -> int:
        """Tokens one frame occupies in the prompt."""

    def patches_per_frame(self, config: Any) -> int:
        """Tokens one frame costs in the vision tower, for packing."""

    def context_id(self, config: Any) -> int:
        """Id of the token whose embeddings frame features replace."""

    def prefix(self, n_frames: int, tokens_per_frame: int) -> str:
        """Everything before the question, the same for all questions on the same number of frames."""

    def suffix(self, prompt: Prompt) -> str:
        """From the question to the place where the option's letter comes."""

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        """(f, 3, s, s) normalised pixels to (f, p, d) embeddings."""

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        """(r, n, d) embeddings of suffixes with token ids (r, n), where some are not those of the vocabulary."""

    def language_model(self, model: Any) -> Any:
        """The decoder that takes `inputs_embeds` and returns normalised hidden states."""


class InternVL:
    """InternVL 2.5 / 3 in their transformers form: one square tile per video frame."""

    name = "internvl"
    model_types: tuple[str, ...] = ("internvl",)
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

    def prefix(self, n_frames: int, tokens_per_frame: int) -> str:
        return internvl_prefix(n_frames, tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return internvl_suffix(prompt)

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        return model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        return embeddings

    def language_model(self, model: Any) -> Any:
        return model.model.language_model


class LlavaOnevision:
    """LLaVA-OneVision in its transformers form, on its video path: every frame pooled to half its side, then one
    learned newline after the last frame. The newline is the first token of the suffix, so that frame lists that begin
    alike share all their frames."""

    name = "llava_onevision"
    model_types: tuple[str, ...] = ("llava_onevision",)
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

    def prefix(self, n_frames: int, tokens_per_frame: int) -> str:
        return onevision_prefix(n_frames, tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return onevision_suffix(prompt)

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        joined = model.get_video_features(pixels[None], return_dict=True).pooler_output[0, :-1]  # without the newline
        return joined.unflatten(0, (len(pixels), -1))

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        newline = (ids == self.context_id(model.config)).unsqueeze(-1)
        return torch.where(newline, model.model.image_newline.to(embeddings), embeddings)

    def language_model(self, model: Any) -> Any:
        return model.model.language_model


FAMILIES: dict[str, Family] = {family.name: family for family in (InternVL(), LlavaOnevision())}


def find_family(name: str, model_type: str, path: str) -> Family:
    """The family called `name`, or with `auto` the one that knows the model's own `model_type`.

    Raises:
        UsageError: no such family.
    """
    if name != "auto":
        if name in FAMILIES:
            return FAMILIES[name]
        raise UsageError(f"unknown LMM family '{name}': one of auto, {', '.join(FAMILIES)}")
    for family in FAMILIES.values():
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES.values() for kind in family.model_types)
    raise UsageError(f"{path}: model type '{model_type}' is not a supported LMM (supported: {known})")
