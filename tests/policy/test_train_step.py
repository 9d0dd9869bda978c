"""The training step that `make bench-train` measures: here tiny on a CPU, and memory by the allocator on a GPU."""

import math

import pytest
import torch

from benchmarks.train_step import backends, measure

CPU = torch.device("cpu")


@pytest.mark.parametrize("mode", ["none", "grid"])
def test_a_step_is_measured(mode):
    """It runs in bf16, and every number of its line is one."""
    step = measure("tiny", CPU, "torch", mode, frames=6, candidates=2, picks=3, rounds=1)
    assert step.tokens == 6 * 16
    assert all(math.isfinite(value) and value > 0 for value in (step.prefix, step.rollout, step.step, step.flops))
    assert 0 < step.gap_mean <= step.gap_max < 0.1
    assert (step.cut == "–") == (mode == "none")
    assert backends(CPU) == ["torch"]


@pytest.mark.gpu
def test_memory_on_a_gpu():
    """By the allocator: cells hold less than layers, layers less than everything."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda")
    peaks = [
        measure("370M", device, backends(device)[0], mode, frames=64, candidates=4, picks=8, rounds=1).peak
        for mode in ("grid", "layers", "none")
    ]
    assert peaks[0] < peaks[1] < peaks[2]
