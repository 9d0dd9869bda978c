"""Clips with all their frames, read ahead of a model: for stages that look at every frame once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from refocus.core.progress import bar
from refocus.qa.records import Question, by_clip
from refocus.reward.prefetch import Prefetcher

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore


@dataclass(frozen=True)
class WholeClip:
    """A clip, its frames and what is asked about it."""

    clip_id: str
    n_frames: int
    questions: tuple[Question, ...]

    @property
    def needed(self) -> list[int]:
        """Every frame."""
        return list(range(self.n_frames))


def whole_clips(
    store: "FrameStore", questions: Sequence[Question], size: int, readers: int, pinned: bool, stage: str
) -> Iterator[tuple[WholeClip, Tensor]]:
    """The clips of the store that are asked about and have frames, with (t, size, size, 3) uint8.

    Questions about other clips are passed over: a shard's question list may come with the index of another.
    """
    clips = []
    for clip_id, asked in by_clip(questions).items():
        count = store.record(clip_id).n_frames if clip_id in store else 0
        if count:
            clips.append(WholeClip(clip_id, count, tuple(asked)))
    frames = Prefetcher(store, clips, size, readers, pinned)
    yield from zip(bar(clips, desc=stage, unit="clip"), frames, strict=True)
