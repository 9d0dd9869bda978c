"""Video-LMMs: loading, prompts, vision features, and option logits with shared prefixes.

Names are loaded on first use, so that reading a prompt does not import torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refocus.lmm.option_scorer import Lmm, load_lmm
    from refocus.lmm.prompts import Prompt
    from refocus.lmm.score_subsets import option_logits

_HOME = {
    "Lmm": "refocus.lmm.option_scorer",
    "load_lmm": "refocus.lmm.option_scorer",
    "option_logits": "refocus.lmm.score_subsets",
    "Prompt": "refocus.lmm.prompts",
}

__all__ = ["Lmm", "Prompt", "load_lmm", "option_logits"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
