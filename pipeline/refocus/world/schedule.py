"""Learning rates of the tiny models."""

import math
from collections.abc import Callable


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
