"""How the tiny models learn: a step's length is the schedule's, whatever the loss is multiplied by."""

import pytest
import torch
from refocus.world.schedule import Descent


@pytest.mark.parametrize(("slope", "norm"), [(1000.0, 1.0), (0.5, 0.5)])
def test_long_gradients_are_cut_to_norm_1_and_short_ones_kept(slope, norm):
    weight = torch.nn.Parameter(torch.zeros(4))
    Descent([weight], 1e-3, lambda step: 1.0).step(slope * weight.mean() * 2)
    assert weight.grad.norm().item() == pytest.approx(norm, rel=1e-4)


def test_every_step_takes_the_next_rate():
    weight = torch.nn.Parameter(torch.zeros(1))
    descent = Descent([weight], 1e-2, lambda step: (1.0, 0.5, 0.0)[min(step, 2)])
    places = []
    for _ in range(3):
        descent.step(weight.sum())
        places.append(weight.item())
    assert places == pytest.approx([-0.01, -0.015, -0.015], rel=1e-3)
