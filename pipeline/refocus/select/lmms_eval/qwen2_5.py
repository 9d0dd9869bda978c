"""lmms-eval's Qwen2.5-VL on picked frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lmms_eval.models.chat.qwen2_5_vl import Qwen2_5_VL

from refocus.select.lmms_eval.on_picks import OnPicks
from refocus.select.lmms_eval.picked_questions import PickedQuestion
from refocus.select.lmms_eval.qwen_sizes import resized
from refocus.select.processors import qwen2_5_positions


class Qwen25VLOnPicks(OnPicks, Qwen2_5_VL):
    """Every frame stands at its own second, where the stock model spreads them evenly."""

    most_new_tokens = 128

    def _sized(self, pictures: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return resized(pictures, self.processor.video_processor.patch_size, self.min_pixels, self.max_pixels)

    def _already_sized(self) -> dict[str, bool]:
        return {"do_resize": False}

    def _inputs(self, text: str, pictures: Sequence[np.ndarray], picked: PickedQuestion) -> dict[str, Any]:
        inputs = super()._inputs(text, pictures, picked)
        return {**inputs, "position_ids": qwen2_5_positions(inputs, self.model.config, picked.row.timestamps_s)}
