"""The reward pass equals the paper's, one full forward pass per question and subset, to 1e-4 in fp32."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from refocus.config.reward import RewardSettings
from refocus.frames.index import ClipFrames
from refocus.lmm import load_lmm
from refocus.qa.records import Question
from refocus.reward.margin_cache import MarginCache
from refocus.reward.score_shard import score_shard

from tests.support.reference import Reference
from tests.support.tiny_lmm import BUILDERS, WORDS


@pytest.fixture(scope="module", params=BUILDERS)
def folder(request, tmp_path_factory):
    return BUILDERS[request.param](tmp_path_factory.mktemp(request.param), letters="ABCDEFGHIJKLMN")


@dataclass
class OneClip:
    """A clip of random images at the size asked for."""

    n_frames: int

    def clips(self):
        return ["c"]

    def record(self, clip_id):
        stamps = [i / 4 for i in range(self.n_frames)]
        return ClipFrames(clip_id, "ok", None, self.n_frames, stamps, list(range(self.n_frames)))

    def images(self, clip_id, indices=None, size=None):
        random = np.random.default_rng(self.n_frames)
        every = random.integers(0, 256, (self.n_frames, size, size, 3), dtype=np.uint8)
        return every if indices is None else every[list(indices)]


def questions(count, seed):
    """Questions of different lengths with 2 to 14 options."""
    random = np.random.default_rng(seed)

    def words(n):
        return " ".join(random.choice(WORDS, n))

    found = []
    for number in range(count):
        options = tuple(words(1 + i % 3) for i in range(2 + (5 * number + seed) % 13))
        found.append((f"{words(3 + number)}?", options, int(random.integers(len(options)))))
    return found


def check(folder, n_frames, count, scheme, batch_tokens=None):
    lmm, reference, clip = load_lmm(folder, batch_tokens=batch_tokens), Reference(folder), OneClip(n_frames)
    asked = questions(count, n_frames)
    ours = [
        Question(f"q{i}", "d", "train", "c", "c.mp4", None, None, text, options, answer, "", "", str(i), ())
        for i, (text, options, answer) in enumerate(asked)
    ]
    settings = RewardSettings(model="tiny", windows=scheme)
    result = score_shard(lambda: lmm, clip, ours, settings, MarginCache(None, {}))
    assert result.skipped == []
    expected = list(
        reference.rows(clip.images("c", None, lmm.frame_size), clip.record("c").timestamps_s, asked, scheme)
    )
    found = result.margins.to_pylist()
    assert [(row["qa_id"], row["subset"], row["frame_indices"]) for row in found] == [
        (f"q{number}", subset, frames) for number, subset, frames, _, _ in expected
    ]
    for row, (_, _, _, letters, margin) in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.tensor(row["logits_raw"]), letters, atol=1e-4, rtol=0)
        assert row["margin"] == pytest.approx(margin, abs=1e-4)
    if n_frames > 8:
        assert np.std([row["margin"] for row in found if row["qa_id"] == "q0"]) > 1e-3  # the frames matter


@pytest.mark.parametrize("scheme", ["wrapped", "literal"])
@pytest.mark.parametrize(("n_frames", "count"), [(1, 9), (7, 3), (8, 2), (31, 4), (240, 1)])
def test_the_reward_pass_equals_the_papers(folder, n_frames, count, scheme):
    check(folder, n_frames, count, scheme)


@pytest.mark.parametrize("batch_tokens", [1, 1500])
def test_it_does_so_with_little_memory_too(folder, batch_tokens):
    check(folder, 31, 3, "wrapped", batch_tokens)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["wrapped", "literal"])
@pytest.mark.parametrize("count", [1, 9])
def test_it_does_so_on_the_longest_clips(folder, count, scheme):
    check(folder, 512, count, scheme)
    check(folder, 240, 10 - count, scheme)
