"""Algorithm 1: sample subsets, judge them, normalise within groups, update; with checkpoints, validation and records.

q questions · n candidates · k picks
"""

import contextlib
import dataclasses
import logging
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.config.train import TrainSettings
from pipeline.errors import RefocusError
from pipeline.lmm.prompts import Prompt
from pipeline.policy.model import ClipState, FramePolicy, QuestionState
from pipeline.policy.rollout import Rollout, rollout, score
from pipeline.progress import bar
from pipeline.qa.records import Question
from pipeline.train.checkpoint import Checkpoints
from pipeline.train.data import Batches, TrainingSet, micro_batches, rollout_seed, share_out
from pipeline.train.judge import Judge, Verdict
from pipeline.train.metrics import Group, groups_of, peak_memory_gb, summarise
from pipeline.train.objective import advantages, batch_std, centre, objective
from pipeline.train.optim import Optimiser, lr_factor
from pipeline.train.parallel import Ranks
from pipeline.train.record import Record
from pipeline.train.validate import Validation
from pipeline.train.wandb_mirror import WandbMirror

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Sample:
    """One micro-batch under pi_old; `old_logp` is filled in by the first parallel pass."""

    questions: list[Question]
    drawn: Rollout
    verdict: Verdict
    advantage: Tensor  # (q, n)
    old_logp: Tensor | None = None  # (q, n, k)


