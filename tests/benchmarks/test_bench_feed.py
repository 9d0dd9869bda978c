"""The benchmark of the readers: what a GPU takes follows the plan, and every column of its table is measured."""

import pytest
from refocus.config.plan import PlanSettings
from refocus.frames.index import ClipFrames
from refocus.reward.score_shard import ClipTask
from refocus.reward.windows import subsets

from benchmarks import bench_feed
from tests.support.simulated_readers import Clock
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


def test_a_device_waits_for_slow_readers_and_not_for_fast_ones(monkeypatch):
    """One reader that takes three times what the device takes makes it wait for 3 and then 2 of every 3; none else."""
    shape = bench_feed.MODELS["InternVL3-1B"]
    clip = ClipFrames("c", "ok", None, 40, [0.0] * 40, list(range(40)))
    wanted = [ClipTask(clip, None, (), tuple(subsets(40)))] * 4
    busy = bench_feed.device_seconds(40, 1, shape, PlanSettings())
    clock = Clock(read_s=3 * busy).install(monkeypatch)
    monkeypatch.setattr(bench_feed, "time", clock)
    assert bench_feed.share_waited(clock, wanted, 1, shape) == pytest.approx((3 + 3 * 2) / (3 + 3 * 2 + 4))
    clock.read_s = 0
    assert bench_feed.share_waited(clock, wanted, 1, shape) == 0


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
