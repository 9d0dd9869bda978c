"""Selectors: which frames help to answer a question; `FrameSelector` for files.

Torch loads on first use.
"""

from typing import Any

from refocus.select.selections import Selection

__all__ = ["FrameSelector", "Selection"]


def __getattr__(name: str) -> Any:
    if name == "FrameSelector":
        from refocus.select.frame_selector import FrameSelector

        return FrameSelector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
