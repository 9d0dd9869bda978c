"""`refocus plan` before the reward pass says what the pass then computes, counted while a model runs."""

import pytest
from refocus.frames.index import IndexRow, write_index
from refocus.plan.estimate import make_plan
from refocus.qa.clips import ClipRow
from refocus.reward.margin_cache import MarginCache
from refocus.reward.score_shard import score_shard

from tests.plan.test_flops import counted
from tests.plan.test_plan import configured, ingest, question
from tests.reward.test_score_shard import FakeFrames

LENGTHS = {"a": 40, "b": 1, "c": 120, "d": 7, "e": 33, "unasked": 12}


def test_a_planned_reward_pass_is_the_one_that_runs(lmm, lmm_folder, tmp_path):
    """Frames exactly; tokens and FLOP within two percent, clips of one frame and equal subsets included."""
    asked = [question(n, clip) for n, clip in enumerate("aabcccccdee")] + [question(90, "a", answer=7)]
    ingest(tmp_path, [ClipRow(name, f"{name}.mp4", None, None, 0) for name in LENGTHS], asked)
    rows = [
        IndexRow(name, "ok", None, n, [i / 4 for i in range(n)], list(range(n)), "0.tar", [0] * n, [1] * n)
        for name, n in LENGTHS.items()
    ]
    write_index(tmp_path / "frames/toy/000000.index.parquet", rows, {})
    root = configured(tmp_path, lmms={"lmm": {"path": str(lmm_folder)}}, reward={"frames_per_subset": 8})
    [cost] = [cost for cost in make_plan(root, root.plan).costs if cost.stage == "reward"]
    results = []
    flops = counted(
        lambda: results.append(score_shard(lambda: lmm, FakeFrames(LENGTHS), asked, root.reward, MarginCache(None, {})))
    )
    assert cost.frames == lmm.work.frames
    assert cost.tokens == pytest.approx(lmm.work.prefix_tokens + lmm.work.suffix_tokens, rel=0.02)
    assert cost.flops == pytest.approx(flops, rel=0.02)
    assert cost.disk_bytes == results[0].margins.num_rows * root.plan.margin_row_bytes
