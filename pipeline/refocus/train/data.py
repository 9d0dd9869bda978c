"""Which questions are trained on, which are held back, and in what order they come."""

import dataclasses
import hashlib
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from refocus.config.train import TrainSettings
from refocus.core.errors import RefocusError
from refocus.core.files import digest
from refocus.qa.origin import Film, film
from refocus.qa.records import Question, by_clip

log = logging.getLogger(__name__)
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Questions that carry a signal, split by film; `n_frames` is the number of kept frames of each of their clips."""

    train: tuple[Question, ...]
    validation: tuple[Question, ...]
    n_frames: dict[str, int]
    dropped: dict[str, int]  # reason -> questions


def build(
    questions: Sequence[Question],
    kept_frames: Callable[[str], int],
    settings: TrainSettings,
    formats: Mapping[str, str] = MappingProxyType({}),
) -> TrainingSet:
    """Drops what cannot be trained on, counted by reason, and holds back the films of the validation slice.

    A clip with T <= T' frames leaves nothing to choose; open questions have no margin. A film that several data sets
    have, under whatever paths, is held back in all of them. Which films are depends on their names only, so all runs
    hold back the same.

    Args:
        kept_frames: the number of kept frames of a clip id, 0 where it has none.
        formats: data set -> the adapter it was read with; of a data set without one, each file is a film by itself.
    Raises:
        RefocusError: nothing is left to train on.
    """
    n_frames = {clip: kept_frames(clip) for clip in dict.fromkeys(question.clip_id for question in questions)}
    kept: list[Question] = []
    dropped: Counter[str] = Counter()
    for question in questions:
        if not 0 <= question.answer_index < len(question.options) or len(question.options) < 2:
            dropped["no options to compare"] += 1
        elif n_frames[question.clip_id] == 0:
            dropped["no frames"] += 1
        elif n_frames[question.clip_id] <= settings.picks:
            dropped["no more frames than picks"] += 1
        else:
            kept.append(question)
    for reason, count in dropped.items():
        log.warning("%d questions left out: %s", count, reason)
    films = [film(formats.get(question.dataset, ""), question) for question in kept]
    held = held_back(films, settings.validation_share)
    train = tuple(question for question, shown in zip(kept, films, strict=True) if shown not in held)
    validation = tuple(question for question, shown in zip(kept, films, strict=True) if shown in held)
    if not train:
        raise RefocusError(
            f"none of the {len(questions)} questions can be trained on "
            f"({', '.join(f'{count} {reason}' for reason, count in dropped.items()) or 'all were held back'})"
        )
    return TrainingSet(train, validation, n_frames, dict(dropped))


def held_back(films: Sequence[Film], share: float) -> set[Film]:
    """A fixed pseudo-random `share` of the films, at least one if there are two and a share is asked for."""
    distinct = sorted(set(films), key=lambda film: digest(list(film), 64))
    wanted = round(share * len(distinct))
    if share > 0 and len(distinct) > 1:
        wanted = min(max(wanted, 1), len(distinct) - 1)
    return set(distinct[:wanted])


class Batches:
    """The questions of every step: a function of the seed and the step alone, so a position is a step number.

    With `clips_per_batch` c, every clip's questions are cut into pieces of at most batch / c and a batch is c pieces,
    so that questions share their clip's prefix; else questions come one by one. Each epoch has every question once.
    """

    def __init__(self, questions: Sequence[Question], settings: TrainSettings):
        self.questions = questions
        self.seed, self.batch = settings.seed, settings.batch
        self.clips_per_batch = settings.clips_per_batch
        self.clips = list(by_clip(questions).values())
        self.per_epoch = len(self._epoch(0))
        self.steps = settings.max_steps or settings.epochs * self.per_epoch
        self._cached: tuple[int, list[list[Question]]] = (-1, [])

    def __getitem__(self, step: int) -> list[Question]:
        epoch, position = divmod(step, self.per_epoch)
        if self._cached[0] != epoch:
            self._cached = (epoch, self._epoch(epoch))
        return self._cached[1][position]

    def _epoch(self, epoch: int) -> list[list[Question]]:
        rng = np.random.default_rng([self.seed, epoch])
        if self.clips_per_batch is None:
            return _chunks(_shuffled(self.questions, rng), self.batch)
        size = math.ceil(self.batch / self.clips_per_batch)
        pieces = [piece for members in self.clips for piece in _chunks(_shuffled(members, rng), size)]
        batches = _chunks(_shuffled(pieces, rng), self.clips_per_batch)
        return [[question for piece in batch for question in piece] for batch in batches]


def _shuffled(items: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    return [items[index] for index in rng.permutation(len(items))]


def _chunks(items: list[Item], size: int) -> list[list[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def rollout_seed(run_seed: int, step: int, qa_id: str, attempt: int = 0) -> int:
    """63-bit seed of one question's candidates at one step, the same however the batch is split.

    Args:
        attempt: which drawing it is; later ones follow groups of equal rewards.
    """
    text = f"{run_seed}/{step}/{qa_id}" + (f"/{attempt}" if attempt else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def share_out(questions: Sequence[Question], n_frames: dict[str, int], ranks: int) -> list[list[Question]]:
    """Splits a batch over ranks by clip, longest clips first onto the least loaded rank."""
    clips = by_clip(questions)
    shares: list[list[Question]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    for clip in sorted(clips, key=lambda clip: (-n_frames[clip], clip)):
        rank = loads.index(min(loads))
        loads[rank] += n_frames[clip]
        shares[rank] += clips[clip]
    return shares


def micro_batches(questions: Sequence[Question], n_frames: dict[str, int], clips: int) -> list[list[Question]]:
    """Cuts a share into parts of at most `clips` clips of similar length, so that little is padding."""
    order = sorted(dict.fromkeys(question.clip_id for question in questions), key=lambda clip: (n_frames[clip], clip))
    parts = math.ceil(len(order) / clips)
    cuts = [len(order) * part // parts for part in range(parts + 1)] if parts else []
    groups = [set(order[start:end]) for start, end in itertools.pairwise(cuts)]
    return [[question for question in questions if question.clip_id in group] for group in groups]
