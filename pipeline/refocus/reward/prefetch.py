"""Frames are read and decoded ahead of the model by several threads, into pinned memory for a GPU."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class ClipRequest(Protocol):
    """A clip and the frames of it that are needed."""

    @property
    def clip_id(self) -> str: ...

    @property
    def needed(self) -> list[int]: ...


class FrameSource(Protocol):
    """What a prefetcher needs of a `FrameStore`."""

    def images(self, clip_id: str, indices: Sequence[int] | None = None, size: int | None = None) -> np.ndarray: ...


class Prefetcher:
    """Iterates over the images of clips, in order; as many clips are read ahead as there are readers.

    Args:
        frames: where they come from. wanted: clips and their frames. size: side of the images in pixels.
        readers: threads that read and decode; both release Python's lock. pinned: in page-locked memory, from which a
            GPU copies while it computes.
    Attributes:
        waited_s: seconds in which the model had to wait for frames, those of the first clip included.
        total_s: seconds from the first clip asked for to the last one done.
    """

    def __init__(
        self, frames: FrameSource, wanted: Sequence[ClipRequest], size: int, readers: int, pinned: bool
    ) -> None:
        self._frames, self._wanted, self._size, self._readers, self._pinned = frames, wanted, size, readers, pinned
        self.waited_s = self.total_s = 0.0

    def __iter__(self) -> Iterator[Tensor]:
        """(f, s, s, 3) uint8 of each clip."""
        started = time.perf_counter()
        with ThreadPoolExecutor(self._readers) as pool:
            left = iter(self._wanted)
            ahead: deque[Future[Tensor]] = deque(
                pool.submit(self._read, clip) for clip in islice(left, self._readers + 1)
            )
            try:
                while ahead:
                    asked = time.perf_counter()
                    images = ahead.popleft().result()
                    self.waited_s += time.perf_counter() - asked
                    yield images
                    ahead.extend(pool.submit(self._read, clip) for clip in islice(left, 1))
                    self.total_s = time.perf_counter() - started
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    @property
    def share_waited(self) -> float:
        """Part of the time in which the model had no frames to work on, 0 to 1."""
        return self.waited_s / self.total_s if self.total_s else 0.0

    def _read(self, clip: ClipRequest) -> Tensor:
        images = torch.from_numpy(self._frames.images(clip.clip_id, clip.needed, self._size))
        return images.pin_memory() if self._pinned else images
