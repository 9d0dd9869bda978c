"""A training run small enough for tests: random clips, a tiny policy, a reward that needs no LMM."""

import contextlib
import dataclasses
import hashlib
import os
import signal
import time
from pathlib import Path

import torch
from refocus.config.train import TrainRuntime, TrainSettings
from refocus.core.errors import RefocusError
from refocus.policy.frame_policy import FramePolicy
from refocus.qa.records import Question
from refocus.train.data import TrainingSet, build
from refocus.train.loop import Trainer
from refocus.train.parallel import Ranks
from refocus.train.reward_model import Rewards

from tests.support.tiny_policy import build_features, build_policy

RUNTIME = TrainRuntime(
    clips_per_micro_batch=2,
    checkpoint_every=2,
    validate_every=0,
    tensorboard=False,
    device="cpu",
    validation_questions=8,
)
SETTINGS = TrainSettings(
    candidates=4, picks=2, batch=4, clips_per_batch=2, max_steps=6, entropy_weight=0.01, validation_share=0.2,
    runtime=RUNTIME,
)  # fmt: skip
COUNTS = [6, 9, 4, 7, 5]


def questions(counts=COUNTS, per_clip: int = 3) -> list[Question]:
    """Some questions about each of some clips."""
    made = []
    for clip in range(len(counts)):
        for number in range(per_clip):
            text = ("What colour is the circle?", "What shape is red?", "Is the square left?")[number % 3]
            made.append(
                Question(
                    qa_id=f"q{clip}-{number}",
                    dataset="toy",
                    split="train",
                    clip_id=f"c{clip}",
                    video_path=f"{clip}.mp4",
                    start_s=None,
                    end_s=None,
                    question=text,
                    options=("red", "green"),
                    answer_index=number % 2,
                    answer_text="",
                    category="",
                    source_id="",
                    flags=(),
                )
            )
    return made


def training_set(settings: TrainSettings = SETTINGS, counts=COUNTS) -> TrainingSet:
    return build(questions(counts), lambda clip: counts[int(clip[1:])], settings)


@dataclasses.dataclass
class LateFrames:
    """Rewards subsets by how late their frames are; `target` rewards one frame of every clip instead."""

    counts: list[int]
    target: int | None = None
    calls: int = 0

    def __call__(self, asked, subsets) -> Rewards:
        self.calls += 1
        rows = []
        for question, group in zip(asked, subsets, strict=True):
            n = self.counts[int(question.clip_id[1:])]
            if self.target is None:
                rows.append([sum(frames) / (len(frames) * n) for frames in group])
            else:
                rows.append([1.0 if self.target in frames else -1.0 for frames in group])
        reward = torch.tensor(rows, dtype=torch.float64)
        return Rewards(reward, reward > 0.5)


def build_trainer(
    folder: Path,
    settings: TrainSettings = SETTINGS,
    *,
    policy: FramePolicy | None = None,
    reward_model=None,
    counts=COUNTS,
    ranks: Ranks | None = None,
    identity=None,
) -> Trainer:
    """A trainer in `folder/work` and `folder/out`."""
    policy = policy or build_policy(dtype=torch.float64)
    features = dict(zip((f"c{i}" for i in range(len(counts))), build_features(policy, list(counts)), strict=True))
    reward_model = reward_model or LateFrames(list(counts))
    return Trainer(
        policy, training_set(settings, counts), features.__getitem__, reward_model, settings,
        reinit_layers=2, work=folder / "work", out=folder / "out", identity=identity or {"toy": 1}, ranks=ranks,
    )  # fmt: skip


def train_and_save(ranks: Ranks, job: tuple[Path, TrainSettings]) -> None:
    """What each process of a distributed test does. In the end all have the same weights."""
    torch.set_num_threads(1)
    folder, settings = job
    trainer = build_trainer(folder, settings, ranks=ranks)
    trainer.run()
    blobs = [tensor.numpy().tobytes() for tensor in trainer.policy.state_dict().values()]
    assert len(set(ranks.gather(hashlib.sha256(b"".join(blobs)).hexdigest()))) == 1


def train_several(ranks: Ranks, jobs: dict[Path, TrainSettings]) -> None:
    """Several runs after each other in the same processes."""
    for job in jobs.items():
        train_and_save(ranks, job)


@dataclasses.dataclass
class Fails(LateFrames):
    """A reward model that gives up at one of its calls."""

    at: int = 0

    def __call__(self, asked, subsets) -> Rewards:
        if self.calls == self.at:
            raise RefocusError("the reward model gave up")
        return super().__call__(asked, subsets)


def train_until_it_fails(ranks: Ranks, job: tuple[Path, TrainSettings, int]) -> None:
    """Every process's reward model fails at the same call."""
    torch.set_num_threads(1)
    folder, settings, at = job
    with contextlib.suppress(RefocusError):
        build_trainer(folder, settings, ranks=ranks, reward_model=Fails(COUNTS, at=at)).run()


def train_in_parts(ranks: Ranks, jobs: list[tuple[Path, TrainSettings, int]]) -> None:
    """Several runs in float32, each until some step, after each other in the same processes."""
    torch.set_num_threads(1)
    for folder, settings, until in jobs:
        trainer = build_trainer(folder, settings, ranks=ranks, policy=build_policy(dtype=torch.float32))
        trainer.steps = until
        trainer.run()


def die_second(ranks: Ranks, job: None) -> None:
    """The second process dies, the first waits for it."""
    if ranks.rank == 1:
        os._exit(9)
    ranks.wait()


def outlive_first(ranks: Ranks, mark: Path) -> None:
    """The first process fails while the second is deaf to SIGTERM, as in the middle of a step."""
    if ranks.rank == 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ranks.wait()
    if ranks.first:
        raise ValueError("the first one failed")
    time.sleep(120)
    mark.touch()


def train_until_stopped(ranks: Ranks, job: tuple[Path, TrainSettings]) -> None:
    """The second process gets a SIGTERM during its first step."""

    @dataclasses.dataclass
    class Stopped(LateFrames):
        def __call__(self, asked, subsets) -> Rewards:
            if ranks.rank == 1 and self.calls == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(asked, subsets)

    torch.set_num_threads(1)
    folder, settings = job
    build_trainer(folder, settings, ranks=ranks, reward_model=Stopped(COUNTS)).run()
