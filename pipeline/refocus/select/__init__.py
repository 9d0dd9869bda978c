"""Selectors: which frames help to answer a question; `FrameSelector` for videos.

Torch loads on first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refocus.select.frame_selector import Ask, Frames, FrameSelector, VideoSelection

__all__ = ["Ask", "FrameSelector", "Frames", "VideoSelection"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from refocus.select import frame_selector

        return getattr(frame_selector, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
