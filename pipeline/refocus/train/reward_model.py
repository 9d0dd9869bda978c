"""Rewards of sampled subsets: the reward LMM's margin on the frames in temporal order (Eq. 1 in the form of Eq. 5).

q questions · n candidates
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from refocus.qa.records import Question

if TYPE_CHECKING:
    from refocus.lmm import Lmm

Subset = tuple[int, ...]  # frames of a clip in temporal order


@dataclasses.dataclass(frozen=True)
class Rewards:
    """What the judge says of each candidate."""

    reward: Tensor  # (q, n) float32 in [-1, 1], NaN where it failed
    correct: Tensor  # (q, n) bool, the right option has the highest logit


class RewardModel(Protocol):
    """Scores candidate subsets. All questions of a call have the same number of candidates."""

    def __call__(self, questions: Sequence[Question], subsets: Sequence[Sequence[Subset]]) -> Rewards: ...


class LmmRewardModel:
    """The frozen reward LMM over cached frame features."""

    def __init__(self, lmm: "Lmm", features: Callable[[str], Tensor]):
        """features: clip id -> (frames, tokens, d) of the LMM's own vision tower, all kept frames."""
        self.lmm = lmm
        self.features = features

    def __call__(self, questions: Sequence[Question], subsets: Sequence[Sequence[Subset]]) -> Rewards:
        """Scores all subsets in one call; equal subsets of a question are computed once."""
        from refocus.lmm import Prompt, option_logits
        from refocus.reward.margin import margin

        clips = list(dict.fromkeys(question.clip_id for question in questions))
        parts = [self.features(clip) for clip in clips]
        starts = dict(zip(clips, torch.tensor([0, *(len(part) for part in parts)]).cumsum(0).tolist(), strict=False))
        rows = [
            ([starts[question.clip_id] + frame for frame in subset], index)
            for index, question in enumerate(questions)
            for subset in subsets[index]
        ]
        prompts = [Prompt(question.question, tuple(question.options)) for question in questions]
        logits = [option_logits(raw) for raw in self.lmm.score(torch.cat(parts), rows, prompts)]
        answers = [questions[index].answer_index for _, index in rows]
        reward = torch.tensor([margin(z, answer) for z, answer in zip(logits, answers, strict=True)])
        correct = torch.tensor([int(z.argmax()) == answer for z, answer in zip(logits, answers, strict=True)])
        shape = (len(questions), -1)
        return Rewards(reward.float().view(shape), correct.view(shape))
