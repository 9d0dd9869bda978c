"""One training run from files to files: what each process does."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.config.identity import weights
from pipeline.config.lmm import LmmSettings
from pipeline.config.policy import PolicySettings
from pipeline.config.train import TrainSettings
from pipeline.files import digest
from pipeline.qa.records import Question, read_questions
from pipeline.train.features import FeatureCache
from pipeline.train.judge import LmmJudge
from pipeline.train.loop import Trainer
from pipeline.train.parallel import Ranks

IMAGES_GB = 0.25


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything one run needs, as paths and settings."""

    pairs: Path
    frames: tuple[Path, ...]
    start: str
    lmm: LmmSettings
    policy: PolicySettings
    settings: TrainSettings
    work: Path
    out: Path


def work(ranks: Ranks, job: Job) -> None:
    """Builds policy, judge and data, trains, and draws the curves."""
    from pipeline.lmm import load_lmm
    from pipeline.store.frames import FrameStore
    from pipeline.train.data import build

    settings, runtime = job.settings, job.settings.runtime
    torch.set_num_threads(runtime.threads)
    store = FrameStore.open(job.frames)
    questions = read_questions(job.pairs)
    data = build(questions, lambda clip: store.record(clip).n_frames if clip in store else 0, settings)

    policy = _policy(job, ranks)
    lmm = load_lmm(
        job.lmm.path,
        device=ranks.device.type,
        dtype=job.lmm.dtype,
        attention=job.lmm.attention,
        family=job.lmm.family,
        batch_tokens=runtime.batch_tokens,
    )
    images = _images(store, shared=policy.frame_size == lmm.frame_size)
    half = runtime.feature_cache_gb / 2
    features = FeatureCache(lambda clip: policy.encode(images(clip, policy.frame_size)), half)
    judge = LmmJudge(lmm, FeatureCache(lambda clip: lmm.encode(images(clip, lmm.frame_size)), half))
    same = identity(job, data.train + data.validation)
    trainer = Trainer(
        policy,
        data,
        features,
        judge,
        settings,
        reinit_layers=job.policy.reinit_layers,
        work=job.work / same["questions"],  # grown data begins anew instead of refusing the old checkpoints
        out=job.out,
        identity=same,
        ranks=ranks,
    )
    if ranks.first:
        policy.save_pretrained(job.out / "initial", getattr(torch, settings.storage))
    trainer.run()
    if ranks.first:
        from pipeline.train.curves import draw
        from pipeline.train.record import METRICS, read

        draw(read(job.out / METRICS), job.out)


def identity(job: Job, questions: tuple[Question, ...]) -> dict[str, Any]:
    """What a checkpoint must share with the run that continues it."""
    return {
        "train": job.settings.identity(),
        "policy": {**job.policy.identity(), "start": weights(job.start)},
        "reward_model": {**job.lmm.identity(), "path": weights(job.lmm.path)},
        "questions": digest(sorted(question.qa_id for question in questions)),
    }


def _policy(job: Job, ranks: Ranks) -> Any:
    """The supervised base with B.2's initialisation, or the policy that training goes on with."""
    from pipeline.policy.model import FramePolicy

    policy = FramePolicy.from_pretrained(job.start, job.policy)
    if job.policy.initialise:
        policy.initialise_selection(job.policy, job.settings.seed)
    return policy.to(ranks.device)


def _images(store: Any, shared: bool) -> Any:
    """clip, size -> uint8 frames; decoded once for both towers where they take the same size."""
    if not shared:
        return lambda clip, size: store.images(clip, size=size)
    cache: dict[int, FeatureCache] = {}

    def images(clip: str, size: int) -> Any:
        if size not in cache:
            cache[size] = FeatureCache(lambda clip: _tensor(store, clip, size), IMAGES_GB)
        return cache[size](clip).numpy()

    return images


def _tensor(store: Any, clip: str, size: int) -> Tensor:
    return torch.from_numpy(store.images(clip, size=size))
