"""Answer accuracy on the held-back videos: the policy's frames against the same number of uniform ones."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from refocus.config.train import TrainSettings
from refocus.frames.sampling import uniform
from refocus.lmm.prompts import Prompt
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.precision import autocast
from refocus.qa.records import Question, by_clip
from refocus.train.data import rollout_seed
from refocus.train.parallel import Ranks
from refocus.train.reward_model import RewardModel


class Validation:
    """A fixed sample of questions on videos that are never trained on, asked once at temperature 1 with fixed seeds.

    size, videos: how many questions, and video files, over all processes.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        n_frames: dict[str, int],
        features: Callable[[str], Tensor],
        reward_model: RewardModel,
        settings: TrainSettings,
        ranks: Ranks,
    ):
        order = sorted(questions, key=lambda question: question.qa_id)[: settings.runtime.validation_questions]
        clips = list(dict.fromkeys(question.clip_id for question in order))
        mine = set(clips[ranks.rank :: ranks.world])
        self.questions = [question for question in order if question.clip_id in mine]
        self.size = len(order)
        self.videos = len({(question.dataset, question.video_path) for question in order})
        self.n_frames, self.features, self.reward_model = n_frames, features, reward_model
        self.settings, self.ranks = settings, ranks
        self._uniform: dict[int, tuple[float, float]] = {}

    def __call__(self, policy: FramePolicy, now: int) -> dict[str, float]:
        """Accuracy and mean margin of the policy's picks and of uniform frames; called by all processes.

        Args:
            now: T' of the curriculum's stage; where it is not the last, it is asked beside the last.
        """
        values = self._compare(policy, self.settings.picks, "validation")
        if now != self.settings.picks:
            values |= self._compare(policy, now, "validation/stage")
        return values

    def _compare(self, policy: FramePolicy, size: int, name: str) -> dict[str, float]:
        if size not in self._uniform:
            self._uniform[size] = self._ask([uniform(self.n_frames[q.clip_id], size) for q in self.questions])
        accuracy, reward = self._ask(self._pick(policy, size))
        return {
            f"{name}/accuracy": accuracy,
            f"{name}/accuracy_uniform": self._uniform[size][0],
            f"{name}/reward": reward,
            f"{name}/reward_uniform": self._uniform[size][1],
        }

    def _pick(self, policy: FramePolicy, size: int) -> list[tuple[int, ...]]:
        picks: dict[str, tuple[int, ...]] = {}
        for clip, asked in by_clip(self.questions).items():
            features = self.features(clip)
            prompts = [Prompt.of(question) for question in asked]
            seeds = [rollout_seed(0, 0, question.qa_id) for question in asked]
            with autocast(policy.device, self.settings.precision):
                orders = policy.pick(features, prompts, size, seeds).order.tolist()
            picks |= {question.qa_id: tuple(sorted(order)) for question, order in zip(asked, orders, strict=True)}
        return [picks[question.qa_id] for question in self.questions]

    def _ask(self, subsets: list[tuple[int, ...]]) -> tuple[float, float]:
        sums = [0.0, 0.0]
        if self.questions:
            rewards = self.reward_model(self.questions, [[subset] for subset in subsets])
            sums = [float(rewards.correct.sum()), float(torch.nan_to_num(rewards.reward).sum())]
        total = [sum(parts) for parts in zip(*self.ranks.gather(sums), strict=True)]
        return total[0] / self.size, total[1] / self.size
