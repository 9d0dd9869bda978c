"""What a finished run writes into its policy folders beside the weights: where they come from, and the model card."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from refocus.config.lmm import LmmSettings
from refocus.core import parquet
from refocus.core.checksums import CARD
from refocus.core.files import digest, fingerprint_of, settings_of, write_text
from refocus.core.made_by import made_by
from refocus.core.model_folder import local_folder, read_json
from refocus.core.results_folder import FILTER_SUMMARY
from refocus.policy.model_card import WHY_LEFT_OUT, card_of
from refocus.policy.provenance import DataSet, Filtered, Provenance, UsedModel, Validated, shareable, write_provenance
from refocus.policy.trained_for import read_trained_for
from refocus.qa.licences import is_synthetic
from refocus.qa.records import Question
from refocus.train.data import TrainingSet
from refocus.train.job import TrainingJob
from refocus.train.loop import Trainer
from refocus.train.run_log import METRICS, read


def describe(job: TrainingJob, trainer: Trainer, formats: Mapping[str, str], identity: Mapping[str, Any]) -> None:
    """Writes provenance.json and the card into `policy/` and `best/`; called when their other files are there.

    Args:
        formats: data set -> the adapter it was read with, where it is known.
        identity: what makes this run this run (`refocus.train.run.identity`).
    """
    after = {"policy": trainer.steps}
    if trainer.best is not None:
        after["best"] = trainer.best.step
    sections = {"train": job.settings, "policy": job.policy}
    settings = {name: section.model_dump(mode="json", exclude={"runtime"}) for name, section in sections.items()}
    for state, step in after.items():
        folder = job.out / state
        if not folder.is_dir():
            continue
        made = Provenance(
            run=job.out.resolve().name,
            state=state,
            step=step,
            steps=trainer.steps,
            command=shareable(job.command),
            processes=trainer.ranks.world,
            made_by=made_by(),
            seed=job.settings.seed,
            learned_from=job.settings.questions,
            settings=shareable(settings),
            base=_model(job.start, identity["policy"]["start"]),
            reward_model=_model(job.lmm.path, identity["reward_model"]["path"], job.lmm),
            data=data_sets(trainer.data, formats),
            left_out=trainer.data.dropped,
            filter=_filter(job.pairs),
            validation=_validated(trainer, job.out / METRICS, step),
            fingerprints={
                "run": digest(dict(identity)),
                "questions": identity["questions"],
                "pairs": fingerprint_of(parquet.read_schema(job.pairs)),
                "frames": sorted({fingerprint_of(parquet.read_schema(index)) for index in job.frames}),
            },
        )
        write_provenance(folder, made)
        write_text(folder / CARD, card_of(made, read_trained_for(folder)).content)


def data_sets(data: TrainingSet, formats: Mapping[str, str]) -> tuple[DataSet, ...]:
    """What was learned from and held back, by data set."""
    every = (*data.train, *data.validation)
    return tuple(
        DataSet(
            name=name,
            format=formats.get(name, ""),
            synthetic=is_synthetic(question.category for question in _of(name, every)),
            questions=len(_of(name, data.train)),
            videos=_videos(_of(name, data.train)),
            held_back_questions=len(_of(name, data.validation)),
            held_back_videos=_videos(_of(name, data.validation)),
        )
        for name in sorted({question.dataset for question in every})
    )


def _of(name: str, questions: Iterable[Question]) -> list[Question]:
    return [question for question in questions if question.dataset == name]


def _videos(questions: Iterable[Question]) -> int:
    return len({question.video_path for question in questions})


def _model(path: str, weights: str, lmm: LmmSettings | None = None) -> UsedModel:
    hub = local_folder(path) is None
    settings = {} if lmm is None else lmm.model_dump(mode="json", exclude={"path"})
    return UsedModel(name=path if hub else shareable(path), hub=hub, weights=weights, settings=settings)


def _filter(pairs: Path) -> Filtered | None:
    """The summary beside the pairs, if it is of the filter that wrote them."""
    file = FILTER_SUMMARY.inside(pairs.parent)
    if not file.is_file():
        return None
    summary = read_json(file)
    settings = settings_of(parquet.read_schema(pairs))
    if summary.get("settings") != settings:
        return None
    return Filtered(
        settings=settings,
        questions=summary["questions"],
        kept=summary["kept"],
        dropped_as={flag: summary[flag] for flag in WHY_LEFT_OUT if flag in summary},
    )


def _validated(trainer: Trainer, metrics: Path, step: int) -> Validated | None:
    """The run's own validation after so many steps; None where it made none then."""
    if trainer.validation is None:
        return None
    prefix = "validation/"
    lines = [line for line in read(metrics) if line["step"] == step - 1 and f"{prefix}accuracy" in line]
    if not lines:
        return None
    names = ("accuracy", "accuracy_uniform", "reward", "reward_uniform")
    values = {name: lines[-1][prefix + name] for name in names}
    return Validated(step=step, questions=trainer.validation.size, videos=trainer.validation.videos, **values)
