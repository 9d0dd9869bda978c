"""Video LMMs as judges: loading, prompts, vision features and the prefix-sharing option scorer.

Names are loaded on first use, so that reading a prompt does not import torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.lmm.model import Lmm, load_lmm, option_logits
    from pipeline.lmm.prompts import Prompt

_HOME = {
    "Lmm": "pipeline.lmm.model",
    "load_lmm": "pipeline.lmm.model",
    "option_logits": "pipeline.lmm.model",
    "Prompt": "pipeline.lmm.prompts",
}

__all__ = ["Lmm", "Prompt", "load_lmm", "option_logits"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
