"""Algorithm 1 from its first step to its last, with checkpoints, validation and records."""

import contextlib
import logging
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from refocus.config.train import TrainSettings
from refocus.core.errors import RefocusError
from refocus.core.progress import bar
from refocus.policy.checkpointing import Checkpointing
from refocus.policy.frame_policy import FramePolicy
from refocus.train.checkpoint import Best, Checkpoints
from refocus.train.data import TrainingSet
from refocus.train.metrics import peak_memory_gb, summarise
from refocus.train.parallel import Ranks
from refocus.train.reward_model import RewardModel
from refocus.train.run_log import RunLog
from refocus.train.step import Stepper, StepResult
from refocus.train.strategy import build_optimiser
from refocus.train.validate import Validation
from refocus.train.wandb_mirror import open_mirror

log = logging.getLogger(__name__)


class Trainer:
    """Trains a policy that has been initialised for selection."""

    def __init__(
        self,
        policy: FramePolicy,
        data: TrainingSet,
        features: Callable[[str], Tensor],
        reward_model: RewardModel,
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
            reward_model: rewards of subsets.
            reinit_layers: how many layers at the end learn at the new parts' rate.
            work: checkpoints and logs. out: `initial/`, `policy/`, metrics, events.
            identity: what makes this run this run; a checkpoint with another one is refused.
        """
        self.policy, self.data = policy.train(), data
        self.settings, self.runtime = settings, settings.runtime
        self.ranks = ranks or Ranks()
        self.work, self.out = work, out
        self.optimiser = build_optimiser(policy, settings, reinit_layers, self.ranks)
        self.step = Stepper(policy, data, features, reward_model, settings, self.ranks, self.optimiser)
        self.steps = self.step.batches.steps
        self.checkpoints = Checkpoints(work, identity or {}, self.runtime.keep_checkpoints)
        self.validation: Validation | None = None
        if data.validation and self.runtime.validate_every:
            self.validation = Validation(data.validation, data.n_frames, features, reward_model, settings, self.ranks)
        self.best: Best | None = None
        self.run_log: RunLog | None = None  # in the first process
        self.progress: Any = None
        policy.backbone.checkpointing = Checkpointing(self.runtime.gradient_checkpointing, self.runtime.memory_gb)

    def run(self) -> None:
        """Trains to the end, from the newest checkpoint if there is one, and writes the policy.

        Raises:
            RefocusError: SIGTERM came; a checkpoint was written and the same command goes on from it. Or there are
                checkpoints and none of them can be read.
            UsageError: the checkpoint in the work folder belongs to another run.
        """
        start, self.best = self.checkpoints.resume(self.policy, self.optimiser, self.ranks)
        if self.ranks.first:
            self.run_log = RunLog(
                self.work, self.out, start, self.runtime.tensorboard, open_mirror(self.settings, self.work, self.out)
            )
            self.progress = bar(total=self.steps, desc="train", unit="step")
            self.progress.update(start)
            log.info(
                "%d questions, %d held back, %d steps from %d",
                len(self.data.train),
                len(self.data.validation),
                self.steps,
                start,
            )
        try:
            with _terminated() as should_stop:
                self._steps(start, should_stop)
            if self.ranks.first:
                self._export()
        finally:
            if self.run_log is not None:
                self.progress.close()
                self.run_log.close()
        self.ranks.wait()

    def _steps(self, start: int, should_stop: Callable[[], bool]) -> None:
        """From step `start` to the end, or to the signal."""
        if start == 0 and self.steps:
            self._validate(0)
        for step in range(start, self.steps):
            self.step.clock.clear()
            began = time.perf_counter()
            result = self.step(step, should_stop)
            if result is None:
                self._save(step)
                raise RefocusError(f"stopped by a signal after step {step} of {self.steps}; run it again to go on")
            everyone = self.ranks.gather((result.groups, self.step.clock.tokens, should_stop()))
            self._note(step, everyone, result, time.perf_counter() - began)
            done, stopping = step + 1, any(signalled for _, _, signalled in everyone)
            due = done == self.steps or done % self.runtime.checkpoint_every == 0
            if done == self.steps or (self.runtime.validate_every and done % self.runtime.validate_every == 0):
                due |= self._validate(done)
            if due or stopping:
                self._save(done)
            if stopping and done < self.steps:
                raise RefocusError(f"stopped by a signal after step {done} of {self.steps}; run it again to go on")

    def _note(self, step: int, everyone: list[Any], result: StepResult, taken: float) -> None:
        """One line of metrics and one per group."""
        if self.run_log is None:
            return
        groups = [group for share, _, _ in everyone for group in share]
        if step % self.runtime.log_every == 0:
            values = summarise(groups) | result.stats
            values |= {f"time/{phase}": seconds for phase, seconds in self.step.clock.seconds.items()}
            values |= {"time/step": taken, "tokens_per_s": sum(tokens for _, tokens, _ in everyone) / taken}
            values["memory/peak_gb"] = peak_memory_gb(self.ranks.device)
            self.run_log.metrics(step, values)
            self.progress.set_postfix(
                reward=f"{values['reward/mean']:+.3f}", entropy=f"{values['policy/entropy_share']:.2f}", refresh=False
            )
        if self.runtime.log_groups:
            self.run_log.groups(step, [group.to_log() for group in groups])
        self.progress.update()

    def _validate(self, done: int) -> bool:
        """Asks the held-back questions after `done` steps; returns whether the policy is the best so far."""
        if self.validation is None:
            return False
        last = max(done - 1, 0)
        values = self.validation(self.policy, self.settings.picks_at(last, self.steps))
        if self.run_log is not None:
            self.run_log.metrics(last, values)
            self.run_log.publish()
            log.info(
                "after %d steps: answers right on held-back videos %.3f, with uniform frames %.3f",
                done, values["validation/accuracy"], values["validation/accuracy_uniform"],
            )  # fmt: skip
        now = Best(values["validation/accuracy"], values["validation/reward"], done)
        better = done > 0 and (self.best is None or now[:2] > self.best[:2])
        if better:
            self.best = now
        return better

    def _save(self, done: int) -> None:
        logs = {}
        if self.run_log is not None:
            self.run_log.sync()
            logs = self.run_log.marks() if done else {}  # before the first step there is nothing to keep
        self.checkpoints.save(done, self.policy, self.optimiser, self.ranks, self.best, logs)

    def _export(self) -> None:
        """Writes the policy as it is after the last step, and as it was when validation was at its best.

        What an earlier run left as its best is removed: this one may have no validation.
        """
        shutil.rmtree(self.out / "best", ignore_errors=True)
        dtype = getattr(torch, self.settings.save_dtype)
        self.policy.save_pretrained(self.out / "policy", dtype)
        if self.best is not None:
            try:
                self.checkpoints.read(self.best.step, self.policy)
            except (OSError, SafetensorError) as error:
                log.warning("no best/: the checkpoint of step %d cannot be read (%s)", self.best.step, error)
                return
            self.policy.save_pretrained(self.out / "best", dtype)
            self.checkpoints.read(self.steps, self.policy)


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
