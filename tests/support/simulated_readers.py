"""A `Prefetcher` under a clock of its own: seconds of readers and model pass at once."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest


@dataclass
class Clock:
    """Simulated seconds. `sleep` is the model at work; a read takes `read_s` of a reader that is free."""

    read_s: float = 0.0
    now: float = 0.0
    begun: list[str] = field(default_factory=list)  # clips, as their reading began

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def images(self, clip_id: str, indices: Any = None, size: int | None = None) -> np.ndarray:
        """A `FrameSource`'s."""
        self.begun.append(clip_id)
        return np.zeros((len(indices), size or 1, size or 1, 3), np.uint8)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "Clock":
        """Replaces the prefetcher's clock and threads."""
        monkeypatch.setattr("refocus.reward.prefetch.time", self)
        monkeypatch.setattr("refocus.reward.prefetch.ThreadPoolExecutor", lambda readers: Readers(self, readers))
        return self


class Readers:
    """An executor of so many threads."""

    def __init__(self, clock: Clock, readers: int):
        self.clock, self.free_at = clock, [0.0] * readers

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def shutdown(self, **_: object) -> None:
        pass

    def submit(self, read: Callable[..., Any], *what: Any) -> "Reading":
        began = max(heapq.heappop(self.free_at), self.clock.now)
        heapq.heappush(self.free_at, began + self.clock.read_s)
        return Reading(self.clock, began + self.clock.read_s, read(*what))


@dataclass
class Reading:
    """The future of a read."""

    clock: Clock
    done_at: float
    images: Any

    def result(self) -> Any:
        self.clock.now = max(self.clock.now, self.done_at)
        return self.images
