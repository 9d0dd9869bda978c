"""The 16 subsets of a clip as work: how long their prefixes are, and what they have in common."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from refocus.config.reward import RewardSettings
from refocus.plan.flops import Flops, tree, triangle
from refocus.reward.windows import subsets

SCHEMES = (
    ("naive", "a full pass per question and subset"),
    ("vision_once", "vision tower once per clip"),
    ("shared_prefix", "+ a subset's prefix once for all questions of the clip"),
    ("prefix_tree", "+ common beginnings of the subsets once"),
)


@dataclass(frozen=True)
class Layout:
    """The subsets of a clip.

    sizes: frames of each subset. distinct: of each that is no other's equal, as many are in clips of a few frames.
    unique: frames in any. branches[i]: distinct beginnings of i+1 frames.
    """

    sizes: tuple[int, ...]
    distinct: tuple[int, ...]
    unique: int
    branches: tuple[int, ...]


@functools.cache
def layout(n_frames: int, frames_per_subset: int, windows: str, sampling: str) -> Layout:
    """The subsets that `refocus.reward.windows` gives a clip of `n_frames` frames."""
    chosen = [subset.frames for subset in subsets(n_frames, frames_per_subset, windows, sampling)]
    sizes = tuple(map(len, chosen))
    branches = tuple(
        len({frames[: depth + 1] for frames in chosen if len(frames) > depth}) for depth in range(max(sizes, default=0))
    )
    return Layout(sizes, tuple(map(len, set(chosen))), len({frame for frames in chosen for frame in frames}), branches)


@dataclass(frozen=True)
class QuestionGroup:
    """Clips with the same number of kept frames, and their questions.

    tokens: Σ s over the questions' own tokens s, pairs: Σ s(s+1)/2. Fractions occur where a source is only assumed.
    """

    n_frames: int
    clips: float
    questions: float
    tokens: float
    pairs: float

    def __mul__(self, times: float) -> "QuestionGroup":
        return QuestionGroup(
            self.n_frames, self.clips * times, self.questions * times, self.tokens * times, self.pairs * times
        )


def reward_work(group: QuestionGroup, settings: RewardSettings, starts: Sequence[int]) -> dict[str, Flops]:
    """The reward pass over a group under each of `SCHEMES`.

    With P_b the prefix of subset b, S = Σ s and S₂ = Σ s(s+1)/2 over the questions:
    naive tokens Σ_b (Q·P_b + S); shared Σ_b (C·P_b + S); tree C·(distinct prefix tokens) + Σ_b S.
    A suffix attends to its prefix and itself: Σ_b (P_b·S + S₂) pairs. Where prefixes are shared, equal subsets are one.

    Args:
        starts: tokens before frame i+1 of a prompt; at least as many as the longest subset has frames, and one.
    """
    plan = layout(group.n_frames, settings.frames_per_subset, settings.windows, settings.sampling)
    every, distinct = ([starts[size] for size in sizes] for sizes in (plan.sizes, plan.distinct))
    clips = group.clips if group.questions else 0
    once = Flops(frames=plan.unique) * clips
    alone = _prefixes(every) * group.questions + _suffixes(group, every)
    return {
        "naive": Flops(frames=sum(plan.sizes)) * group.questions + alone,
        "vision_once": once + alone,
        "shared_prefix": once + _prefixes(distinct) * clips + _suffixes(group, distinct),
        "prefix_tree": once + tree(starts, plan.branches) * clips + _suffixes(group, distinct),
    }


def _prefixes(lengths: Sequence[int]) -> Flops:
    return Flops(tokens=sum(lengths), pairs=sum(map(triangle, lengths)))


def _suffixes(group: QuestionGroup, prefixes: Sequence[int]) -> Flops:
    """Every question of the group after each of these prefixes."""
    return Flops(
        tokens=len(prefixes) * group.tokens,
        pairs=sum(prefixes) * group.tokens + len(prefixes) * group.pairs,
        rows=len(prefixes) * group.questions,
    )
