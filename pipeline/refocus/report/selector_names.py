"""What selectors are called in figures, for readers who do not know the configuration's spelling."""

from collections.abc import Sequence

from refocus.config.selectors import OPTIONS, kind_of, run_of

NAMES = {
    "uniform": "uniform",
    "random": "random",
    "uniform-seen": "uniform, far more frames",
    "topk": "top-k similarity",
    "aks": "AKS",
    "bolt": "BOLT",
    "mdp3": "MDP3",
    "confidence": "LMM's own confidence",
    "initial": "policy before training",
    "refocus-question": "ReFoCUS, without the options",
    "refocus": "ReFoCUS",
    "greedy": "ReFoCUS, likeliest at each step",
    "first-step": "ReFoCUS, likeliest at the first step",
    "marginals": "ReFoCUS, likeliest by Eq. 10",
    "swapped": "ReFoCUS, for another question",
    "oracle": "oracle (told the evidence)",
}


def readable(names: Sequence[str]) -> list[str]:
    """The names of selectors, or of rows of several runs; what is not ours keeps its own.

    The training run is left out where no two of the names would then be the same.
    """
    plain = [_readable(name, "") for name in names]
    return plain if len(set(plain)) == len(plain) else [_readable(name, run_of(name)) for name in names]


def _readable(name: str, run: str) -> str:
    kind, space, rest = kind_of(name).partition(" ")  # `refocus T' = 8 (mean of 3 runs)` is a row of several runs
    plain = kind.removesuffix(OPTIONS)
    if plain not in NAMES:
        return name
    return f"{NAMES[plain]}{' (with options)' if plain != kind else ''}{space}{rest}{f' [{run}]' if run else ''}"
