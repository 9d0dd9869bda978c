"""Golden curves: the first 20 steps of the demo's training give the numbers that were recorded, on any processor."""

import json

import pytest

from tests.support.golden_run import RECORD, RUNS, curves, golden_trainer

pytestmark = pytest.mark.slow

# Float64 rounds by 1e-16, and 20 steps make 1e4 times as much of a disturbed weight (a disturbance of 1e-9 moves the
# gradient's norm by 1e-5): 1e-12 is what other processors give, and a hundred times that passes.
CURVE = 1e-10
# The reward LMM's letter logits, about 10, are float32 sums through four layers: 10 * 6e-8 * some ten roundings.
REWARD = 1e-3


@pytest.mark.parametrize("name", RUNS)
def test_training_goes_as_recorded(tmp_path, name):
    """Draws, rewards, entropy, gradients, learning rates and the way the weights have gone."""
    recorded = json.loads(RECORD.read_text())[name]
    with golden_trainer(name, tmp_path, recorded["draws"]) as (trainer, draws):
        found = curves(trainer)
    assert len(draws.made) == len(recorded["draws"])
    assert draws.others == 0, "candidates drawn otherwise"
    assert draws.reward_gap < REWARD
    for key, values in recorded["curves"].items():
        assert found[key] == pytest.approx(values, rel=CURVE), key
