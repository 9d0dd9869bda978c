"""ReFoCUS: frame selection for video-LMMs, from raw videos to a trained selector, its tables and its figures.

Importing the package imports nothing else; a decode worker never pays for torch.
"""

import importlib
from typing import Any

__version__ = "0.2.0"
__all__ = ["Ask", "FrameSelector", "Frames", "__version__", "register_auto_classes"]

_HOMES = {"register_auto_classes": "refocus.policy.auto_classes"}


def __getattr__(name: str) -> Any:
    # Named as text: an import statement would make the selector a part of every stage's code digest.
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "refocus.select.frame_selector")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
