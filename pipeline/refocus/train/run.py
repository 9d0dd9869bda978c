"""One training run from files to files: what each process does."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from refocus.config.identity import weights
from refocus.core.files import digest
from refocus.core.lease import lease
from refocus.policy.precision import autocast
from refocus.policy.trained_for import TrainedFor, write_trained_for
from refocus.qa.formats import Formats, formats_noted
from refocus.qa.records import Question
from refocus.train.data import TrainingSet, build
from refocus.train.describe import describe
from refocus.train.feature_cache import FeatureCache
from refocus.train.job import TrainingJob
from refocus.train.loop import Trainer
from refocus.train.parallel import Ranks
from refocus.train.questions import read_training_questions
from refocus.train.reward_model import LmmRewardModel

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

IMAGES_GB = 0.25

log = logging.getLogger(__name__)


def work(ranks: Ranks, job: TrainingJob) -> None:
    """Builds policy, reward model and data, trains, and draws the curves."""
    from refocus.frames.frame_store import FrameStore
    from refocus.lmm.option_scorer import load_lmm_entry

    settings, runtime = job.settings, job.settings.runtime
    torch.set_num_threads(runtime.threads)
    store = FrameStore.open(job.frames)
    questions = read_training_questions(job.pairs, settings, job.variance, job.pool)
    formats = _formats(job.pairs, questions)
    data = build(questions, lambda clip: store.record(clip).n_frames if clip in store else 0, settings, formats)

    policy = _policy(job, ranks)
    lmm = load_lmm_entry(job.lmm, ranks.device.type, runtime.batch_tokens)
    images = _images(store, shared=policy.frame_size == lmm.frame_size)
    half = runtime.feature_cache_gb / 2

    def encode(clip: str) -> Tensor:
        with autocast(policy.device, settings.precision):
            return policy.encode(images(clip, policy.frame_size))

    features = FeatureCache(encode, half)
    judged = FeatureCache(lambda clip: lmm.encode(images(clip, lmm.frame_size)), half)
    reward_model = LmmRewardModel(lmm, judged, lambda clip: store.record(clip).timestamps_s)
    same = identity(job, data, lambda clip: store.record(clip).content)
    trainer = Trainer(
        policy,
        data,
        features,
        reward_model,
        settings,
        reinit_layers=job.policy.reinit_layers,
        work=job.work / same["questions"],  # other data begins anew instead of refusing the old checkpoints
        out=job.out,
        identity=same,
        ranks=ranks,
    )
    # Snakemake's driver may be killed and started again while its job still runs on another machine.
    with lease(trainer.work) if ranks.first else contextlib.nullcontext():
        if ranks.first:
            policy.save_pretrained(job.out / "initial", getattr(torch, settings.save_dtype))
        ranks.wait()
        trainer.run()
    if ranks.first:
        _note_use(job, store)
        describe(job, trainer, formats, same)
        from refocus.train.curves import draw
        from refocus.train.run_log import METRICS, read

        draw(read(job.out / METRICS), job.out)


def _note_use(job: TrainingJob, store: "FrameStore") -> None:
    """Writes beside the weights how the policy was trained to be asked."""
    ways = {TrainedFor.of(job.settings.picks, decode) for decode in store.sampling()}
    if len(ways) != 1:
        log.warning(
            "the frames were sampled in %d ways, so the policy does not say how to sample those of others", len(ways)
        )
        return
    trained_for = ways.pop()
    for state in ("initial", "policy", "best"):
        if (job.out / state).is_dir():
            write_trained_for(job.out / state, trained_for)


def identity(job: TrainingJob, data: TrainingSet, content: Callable[[str], str]) -> dict[str, Any]:
    """What a checkpoint must share with the run that continues it.

    Args:
        content: a digest of a clip's frames. A question's own id covers its text and options, not its answer.
    """

    def known(part: Sequence[Question]) -> list[list[Any]]:
        return sorted([question.qa_id, question.answer_index, content(question.clip_id)] for question in part)

    return {
        "train": job.settings.identity(),
        "policy": {**job.policy.identity(), "start": weights(job.start)},
        "reward_model": {**job.lmm.identity(), "path": weights(job.lmm.path)},
        "questions": digest([known(data.train), known(data.validation)]),
    }


def _formats(pairs: Path, questions: Sequence[Question]) -> Formats:
    """The adapters of the pairs' data sets, which tell one film from another."""
    formats = formats_noted(pairs)
    if unknown := sorted({question.dataset for question in questions} - set(formats)):
        log.warning(
            "%s does not say which adapter read %s, so each of its files is held back or trained on as a film by "
            "itself; `refocus filter` notes the adapter of files that `refocus ingest` wrote",
            pairs,
            ", ".join(unknown),
        )
    return formats


def _policy(job: TrainingJob, ranks: Ranks) -> Any:
    """The supervised base with B.2's initialisation, or the policy that training goes on with."""
    from refocus.policy.frame_policy import FramePolicy

    policy = FramePolicy.from_pretrained(job.start, job.policy)
    if job.policy.initialise:
        policy.initialise_selection(job.policy, job.settings.seed)
    policy.to(ranks.device).backbone.use(job.settings.runtime.kernels)
    return policy


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