class Trainer:
    """Trains a policy that has been initialised for selection."""

    def __init__(
        self,
        policy: FramePolicy,
        data: TrainingSet,
        features: Callable[[str], Tensor],
        judge: Judge,
        settings: TrainSettings,
        *,
        reinit_layers: int,
        work: Path,
        out: Path,
        identity: Mapping[str, Any] | None = None,
        ranks: Ranks | None = None,
    ):
        """
        Args:
            features: clip id -> (t, p, c) features of the policy's tower.
            judge: rewards of subsets.
            reinit_layers: how many layers at the end learn at the new parts' rate.
            work: checkpoints and logs. out: `initial/`, `policy/`, metrics, events.
            identity: what makes this run this run; a checkpoint with another one is refused.
        """
        self.policy, self.data, self.features, self.judge = policy.train(), data, features, judge
        self.settings, self.runtime = settings, settings.runtime
        self.ranks = ranks or Ranks()
        self.work, self.out = work, out
        self.batches = Batches(data.train, settings)
        self.optimiser = Optimiser(policy, settings, reinit_layers)
        self.checkpoints = Checkpoints(work, identity or {}, self.runtime.keep)
        validation = (data.validation, data.frames, features, judge, settings, self.ranks)
        self.validation = Validation(*validation) if data.validation and self.runtime.validate_every else None
        self.seconds: dict[str, float] = defaultdict(float)
        self.tokens = 0
        policy.backbone.checkpointed = self.runtime.checkpoint_layers

    # ---- the run

    def run(self) -> None:
        """Trains to the end, from the newest checkpoint if there is one, and writes the policy.

        Raises:
            RefocusError: SIGTERM came; a checkpoint was written and the same command goes on from it.
            UsageError: the checkpoint in the work folder belongs to another run.
        """
        start = self.checkpoints.resume(self.policy, self.optimiser, self.ranks)
        total = self.batches.steps
        record = progress = None
        if self.ranks.first:
            record = Record(self.work, self.out, start, self.runtime.tensorboard, self._mirror())
            progress = bar(total=total, desc="train", unit="step")
            progress.update(start)
            log.info(
                "%d questions, %d held back, %d steps from %d",
                *map(len, (self.data.train, self.data.validation)),
                total,
                start,
            )
        with _terminated() as stop:
            for step in range(start, total):
                if step == start == 0:
                    self._validate(record, 0)
                stopping = self._step_and_record(step, record, progress, stop)
                done = step + 1
                if done == total or (self.runtime.validate_every and done % self.runtime.validate_every == 0):
                    self._validate(record, done)
                if stopping or done % self.runtime.checkpoint_every == 0 or done == total:
                    self.checkpoints.save(done, self.policy, self.optimiser, self.ranks)
                if stopping and done < total:
                    self._close(record, progress)
                    raise RefocusError(f"stopped by a signal after step {done} of {total}; run it again to go on")
        if self.ranks.first:
            self.policy.save_pretrained(self.out / "policy", getattr(torch, self.settings.storage))
        self._close(record, progress)

    def _step_and_record(self, step: int, record: Record | None, progress: Any, stop: Callable[[], bool]) -> bool:
        """One step; returns whether any process was told to stop."""
        self.seconds.clear()
        self.tokens = 0
        began = time.perf_counter()
        mine, stats = self.step(step)
        everyone = self.ranks.gather((mine, self.tokens, stop()))
        taken = time.perf_counter() - began
        if record is not None:
            groups = [group for share, _, _ in everyone for group in share]
            if step % self.runtime.log_every == 0:
                values = summarise(groups) | stats
                values |= {f"time/{phase}": seconds for phase, seconds in self.seconds.items()}
                values |= {"time/step": taken, "tokens_per_s": sum(tokens for _, tokens, _ in everyone) / taken}
                values["memory/peak_gb"] = peak_memory_gb(self.ranks.device)
                record.metrics(step, values)
                progress.set_postfix(
                    reward=f"{values['reward/mean']:+.3f}",
                    entropy=f"{values['policy/entropy_share']:.2f}",
                    refresh=False,
                )
            if self.runtime.log_groups:
                record.groups(step, [group.to_log() for group in groups])
            progress.update()
        return any(told for _, _, told in everyone)

    def _validate(self, record: Record | None, step: int) -> None:
        if self.validation is None:
            return
        now = self.settings.frames_at(max(step - 1, 0), self.batches.steps)
        values = self.validation(self.policy, now)
        if record is not None:
            record.metrics(step if step == 0 else step - 1, values)
            record.publish()
            log.info(
                "after %d steps: answers right on held-back videos %.3f, with uniform frames %.3f",
                step, values["validation/accuracy"], values["validation/accuracy_uniform"],
            )  # fmt: skip

    def _mirror(self) -> WandbMirror | None:
        if self.runtime.wandb == "off":
            return None
        return WandbMirror(self.runtime, self.out.name, self.work, self.settings.model_dump(mode="json"))

    def _close(self, record: Record | None, progress: Any) -> None:
        if record is not None:
            progress.close()
            record.close()
        self.ranks.wait()

    # ---- one step

    def step(self, step: int) -> tuple[list[Group], dict[str, float]]:
        """K updates on one batch; returns the records of this process's groups and the last update's numbers."""
        share = share_out(self.batches[step], self.data.frames, self.ranks.world)[self.ranks.rank]
        parts = micro_batches(share, self.data.frames, self.runtime.micro_batch)
        samples = self._sample_all(parts, step) if self.settings.advantage_scale == "batch" else [None] * len(parts)
        factor = lr_factor(step, self.batches.steps, self.settings)
        records: list[Group] = []
        stats: dict[str, float] = {}
        for update in range(self.settings.updates):
            self.optimiser.zero_grad()
            counted = 0
            for index, questions in enumerate(parts):
                clips, asked = self._read(questions)
                if samples[index] is None:
                    samples[index] = self._sample(questions, clips, asked, step)
                groups = self._backward(samples[index], clips, asked)
                counted += sum(group.counts for group in groups)
                if update == 0:
                    records += groups
            with self._clock("update"):
                stats = self._update(counted, factor)
        return records, stats

    def _read(self, questions: list[Question]) -> tuple[ClipState, QuestionState]:
        """One prefix per clip, one continuation per question, with gradient where it is enabled."""
        ids = list(dict.fromkeys(question.clip_id for question in questions))
        with self._clock("features"):
            features = [self.features(clip) for clip in ids]
        with self._clock("prefix"):
            clips = self.policy.prefix(features)
            prompts = [Prompt(question.question, tuple(question.options)) for question in questions]
            asked = self.policy.ask(clips, [ids.index(question.clip_id) for question in questions], prompts)
        self.tokens += sum(len(part) for part in features) * self.policy.config.tokens_per_frame
        return clips, asked

    def _sample(self, questions: list[Question], clips: ClipState, asked: QuestionState, step: int) -> Sample:
        settings = self.settings
        with self._clock("rollout"):
            seeds = [rollout_seed(settings.seed, step, question.qa_id) for question in questions]
            frames = settings.frames_at(step, self.batches.steps)
            drawn = rollout(self.policy, clips, asked, settings.candidates, frames, seeds, settings.temperature)
        with self._clock("reward"):
            subsets = [[tuple(sorted(picks)) for picks in group] for group in drawn.picks.tolist()]
            verdict = self.judge(questions, subsets)
            verdict = Verdict(verdict.reward.to(self.policy.device), verdict.correct)
        scale = (
            settings.model_copy(update={"advantage_scale": "none"}) if settings.advantage_scale == "batch" else settings
        )
        return Sample(questions, drawn, verdict, advantages(verdict.reward, scale))

    @torch.no_grad()
    def _sample_all(self, parts: list[list[Question]], step: int) -> list[Sample]:
        """Samples the whole batch before any update, because its advantages share one scale."""
        samples = [self._sample(part, *self._read(part), step) for part in parts]
        everyone = [r for share in self.ranks.gather([s.verdict.reward.cpu() for s in samples]) for r in share]
        std = batch_std(
            torch.cat([centre(r).flatten() for r in everyone]),
            torch.cat([r.flatten() for r in everyone]),
            self.settings,
        )
        for sample in samples:
            sample.advantage = advantages(sample.verdict.reward, self.settings, std)
        return samples

    def _backward(self, sample: Sample, clips: ClipState, asked: QuestionState) -> list[Group]:
        """Adds the gradient of the micro-batch's summed loss."""
        with self._clock("score"):
            scored = score(self.policy, clips, asked, sample.drawn.picks, self.settings.temperature)
            if sample.old_logp is None:
                sample.old_logp = scored.logp.detach()
            goal = objective(
                scored.logp, scored.entropy, sample.old_logp, sample.advantage, sample.verdict.reward, self.settings
            )
        with self._clock("backward"):
            (-goal.value.sum()).backward()
        return groups_of(
            sample.questions,
            self.data.frames,
            sample.drawn,
            sample.verdict,
            scored,
            sample.advantage,
            goal.ratio,
            goal.counts,
        )

    def _update(self, counted: int, factor: float) -> dict[str, float]:
        """Divides the summed gradients by the number of groups over all processes and steps the optimiser."""
        parameters = list(self.optimiser.parameters.values())
        total = sum(self.ranks.gather(counted))
        self.ranks.sum_gradients(parameters)
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= max(total, 1)
        return self.optimiser.step(factor)

    @contextlib.contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - began


@contextlib.contextmanager
def _terminated() -> Iterator[Callable[[], bool]]:
    """Within it, SIGTERM is remembered instead of obeyed; yields whether it came."""
    came = []
    try:
        before = signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    except ValueError:  # not the main thread: signals are somebody else's
        yield lambda: False
        return
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
