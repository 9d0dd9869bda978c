"""The benchmark for GPUs at a tiny size on the CPU, so that it runs the day a GPU is there."""

import pytest
import torch
from refocus.plan.model_shapes import PUBLISHED, LmmShape, Tower, read_lmm

from benchmarks import bench_reward_gpu
from benchmarks.bench_reward_gpu import (
    TAU,
    Agreement,
    Load,
    Speed,
    _clip,
    _logits,
    agreement,
    measure_speed,
    missed,
    planned,
    report,
    run,
)
from benchmarks.random_lmm import build, config_of

SHAPE = LmmShape(Tower(2, 64, 128, 17, 16, 8), 4, 256, 4, True, 3, 64, 128, 4, 2, 16, 300)
LOAD = Load(frames=40, shown=4, words=12, clips=2, pairs=3, side=64, rounds=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def lmm():
    return build(SHAPE, device=CPU, dtype=torch.float32)


@pytest.mark.parametrize(("name", "billions"), [("1B", 0.94), ("2B", 2.09), ("8B", 7.94)])
def test_the_true_sizes_are_those_that_are_published_and_planned_with(name, billions):
    from transformers import AutoModelForImageTextToText

    shape = PUBLISHED[f"OpenGVLab/InternVL3-{name}-hf"]
    config = config_of(shape)
    assert read_lmm(config.to_dict(), name) == shape
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(billions * 1e9, rel=0.01)


def test_the_flops_that_rates_are_reckoned_with_are_those_that_are_computed(lmm):
    images, rows, asked = _clip(lmm, LOAD, 0, 2)
    features, before = lmm.encode(images), lmm.work.prefix_tokens + lmm.work.suffix_tokens
    lmm.score(features, rows, asked)
    computed = lmm.work.prefix_tokens + lmm.work.suffix_tokens - before
    assert computed == pytest.approx(planned(lmm, LOAD, asked).tokens, rel=0.02)
    speed = measure_speed(lmm, SHAPE, LOAD)
    assert speed.prefill_flops == planned(lmm, LOAD, asked[:1]).flops(SHAPE) > 0
    assert 0 < speed.second_flops < speed.prefill_flops
    assert speed.kept and speed.share > 0 and speed.matrix_rate > 0


def test_answers_of_random_weights_depend_on_the_frames_and_on_the_seed_only(lmm):
    found = _logits(lmm, LOAD, None)
    assert found.shape == (6, 16, 4) and found.std(1).mean() > 0.05
    torch.testing.assert_close(_logits(build(SHAPE, device=CPU, dtype=torch.float32), LOAD, None), found)
    other = _logits(build(SHAPE, device=CPU, dtype=torch.float32, seed=1), LOAD, None)
    assert (other - found).abs().mean() > 0.1


def test_pairs_that_rounding_moves_across_tau_are_counted():
    generator = torch.Generator().manual_seed(0)
    full = torch.randn((40, 16, 4), generator=generator)
    rough = full + 0.3 * torch.randn(full.shape, generator=generator)
    found = agreement(full, rough, rough + 1e-4)
    assert 10 < found.passed < 30  # the scale puts tau in their middle
    assert found.gained + found.lost > 0
    assert 0 < found.repeated < 1e-3 < found.margins
    same = agreement(full, full, full)
    assert (same.gained, same.lost, same.margins, same.repeated) == (0, 0, 0, 0)
    assert TAU == 0.21


def test_the_whole_run_in_bf16_reports_every_number_and_what_it_missed():
    speed, found = run(SHAPE, CPU, LOAD)
    page = report({"tiny": (speed, found)}, CPU, LOAD)
    assert page.count("| tiny | ") == 2 and "nan" not in page
    assert found.pairs == 6 and found.repeated <= 1e-3
    assert all(line.startswith("tiny: ") for line in missed("tiny", speed, found))


FAST = Speed("sdpa", 10**6, True, 0, 1000.0, 1.0, 450.0, 2.0, 902.0, 0.14, 45.0)  # a little better than the bars
ALIKE = Agreement(64, 1.0, 1e-2, 1e-3, 32, 1, 1, 9e-4)
WRONG = [
    ({"prefill_flops": 898.0}, {}, "prefill at 45% of the matrix rate, not 45%"),
    ({"matrix_rate": 2000.0}, {}, "prefill at 23% of the matrix rate, not 45%"),
    ({"second": 0.165}, {}, "a second question costs 5.5% of the first, not 5%"),
    ({}, {"repeated": 2e-3}, "two seeded runs differ by 2e-03, not 1e-03"),
    ({}, {"repeated": float("nan")}, "two seeded runs differ by nan, not 1e-03"),
    ({"kept": False}, {}, "memory ran out within the budget that was found from it"),
]


@pytest.mark.parametrize(("speed", "found", "line"), WRONG)
def test_a_missed_bar_is_named_and_ends_with_status_1(monkeypatch, capsys, speed, found, line):
    measured = _with(FAST, **speed), _with(ALIKE, **found)
    monkeypatch.setattr(bench_reward_gpu, "run", lambda shape, *_: measured if shape.width > 3000 else (FAST, ALIKE))
    monkeypatch.setattr("sys.argv", ["bench", "--device", "cpu"])
    assert bench_reward_gpu.main() == 1
    output = capsys.readouterr()
    assert output.err == f"missed: InternVL3-8B-hf: {line}\n"
    assert output.out.count("| InternVL3-1B-hf |") == output.out.count("| InternVL3-8B-hf |") == 2


def test_bars_that_are_met_end_with_status_0_and_no_gpu_with_75(monkeypatch, capsys):
    monkeypatch.setattr(bench_reward_gpu, "run", lambda *_: (FAST, ALIKE))
    monkeypatch.setattr("sys.argv", ["bench", "--device", "cpu"])
    assert bench_reward_gpu.main() == 0
    assert "missed" not in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["bench"])
    assert bench_reward_gpu.main() == 75


def _with(record, **changes):
    return type(record)(**{**vars(record), **changes})
