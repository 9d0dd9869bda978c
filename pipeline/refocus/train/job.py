"""What one training run is given: files and settings, each named, or all of them from a configuration."""

import dataclasses
from pathlib import Path

from refocus.config.lmm import LmmSettings
from refocus.config.policy import PolicySettings
from refocus.config.root import Root
from refocus.config.train import TrainSettings
from refocus.core.errors import UsageError
from refocus.core.results_folder import INDEX, PAIRS, QUESTIONS, VARIANCE, shard_name
from refocus.qa.planned_shards import planned_shards


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """Everything one run needs, as paths and settings.

    Attributes:
        pairs: the questions that passed the filter; variance, pool: the filter's table of every question and the
            question files behind it, for runs that learn from others (`train.questions`).
        frames: index files of their stored frames.
        start: folder or hub id of the supervised base; lmm: the reward LMM.
        work: where checkpoints and logs are kept; out: where the results go.
        command: what was called, for the record.
    """

    pairs: Path
    frames: tuple[Path, ...]
    start: str
    lmm: LmmSettings
    policy: PolicySettings
    settings: TrainSettings
    work: Path
    out: Path
    variance: Path | None = None
    pool: tuple[Path, ...] = ()
    command: str = ""


def job_of_run(root: Root, name: str | None, *, start: str | None, work: Path, out: Path) -> TrainingJob:
    """A run of a configuration, with all inputs where its rules put them.

    Args:
        name: which run; None: the first that is used.
        start: in place of the run's own `policy.start`.
    Raises:
        UsageError: there is no such run, or an input has not been made.
    """
    name = name or next(iter(root.use.runs), None)
    if name is None or name not in root.runs:
        there_are = ", ".join(root.runs) or "it defines none: name one under `runs` and list it in `use.runs`"
        raise UsageError(f"--run: the configuration has no run '{name}' ({there_are})")
    settings, policy = root.run_train(name), root.run_policy(name)
    frames = [
        INDEX.at(root.results, dataset=dataset, shard=shard_name(shard))
        for dataset in root.use.datasets
        for shard in range(planned_shards(root, dataset))
    ]
    pairs = PAIRS.at(root.results, model=root.reward.model)
    variance = VARIANCE.at(root.results, model=root.reward.model) if settings.questions != "filtered" else None
    pool = [QUESTIONS.at(root.results, dataset=dataset) for dataset in root.use.datasets if variance]
    for path in (pairs, *frames, *([variance] if variance else []), *pool):
        if not path.is_file():
            raise UsageError(f"{path} is missing: run the stages before training (`snakemake {path}`)")
    return TrainingJob(
        pairs=pairs,
        frames=tuple(frames),
        start=start or policy.start,
        lmm=root.lmms[settings.reward_model],
        policy=policy,
        settings=settings,
        work=work,
        out=out,
        variance=variance,
        pool=tuple(pool),
    )
