"""Frames arrive in order, read by several threads ahead of the model, and waiting for them is measured."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
from refocus.reward.prefetch import Prefetcher

from tests.support.simulated_readers import Clock

HANGS_S = 120  # nothing here takes a second


@dataclass(frozen=True)
class Clip:
    clip_id: str
    needed: tuple[int, ...] = (0, 2)


class Source:
    """Reads a clip once `together` clips are being read, and notes how many were at most."""

    def __init__(self, together=1):
        self.now, self.most = 0, 0
        self.lock, self.meeting = threading.Lock(), threading.Barrier(together)

    def images(self, clip_id, indices=None, size=None):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.meeting.wait(HANGS_S)
        with self.lock:
            self.now -= 1
        if clip_id == "bad":
            raise OSError("cut off")
        return np.full((len(indices), size, size, 3), ord(clip_id), np.uint8)


def test_clips_come_in_order_whichever_is_read_first():
    feed = Prefetcher(Source(), [Clip(name) for name in "abcdef"], size=2, readers=3, pinned=False)
    found = [(tuple(images.shape), int(images[0, 0, 0, 0])) for images in feed]
    assert found == [((2, 2, 2, 3), ord(name)) for name in "abcdef"]


@pytest.mark.parametrize("readers", [1, 3])
def test_as_many_clips_are_read_at_once_as_there_are_readers(readers):
    source = Source(together=readers)
    list(Prefetcher(source, [Clip(name) for name in "abcdef"], 2, readers, pinned=False))
    assert source.most == readers


def test_reading_stays_a_few_clips_ahead(monkeypatch):
    """One clip more than there are readers, and the next only when the model asks for the next."""
    clock = Clock().install(monkeypatch)
    feed = iter(Prefetcher(clock, [Clip(name) for name in "abcdefghij"], 2, 2, pinned=False))
    next(feed)
    assert clock.begun == ["a", "b", "c"]
    next(feed)
    assert clock.begun == ["a", "b", "c", "d"]
    feed.close()


@pytest.mark.parametrize(
    ("read_s", "model_s", "readers", "waited_s"),
    [
        (2, 6, 2, 2),  # a slow model: only the first clip is waited for
        (6, 0, 1, 8 * 6),  # a model that takes no time waits all the time
        (6, 4, 1, 6 + 7 * 2),  # one reader falls behind by 2 seconds a clip
        (6, 4, 2, 6),  # two do not
    ],
)
def test_waiting_is_what_reading_is_too_slow_by(monkeypatch, read_s, model_s, readers, waited_s):
    clock = Clock(read_s).install(monkeypatch)
    feed = Prefetcher(clock, [Clip(name) for name in "abcdefgh"], 2, readers, pinned=False)
    for _ in feed:
        clock.sleep(model_s)
    assert (feed.waited_s, feed.total_s) == (waited_s, waited_s + 8 * model_s)
    assert feed.share_waited == waited_s / (waited_s + 8 * model_s)


def test_a_clip_that_cannot_be_read_raises_where_it_is_needed():
    feed = iter(Prefetcher(Source(), [Clip("a"), Clip("bad"), Clip("c")], 2, 2, pinned=False))
    next(feed)
    with pytest.raises(OSError, match="cut off"):
        next(feed)
