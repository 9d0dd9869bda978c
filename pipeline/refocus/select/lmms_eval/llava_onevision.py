"""lmms-eval's LLaVA-OneVision in its transformers form, on picked frames."""

import os
from typing import Any

from lmms_eval.models.chat.llava_hf import LlavaHf

from refocus.select.lmms_eval.on_picks import OnPicks


class LlavaOnevisionOnPicks(OnPicks, LlavaHf):
    """Its own `generate_until` would make an empty answer of every error."""

    def __init__(self, device: str = "cuda", device_map: str = "", **more: Any) -> None:
        """transformers 5 refuses the empty device_map with which lmms-eval loads a model for a single process."""
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
        super().__init__(device=device, device_map=device_map or (device if alone else ""), **more)

    @property
    def processor(self) -> Any:
        """Of text and frames; lmms-eval's name for it says less."""
        return self._image_processor
