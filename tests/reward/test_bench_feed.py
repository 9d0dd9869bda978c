"""The benchmark of the readers: what a GPU takes follows the plan, and every column of its table is measured."""

import time

import numpy as np
import pytest
from refocus.config.plan import PlanSettings
from refocus.reward.score_shard import ClipTask
from refocus.reward.windows import subsets

from benchmarks import bench_feed
from tests.support.videos import write_video


def test_what_a_gpu_takes_follows_its_rate_and_the_models_size():
    large, small = (bench_feed.MODELS[name] for name in ("InternVL3-8B", "InternVL3-1B"))
    usual, fast = PlanSettings(), PlanSettings(efficiency=1.0)
    needed = bench_feed.frames_needed(512, 1, large, usual)
    assert bench_feed.frames_needed(512, 1, large, fast) == pytest.approx(2 * needed)
    assert 20 < needed < 40 < 4 * needed < bench_feed.frames_needed(512, 1, small, usual)
    unique = len({frame for subset in subsets(512) for frame in subset.frames})
    assert unique / bench_feed.device_seconds(512, 1, large, usual) == pytest.approx(needed)
    assert bench_feed.device_seconds(512, 5, large, usual) > bench_feed.device_seconds(512, 1, large, usual)


class Reads:
    """Frames that take `seconds` a clip to read."""

    def __init__(self, seconds):
        self.seconds = seconds

    def images(self, clip_id, indices=None, size=None):
        time.sleep(self.seconds)
        return np.zeros((len(indices), 1, 1, 3), np.uint8)


def test_a_device_waits_for_slow_readers_and_not_for_fast_ones():
    shape = bench_feed.MODELS["InternVL3-1B"]
    wanted = [ClipTask("c", (0.0,) * 40, None, (), tuple(subsets(40)))] * 4
    busy = bench_feed.device_seconds(40, 1, shape, PlanSettings())
    assert bench_feed.share_waited(Reads(3 * busy), wanted, 1, shape) > 0.5
    assert bench_feed.share_waited(Reads(0), wanted, 1, shape) < 0.3


def test_a_shard_made_by_refocus_decode_fills_every_column(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_feed, "FORMS", ("jpeg",))
    monkeypatch.setattr(bench_feed, "READERS", (1,))
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos/video.mp4", [n / 30 for n in range(60)])
    [line] = bench_feed.measure(tmp_path / "work", tmp_path / "videos", ["video.mp4"], 1)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["jpeg", "8", "8"] and len(cells) == 5 + 3 + 3 + 1
    page = bench_feed.report([line], PlanSettings(), "a video")
    assert len({row.count("|") for row in page.splitlines() if row.startswith(("| stored", "| jpeg"))}) == 1
