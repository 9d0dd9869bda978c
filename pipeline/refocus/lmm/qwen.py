"""Qwen2.5-VL and Qwen3-VL: picked frames with their true seconds.

Both towers read frames in pairs (`temporal_patch_size` 2), made for neighbours at an even pace. Picked frames are no
neighbours: here each frame is a pair with itself, as both authors' processors make of a single image, so that a frame
looks the same whichever others are picked, has a time of its own, and is encoded once. Rows of frames cost twice the
tokens of pairs. Frames are squares of `QWEN_SIDE` pixels (16 x 28 and 14 x 32, and InternVL3's size), whatever the
number of frames.

Qwen2.5-VL is told the time by the rotary positions alone (`tokens_per_second` steps a second), Qwen3-VL by a marker
`<12.5 seconds>` before each frame.

f frames · p = side² tokens per frame · d width of the language model · r rows
"""

from typing import Any

import torch
from torch import Tensor

from refocus.config.lmm import QWEN_SIDE
from refocus.core.errors import UsageError
from refocus.lmm.family import Mrope, Prompted
from refocus.lmm.loading import Statistics
from refocus.lmm.prompts import (
    Prompt,
    asked,
    chat_opening,
    qwen2_5_opening,
    qwen2_5_suffix,
    qwen3_frame,
    qwen_frame,
)


class _QwenVL(Prompted):
    """What the two have in common: the tower's input, and three rotary positions a token (M-RoPE)."""

    shows_time = True

    @property
    def mrope(self: Mrope) -> Mrope:
        """See `frame_positions`."""
        return self

    def frame_size(self, config: Any) -> int:
        vision = config.vision_config
        size, unit = int(getattr(vision, "image_size", QWEN_SIDE)), vision.patch_size * vision.spatial_merge_size
        if size % unit:
            raise UsageError(f"vision_config.image_size is {size}; this model takes multiples of {unit} pixels")
        return size

    def tokens_per_frame(self, config: Any) -> int:
        return _side(self.frame_size(config), config) ** 2

    def patches_per_frame(self, config: Any) -> int:
        return (self.frame_size(config) // config.vision_config.patch_size) ** 2

    def context_id(self, config: Any) -> int:
        return int(config.video_token_id)

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        vision = model.config.vision_config
        patches = pixels.shape[-1] // vision.patch_size
        grid = torch.tensor([[1, patches, patches]], device=pixels.device).repeat(len(pixels), 1)
        found = model.get_video_features(patchify(pixels, vision), grid, return_dict=True)
        parts = [found.pooler_output, *getattr(found, "deepstack_features", ())]
        return torch.cat([torch.stack(part) for part in parts], dim=-1)


class Qwen25VL(_QwenVL):
    """Qwen2.5-VL: the frames are one video; a frame at t seconds stands floor(t · `tokens_per_second`) positions after
    the video's beginning, where it would stand if the whole video were shown. What follows the video goes on after its
    largest position, as the authors trained it (transformers 5 begins earlier where a video is longer than a frame is
    high, and knows evenly spaced frames only, so positions are computed here)."""

    name = "qwen2_5_vl"
    architecture = "Qwen2_5_VLForConditionalGeneration"
    statistics: Statistics = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

    def opening(self) -> str:
        return qwen2_5_opening()

    def frame(self, place: int, time_s: float, tokens_per_frame: int) -> str:
        return qwen_frame(tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return qwen2_5_suffix(prompt)

    def frame_positions(
        self, config: Any, start: Tensor, opening: int, times_s: Tensor, lead: int, tail: int
    ) -> Tensor:
        beginning = torch.full_like(start, opening)
        steps = (times_s * config.vision_config.tokens_per_second).long()
        side = _side(self.frame_size(config), config)
        return grid_positions(beginning + steps, beginning, side, side)


class Qwen3VL(_QwenVL):
    """Qwen3-VL: frames behind their seconds, each with its marks; positions of time count frames and text alike. The
    tower's middle layers are shown to the decoder's first ones (DeepStack)."""

    name = "qwen3_vl"
    architecture = "Qwen3VLForConditionalGeneration"
    statistics: Statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def embeddings_per_token(self, config: Any) -> int:
        return 1 + len(config.vision_config.deepstack_visual_indexes)

    def opening(self) -> str:
        return chat_opening()

    def frame(self, place: int, time_s: float, tokens_per_frame: int) -> str:
        return qwen3_frame(time_s, tokens_per_frame)

    def suffix(self, prompt: Prompt) -> str:
        return asked(prompt)

    def frame_positions(
        self, config: Any, start: Tensor, opening: int, times_s: Tensor, lead: int, tail: int
    ) -> Tensor:
        side = _side(self.frame_size(config), config)
        image = start + lead
        parts = [
            text_positions(start, lead),
            grid_positions(image, image, side, side),
            text_positions(image + side, tail),
        ]
        return torch.cat(parts, dim=-1)


class Qwen3VLMoe(Qwen3VL):
    """Qwen3-VL with a mixture of experts in its decoder; all else is the same."""

    name = "qwen3_vl_moe"
    architecture = "Qwen3VLMoeForConditionalGeneration"


def patchify(pixels: Tensor, vision: Any) -> Tensor:
    """(f, 3, s, s) to the tower's flat patches (f · (s / patch)², 3 · pair · patch²), each frame paired with itself.

    Patches that are merged into one token follow each other, as in the authors' processors.
    """
    frames, colours, size, _ = pixels.shape
    patch, merge, pair = vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size
    side = size // (patch * merge)
    x = pixels.reshape(frames, colours, side, merge, patch, side, merge, patch)
    x = x.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)  # (f, rows, columns, merge, merge, colours, 1, patch, patch)
    x = x.expand(*x.shape[:6], pair, patch, patch)
    return x.reshape(frames * (side * merge) ** 2, -1)


def text_positions(start: Tensor, tokens: int) -> Tensor:
    """(3, r, n): the three positions of text are equal and count on from `start` (r,)."""
    return (start[:, None] + torch.arange(tokens, device=start.device)).expand(3, -1, -1)


def grid_positions(time: Tensor, corner: Tensor, rows: int, columns: int) -> Tensor:
    """(3, r, rows · columns): a frame's time (r,), and its rows and columns counted from `corner` (r,)."""
    height = corner[:, None] + torch.arange(rows, device=corner.device).repeat_interleave(columns)
    width = corner[:, None] + torch.arange(columns, device=corner.device).repeat(rows)
    return torch.stack([time[:, None].expand_as(height), height, width])


def _side(size: int, config: Any) -> int:
    """Tokens along one side of a frame."""
    return size // (config.vision_config.patch_size * config.vision_config.spatial_merge_size)
