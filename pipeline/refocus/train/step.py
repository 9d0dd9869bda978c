"""One step of Algorithm 1 on one batch: sample, reward, normalise within groups, update K times.

q questions · n candidates · k picks
"""

import contextlib
import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from refocus.config.train import TrainSettings
from refocus.lmm.prompts import Prompt
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.network import ClipState, QuestionState
from refocus.policy.precision import autocast
from refocus.policy.rollout import Rollout, rollout, score
from refocus.qa.records import Question
from refocus.train.data import Batches, TrainingSet, micro_batches, rollout_seed, share_out
from refocus.train.metrics import Group, groups_of
from refocus.train.objective import advantages, batch_std, centre, objective, varied
from refocus.train.optim import Optimiser, lr_factor
from refocus.train.parallel import Ranks
from refocus.train.reward_model import RewardModel, Rewards


@dataclasses.dataclass
class Sample:
    """One micro-batch under pi_old; `old_logp` is filled in by the first parallel pass."""

    questions: list[Question]
    drawn: Rollout
    rewards: Rewards
    redrawn: list[int]  # per question, how often its candidates were drawn again
    advantage: Tensor  # (q, n)
    old_logp: Tensor | None = None  # (q, n, k)


class StepResult(NamedTuple):
    """This process's groups and the last update's numbers."""

    groups: list[Group]
    stats: dict[str, float]


