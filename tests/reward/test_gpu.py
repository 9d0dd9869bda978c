"""What the reward pass is to reach on a GPU, at the true sizes and with random weights. Skipped where there is none."""

import pytest
import torch
from refocus.lmm.loading import find_attention
from refocus.plan.model_shapes import PUBLISHED

from benchmarks.bench_reward_gpu import Load, _clip, missed, run
from benchmarks.random_lmm import build
from tests.benchmarks.test_bench_reward_gpu import LOAD, SHAPE

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1B", "8B"])
def test_the_bars_are_kept_at_the_true_sizes(name):
    """45 % of the matrix rate, a second question for 5 % of the first, two seeded runs alike to 1e-3."""
    speed, found = run(PUBLISHED[f"OpenGVLab/InternVL3-{name}-hf"], torch.device("cuda"), Load())
    assert not missed(name, speed, found), (speed, found)


def test_the_budget_follows_free_memory_and_a_clip_fits_into_it():
    lmm = build(PUBLISHED["OpenGVLab/InternVL3-1B-hf"], device=torch.device("cuda"), dtype=torch.bfloat16)
    found = lmm.batch_tokens
    taken = torch.empty(torch.cuda.mem_get_info()[0] // 2, dtype=torch.uint8, device="cuda")
    assert 0.4 * found < lmm.batch_tokens < 0.6 * found
    images, rows, asked = _clip(lmm, Load(), 0, 1)
    lmm.score(lmm.encode(images), rows, asked)
    assert lmm._limit is None  # memory did not run out
    del taken


def test_pinned_images_give_what_others_give():
    lmm = build(SHAPE, device=torch.device("cuda"), dtype=torch.float32)
    images, _, _ = _clip(lmm, LOAD, 0, 1)
    assert images.is_pinned()
    torch.testing.assert_close(lmm.encode(images), lmm.encode(images.clone().numpy()), atol=0, rtol=0)


def test_flash_attention_is_taken_where_it_imports_and_agrees_with_torchs():
    if find_attention("auto", torch.device("cuda"), torch.bfloat16) != "flash_attention_2":
        pytest.skip("flash-attn is not installed")
    shape = PUBLISHED["OpenGVLab/InternVL3-1B-hf"]
    logits = []
    for attention in ("auto", "sdpa"):
        lmm = build(shape, device=torch.device("cuda"), dtype=torch.bfloat16, attention=attention)
        images, rows, asked = _clip(lmm, Load(frames=64, shown=8), 0, 2)
        logits.append(torch.stack(lmm.score(lmm.encode(images), rows, asked)))
    assert (logits[0] - logits[1]).abs().mean() < 0.2  # as far as bf16 is from fp32
