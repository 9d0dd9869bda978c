"""How the tiny models learn: AdamW with clipped gradients, and learning rates."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


class Descent:
    """AdamW under a schedule; gradients are scaled down to norm 1."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        factor: Callable[[int], float],
        betas: tuple[float, float] = (0.9, 0.98),
    ):
        self._parameters = list(parameters)
        self._optimizer = torch.optim.AdamW(self._parameters, lr=lr, betas=betas, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, factor)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._schedule.step()


def warmup_cosine(steps: int, warmup: float = 0.05, floor: float = 0.02) -> Callable[[int], float]:
    """Learning-rate factor: linear over the first share of the steps, then a cosine down to `floor`."""

    def factor(step: int) -> float:
        if step < warmup * steps:
            return (step + 1) / (warmup * steps + 1)
        done = (step - warmup * steps) / (steps * (1 - warmup))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


def warmup_decay(steps: int, warmup: float = 0.05, decay: float = 0.3, floor: float = 0.02) -> Callable[[int], float]:
    """Learning-rate factor: linear up, level while lessons change, linear down to `floor` over the last share."""

    def factor(step: int) -> float:
        up = (step + 1) / (warmup * steps + 1)
        down = floor + (1 - floor) * (steps - step) / (decay * steps)
        return min(1.0, up, down)

    return factor
