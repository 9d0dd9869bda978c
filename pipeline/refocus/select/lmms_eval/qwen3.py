"""lmms-eval's Qwen3-VL on picked frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lmms_eval.models.chat.qwen3_vl import Qwen3_VL
from lmms_eval.protocol import ChatMessages

from refocus.select.lmms_eval.on_picks import OnPicks
from refocus.select.lmms_eval.qwen_sizes import resized
from refocus.select.processors import qwen3_text


class Qwen3VLOnPicks(OnPicks, Qwen3_VL):
    """Its processor writes each frame's second before it. System prompt and thinking are the stock model's."""

    def _sized(self, pictures: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        patch = self.processor.video_processor.patch_size
        return resized(pictures, patch, self.min_pixels, self.max_pixels, self.total_pixels)

    def _already_sized(self) -> dict[str, bool]:
        return {"do_resize": False}

    def _text(self, messages: ChatMessages) -> str:
        system = {"role": "system", "content": [{"type": "text", "text": self.system_prompt}]}
        return qwen3_text(self._apply_chat_template([[system, *messages.model_dump()["messages"]]])[0])

    def _generation(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._build_generate_kwargs(asked))

    def _finish(self, reply: str) -> str:
        return str(self._strip_thinking(reply))