class Clock:
    """Seconds of each phase of a step, and the frame tokens that went through the backbone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.tokens = 0

    def clear(self) -> None:
        self.seconds.clear()
        self.tokens = 0

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - began


class Stepper:
    """Makes steps. What a step does depends on the weights, its number and the settings, not on how it is split."""

    def __init__(
        self,
        policy: FramePolicy,
        data: TrainingSet,
        features: Callable[[str], Tensor],
        reward_model: RewardModel,
        settings: TrainSettings,
        ranks: Ranks,
        optimiser: Optimiser,
    ):
        self.policy, self.data, self.features, self.reward_model = policy, data, features, reward_model
        self.settings, self.ranks, self.optimiser = settings, ranks, optimiser
        self.batches = Batches(data.train, settings)
        self.clock = Clock()

    def __call__(self, step: int, should_stop: Callable[[], bool] = lambda: False) -> StepResult | None:
        """K updates on the batch of `step`; called by all processes.

        Args:
            should_stop: asked before every micro-batch of the first update.
        Returns:
            None where one has stopped: nothing was changed.
        """
        share = share_out(self.batches[step], self.data.n_frames, self.ranks.world)[self.ranks.rank]
        parts = micro_batches(share, self.data.n_frames, self.settings.runtime.clips_per_micro_batch)
        samples: list[Sample] = []
        if self.settings.advantage_scale == "batch":
            whole_batch = self._sample_all(parts, step, should_stop)
            if whole_batch is None:
                return None
            samples = whole_batch
        factor = lr_factor(step, self.batches.steps, self.settings)
        first: list[Group] = []
        stats: dict[str, float] = {}
        for update in range(self.settings.updates):
            self.optimiser.zero_grad()
            groups: list[Group] = []
            for index, questions in enumerate(parts):
                if update == 0 and should_stop():
                    break
                clips, asked = self._read(questions)
                if index == len(samples):
                    samples.append(self._sample(questions, clips, asked, step))
                groups += self._backward(samples[index], clips, asked)
            with self.clock("update"):
                updated = self._update(groups, factor, done=len(groups) == len(share))
            if updated is None:
                return None
            first, stats = first or groups, updated
        return StepResult([a.with_last(b) for a, b in zip(first, groups, strict=True)], stats)

    def _read(self, questions: list[Question]) -> tuple[ClipState, QuestionState]:
        """One prefix per clip, one continuation per question, with gradient where it is enabled."""
        ids = list(dict.fromkeys(question.clip_id for question in questions))
        with self.clock("features"):
            features = [self.features(clip) for clip in ids]
        with self.clock("prefix"), self._autocast():
            clips = self.policy.prefix(features)
            prompts = [Prompt.of(question) for question in questions]
            asked = self.policy.ask(clips, [ids.index(question.clip_id) for question in questions], prompts)
        self.clock.tokens += sum(len(part) for part in features) * self.policy.config.tokens_per_frame
        return clips, asked

    # ---- samples

    def _sample(self, questions: list[Question], clips: ClipState, asked: QuestionState, step: int) -> Sample:
        """Candidates and rewards; with `zero_variance: resample`, groups of equal rewards are drawn again."""
        settings = self.settings
        drawn, rewards = self._draw(questions, clips, asked, step, 0)
        redrawn = [0] * len(questions)
        for attempt in range(1, settings.resample_tries + 1 if settings.zero_variance == "resample" else 1):
            flat = (~varied(rewards.reward)).nonzero().flatten()
            if not len(flat):
                break
            rows = flat.tolist()
            again, redrawn_rewards = self._draw(
                [questions[row] for row in rows], clips, _rows(asked, flat), step, attempt
            )
            drawn.picks[flat], drawn.logp[flat] = again.picks, again.logp
            rewards.reward[flat], rewards.correct[flat.cpu()] = redrawn_rewards.reward, redrawn_rewards.correct
            for row in rows:
                redrawn[row] = attempt
        scale = "none" if settings.advantage_scale == "batch" else settings.advantage_scale
        advantage = advantages(rewards.reward, settings.model_copy(update={"advantage_scale": scale}))
        return Sample(questions, drawn, rewards, redrawn, advantage)

    def _draw(
        self, questions: list[Question], clips: ClipState, asked: QuestionState, step: int, attempt: int
    ) -> tuple[Rollout, Rewards]:
        settings = self.settings
        with self.clock("rollout"), self._autocast():
            seeds = [rollout_seed(settings.seed, step, question.qa_id, attempt) for question in questions]
            frames = settings.picks_at(step, self.batches.steps)
            drawn = rollout(self.policy, clips, asked, settings.candidates, frames, seeds, settings.temperature)
        with self.clock("reward"):
            subsets = [[tuple(sorted(picks)) for picks in group] for group in drawn.picks.tolist()]
            rewards = self.reward_model(questions, subsets)
        return drawn, Rewards(rewards.learned_from(settings.reward).to(self.policy.device), rewards.correct)

    @torch.no_grad()
    def _sample_all(
        self, parts: list[list[Question]], step: int, should_stop: Callable[[], bool]
    ) -> list[Sample] | None:
        """Samples the whole batch before any update, because its advantages share one scale; None if it is to stop."""
        samples: list[Sample] = []
        for part in parts:
            if should_stop():
                break
            clips, asked = self._read(part)
            samples.append(self._sample(part, clips, asked, step))
        shares = self.ranks.gather((len(samples) == len(parts), [s.rewards.reward.cpu() for s in samples]))
        if not all(done for done, _ in shares):
            return None
        everyone = [rewards for _, share in shares for rewards in share]
        std = batch_std(
            torch.cat([centre(r).flatten() for r in everyone]),
            torch.cat([r.flatten() for r in everyone]),
            self.settings,
        )
        for sample in samples:
            sample.advantage = advantages(sample.rewards.reward, self.settings, std)
        return samples

    # ---- updates

    def _backward(self, sample: Sample, clips: ClipState, asked: QuestionState) -> list[Group]:
        """Adds the gradient of the micro-batch's summed loss."""
        with self.clock("score"):
            with self._autocast():
                scored = score(self.policy, clips, asked, sample.drawn.picks, self.settings.temperature)
            if sample.old_logp is None:
                sample.old_logp = scored.logp.detach()
            goal = objective(
                scored.logp, scored.entropy, sample.old_logp, sample.advantage, sample.rewards.reward, self.settings
            )
        with self.clock("backward"):
            (-goal.value.sum()).backward()
        return groups_of(
            sample.questions,
            self.data.n_frames,
            sample.drawn,
            sample.rewards,
            scored,
            sample.advantage,
            sample.redrawn,
            goal,
        )

    def _update(self, groups: list[Group], factor: float, done: bool) -> dict[str, float] | None:
        """Divides the summed gradients by the number of groups over all processes and micro-batches, and updates.

        Args:
            done: whether this process has been through its whole share; None is returned if any has not.
        """
        shares = self.ranks.gather((sum(group.counts for group in groups), done))
        if not all(complete for _, complete in shares):
            self.optimiser.zero_grad()
            return None
        return self.optimiser.step(factor, sum(counted for counted, _ in shares))

    def _autocast(self) -> contextlib.AbstractContextManager:
        return autocast(self.policy.device, self.settings.precision)


def _rows(asked: QuestionState, rows: Tensor) -> QuestionState:
    """Some of the questions."""
    return QuestionState(asked.clip[rows], asked.latent[rows], asked.state.expand(rows))
