"""How frames are picked by numbers alone. Apart from the selectors of the workflow, so that asking about one video goes
without pyarrow.
"""

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from refocus.config.selectors import OPTIONS
from refocus.config.training_free import TrainingFreeSettings
from refocus.select.aks import aks
from refocus.select.bolt import bolt
from refocus.select.mdp3 import mdp3
from refocus.select.picks import Picks
from refocus.select.topk import topk

Method = Callable[[np.ndarray, np.ndarray, Sequence[int]], Mapping[int, Sequence[int]]]


def method(kind: str, settings: TrainingFreeSettings) -> Method:
    """How topk, aks, bolt or mdp3 picks, `-options` behind the name or not.

    Returns:
        A function of (t, d) frames, (t,) cosines and numbers of frames that gives frames for each number.
    """
    name = kind.removesuffix(OPTIONS)
    if name == "mdp3":
        return lambda frames, cosines, budgets: mdp3(
            frames, cosines, budgets, settings.mdp3_lambda, settings.mdp3_segment, settings.mdp3_widths
        )
    one: dict[str, Callable[[np.ndarray, int], Sequence[int]]] = {
        "topk": topk,
        "aks": lambda cosines, n: aks(cosines, n, settings.aks_threshold, settings.aks_depth),
        "bolt": lambda cosines, n: bolt(cosines, n, settings.bolt_power),
    }
    return lambda frames, cosines, budgets: {n: one[name](cosines, n) for n in budgets}


def draw(n_frames: int, n: int, seed: int) -> Picks:
    """min(n, n_frames) distinct frames, in the order drawn."""
    return Picks(tuple(random.Random(seed).sample(range(n_frames), min(n, n_frames))))
