"""Frames arrive in order, read by several threads ahead of the model, and waiting for them is measured."""

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from refocus.reward.prefetch import Prefetcher


@dataclass(frozen=True)
class Clip:
    clip_id: str
    needed: tuple[int, ...] = (0, 2)


class Slow:
    """Reads take a while; notes how many run at once."""

    def __init__(self, seconds):
        self.seconds, self.now, self.most, self.started = seconds, 0, 0, []
        self.lock = threading.Lock()

    def images(self, clip_id, indices=None, size=None):
        with self.lock:
            self.started.append(clip_id)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        if clip_id == "bad":
            raise OSError("cut off")
        return np.full((len(indices), size, size, 3), ord(clip_id), np.uint8)


def test_clips_come_in_order_whichever_is_read_first():
    feed = Prefetcher(Slow(0.01), [Clip(name) for name in "abcdef"], size=2, readers=3, pinned=False)
    found = [(tuple(images.shape), int(images[0, 0, 0, 0])) for images in feed]
    assert found == [((2, 2, 2, 3), ord(name)) for name in "abcdef"]


@pytest.mark.parametrize("readers", [1, 3])
def test_as_many_clips_are_read_at_once_as_there_are_readers(readers):
    source = Slow(0.05)
    list(Prefetcher(source, [Clip(name) for name in "abcdef"], 2, readers, pinned=False))
    assert source.most == readers


def test_reading_stays_a_few_clips_ahead():
    source = Slow(0)
    feed = iter(Prefetcher(source, [Clip(name) for name in "abcdefghij"], 2, 2, pinned=False))
    next(feed)
    time.sleep(0.1)
    assert len(source.started) == 3
    feed.close()


def test_a_slow_model_hides_the_reading_and_a_fast_one_waits():
    hidden = Prefetcher(Slow(0.02), [Clip(name) for name in "abcdefgh"], 2, 2, pinned=False)
    for _ in hidden:
        time.sleep(0.06)
    waiting = Prefetcher(Slow(0.06), [Clip(name) for name in "abcdefgh"], 2, 1, pinned=False)
    for _ in waiting:
        pass
    assert hidden.share_waited < 0.3 < 0.7 < waiting.share_waited <= 1


def test_a_clip_that_cannot_be_read_raises_where_it_is_needed():
    feed = iter(Prefetcher(Slow(0), [Clip("a"), Clip("bad"), Clip("c")], 2, 2, pinned=False))
    next(feed)
    with pytest.raises(OSError, match="cut off"):
        next(feed)
