"""Rewards of sampled subsets: the reward LMM's margin on the frames in temporal order (Eq. 1 in the form of Eq. 5).

q questions · n candidates
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

from refocus.lmm.score_subsets import ClipFeatures, option_logits, score_subsets
from refocus.qa.records import Question, by_clip
from refocus.reward.margin import margins

if TYPE_CHECKING:
    from refocus.lmm import Lmm

Subset = tuple[int, ...]  # frames of a clip in temporal order


@dataclasses.dataclass(frozen=True)
class Rewards:
    """Of each candidate subset."""

    reward: Tensor  # (q, n) float32 in [-1, 1], NaN where it failed
    correct: Tensor  # (q, n) bool, the right option has the highest logit

    def learned_from(self, kind: Literal["margin", "correct"]) -> Tensor:
        """(q, n) what the objective gets (`train.reward`): the margins, or 1 and 0 for right and wrong; NaN stays."""
        if kind == "margin":
            return self.reward
        return self.correct.to(self.reward).masked_fill(self.reward.isnan(), torch.nan)


class RewardModel(Protocol):
    """Scores candidate subsets. All questions of a call have the same number of candidates."""

    def __call__(self, questions: Sequence[Question], subsets: Sequence[Sequence[Subset]]) -> Rewards: ...


class LmmRewardModel:
    """The frozen reward LMM over cached frame features."""

    def __init__(
        self,
        lmm: "Lmm",
        features: Callable[[str], Tensor],
        timestamps_s: Callable[[str], Sequence[float] | None] = lambda clip: None,
    ):
        """features: clip id -> (frames, tokens, numbers) of the LMM's own vision tower, all kept frames.

        timestamps_s: clip id -> their seconds; a family that shows no times needs none.
        """
        self.lmm = lmm
        self.features = features
        self.timestamps_s = timestamps_s

    def __call__(self, questions: Sequence[Question], subsets: Sequence[Sequence[Subset]]) -> Rewards:
        """Scores all subsets in one call; equal subsets of a question are computed once."""
        clips = {clip: self.features(clip) for clip in by_clip(questions)}
        frames = {
            clip: ClipFeatures(range(len(features)), features, self.timestamps_s(clip))
            for clip, features in clips.items()
        }
        rows = [(subset, index) for index in range(len(questions)) for subset in subsets[index]]
        logits = [option_logits(raw) for raw in score_subsets(self.lmm, frames, questions, rows)]
        answers = [questions[index].answer_index for _, index in rows]
        reward = torch.from_numpy(margins(logits, answers))
        correct = torch.tensor([int(z.argmax()) == answer for z, answer in zip(logits, answers, strict=True)])
        shape = (len(questions), -1)
        return Rewards(reward.view(shape), correct.view(shape))
