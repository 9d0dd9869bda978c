"""The reward pass over one shard (paper A.1): 16 subsets of every question, each unique frame encoded once."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from refocus.config.reward import RewardSettings
from refocus.core.errors import UsageError
from refocus.core.progress import bar
from refocus.frames.index import ClipFrames
from refocus.lmm.option_scorer import Lmm
from refocus.lmm.score_subsets import ClipFeatures, option_logits, score_subsets
from refocus.qa.records import Question, by_clip
from refocus.reward.margin import margins
from refocus.reward.margin_cache import MarginCache
from refocus.reward.margin_table import MARGIN_SCHEMA, Margin, Skipped, margins_table
from refocus.reward.prefetch import Prefetcher
from refocus.reward.windows import Subset, subsets

UNKNOWN_SHARE = 0.1  # of the tokens of a shard's questions, above which a warning says so

log = logging.getLogger(__name__)


class FrameReader(Protocol):
    """What the pass needs of a `FrameStore`."""

    def clips(self) -> list[str]: ...

    def record(self, clip_id: str) -> ClipFrames: ...

    def images(self, clip_id: str, indices: Sequence[int] | None = None, size: int | None = None) -> np.ndarray: ...


@dataclass(frozen=True)
class ClipTask:
    """What is left to compute for one clip."""

    clip: ClipFrames
    done: pa.Table
    questions: tuple[Question, ...]
    subsets: tuple[Subset, ...]

    @property
    def clip_id(self) -> str:
        """The clip's id."""
        return self.clip.clip_id

    @property
    def needed(self) -> list[int]:
        """Every frame of some subset, once."""
        return sorted({frame for subset in self.subsets for frame in subset.frames})


@dataclass(frozen=True)
class ShardMargins:
    """A shard's margins, in the order of its questions, and the questions without usable ones."""

    margins: pa.Table
    skipped: list[Skipped]


def questions_of(questions: Sequence[Question], frames: FrameReader, where: object) -> list[Question]:
    """Those about the clips of one shard: by hand, a data set's whole question file may come with one of its shards.

    Raises:
        UsageError: there are questions and none is about any of the clips; `where` names them.
    """
    clips = set(frames.clips())
    chosen = [question for question in questions if question.clip_id in clips]
    if questions and not chosen:
        raise UsageError(f"none of the {len(questions)} questions is about a clip of {where}")
    if len(chosen) < len(questions):
        outside = len(questions) - len(chosen)
        log.warning("%d of %d questions are about clips outside %s", outside, len(questions), where)
    return chosen


@dataclass(frozen=True)
class _Work:
    """What a shard's questions come to before anything is computed."""

    usable: list[Question]
    skipped: list[Skipped]
    known: dict[str, pa.Table]  # stored margins by clip
    tasks: list[ClipTask]


def score_shard(
    load: Callable[[], Lmm],
    frames: FrameReader,
    questions: Sequence[Question],
    settings: RewardSettings,
    cache: MarginCache,
) -> ShardMargins:
    """Scores every question that can be scored; what `cache` already holds is not computed again.

    Args:
        load: gives the LMM; called only where something is left to compute.
    Raises:
        RefocusError: frames cannot be read.
    """
    work = _work(questions, frames, settings, cache)
    if work.tasks:
        lmm = load()
        work = _work(questions, frames, settings, cache, lmm.max_options)
    if work.tasks:
        _score(lmm, frames, work, settings, cache)
    elif work.known:
        log.info("all %d clips were scored before", len(work.known))
    table = pa.concat_tables([MARGIN_SCHEMA.empty_table(), *work.known.values()])
    table = _in_order(table, [question.qa_id for question in work.usable])
    return ShardMargins(table, work.skipped + _not_finite(table, work.usable))


def _work(
    questions: Sequence[Question],
    frames: FrameReader,
    settings: RewardSettings,
    cache: MarginCache,
    max_options: float = math.inf,
) -> _Work:
    """Stored margins and what they lack. Without a model's own `max_options` it may be too much, never too little."""
    usable, skipped = _split(questions, frames, max_options)
    known: dict[str, pa.Table] = {}
    tasks = []
    for clip_id, asked in by_clip(usable).items():
        record = frames.record(clip_id)
        done = _regraded(cache.read(record), asked)
        finished = set(done["qa_id"].to_pylist())
        missing = tuple(question for question in asked if question.qa_id not in finished)
        known[clip_id] = done
        if missing:
            tasks.append(ClipTask(record, done, missing, _subsets(record.n_frames, settings)))
    return _Work(usable, skipped, known, tasks)


def _score(lmm: Lmm, frames: FrameReader, work: _Work, settings: RewardSettings, cache: MarginCache) -> None:
    """Computes and stores what is missing, clip by clip, and puts it among what is known."""
    known, tasks = work.known, work.tasks
    _warn_of_unknown_words(lmm.tokenizer, [question for task in tasks for question in task.questions])
    if len(tasks) < len(known):
        log.info("%d of %d clips were scored before", len(known) - len(tasks), len(known))
    prefetcher = Prefetcher(frames, tasks, lmm.frame_size, settings.runtime.readers, pinned=lmm.device.type == "cuda")
    with bar(total=len(tasks), desc="reward", unit="clip") as progress:
        for task, images in zip(tasks, prefetcher, strict=True):
            table = pa.concat_tables([task.done, margins_table(score_clip(lmm, images, task))])
            cache.write(task.clip, table)
            known[task.clip_id] = table
            progress.update()
    if tasks:
        log.info("the model waited for frames in %.1f %% of %.1f s", 100 * prefetcher.share_waited, prefetcher.total_s)
        counts = lmm.work
        log.info(
            "%d images went through the vision tower, %d frames and %d tokens of questions through the decoder",
            *(counts.frames, counts.slots, counts.suffix_tokens),
        )


def _warn_of_unknown_words(tokenizer: Any, questions: Sequence[Question]) -> None:
    """Says so where an LMM cannot read what it is asked, as one of the synthetic world cannot read real questions."""
    if tokenizer.unk_token_id is None:
        return
    texts = [" ".join([question.question, *question.options]) for question in questions]
    ids = [token for row in tokenizer(texts, add_special_tokens=False).input_ids for token in row]
    share = ids.count(tokenizer.unk_token_id) / max(1, len(ids))
    if share > UNKNOWN_SHARE:
        percent = 100 * share
        log.warning("%.0f %% of the words asked are unknown to the LMM's tokenizer: its margins mean little", percent)


def score_clip(lmm: Lmm, images: Tensor | np.ndarray, task: ClipTask) -> list[Margin]:
    """The margins of a clip's questions on all its subsets.

    Args:
        images: (f, s, s, 3) uint8, the frames `task.needed` in that order.
    Returns:
        One row per (question, subset), question by question.
    """
    rows = [(subset.frames, number) for number in range(len(task.questions)) for subset in task.subsets]
    times_s = [task.clip.timestamps_s[frame] for frame in task.needed]
    clips = {task.clip_id: ClipFeatures(task.needed, lmm.encode(images), times_s)}
    raw = score_subsets(lmm, clips, task.questions, rows)
    logits = [option_logits(variants) for variants in raw]
    found = margins(logits, [task.questions[number].answer_index for _, number in rows])
    asked = [(question, subset) for question in task.questions for subset in task.subsets]
    return [
        Margin(
            qa_id=question.qa_id,
            subset=subset.index,
            frame_indices=subset.frames,
            logits=tuple(z.tolist()),
            logits_raw=tuple(map(tuple, variants.tolist())),
            margin=float(value),
        )
        for (question, subset), z, variants, value in zip(asked, logits, raw, found, strict=True)
    ]


def _split(
    questions: Sequence[Question], frames: FrameReader, max_options: float
) -> tuple[list[Question], list[Skipped]]:
    """Questions that can be scored, and the others with their reason."""
    present = set(frames.clips())
    usable, skipped = [], []
    for question in questions:
        reason, detail = _obstacle(question, frames, present, max_options)
        if reason:
            skipped.append(Skipped(question.qa_id, question.clip_id, reason, detail))
        else:
            usable.append(question)
    return usable, skipped


def _obstacle(question: Question, frames: FrameReader, present: set[str], max_options: float) -> tuple[str, str]:
    count = len(question.options)
    if question.clip_id not in present:
        return "clip_missing", f"{question.video_path} is not in the index"
    record = frames.record(question.clip_id)
    if record.status == "failed":
        return "clip_failed", record.error or question.video_path
    if not record.n_frames:
        return "no_frames", question.video_path
    if question.answer_index < 0:
        return "open_question", "no options to choose from"
    if not 2 <= count <= max_options:
        return "options", f"{count} options; the model scores 2 to {max_options}"
    if question.answer_index >= count:
        return "bad_answer", f"answer {question.answer_index} of {count} options"
    return "", ""


def _subsets(n_frames: int, settings: RewardSettings) -> tuple[Subset, ...]:
    return tuple(subsets(n_frames, settings.frames_per_subset, settings.windows, settings.sampling))


def _regraded(table: pa.Table, questions: Sequence[Question]) -> pa.Table:
    """Stored rows of these questions; margins anew, for an answer key may have been corrected since."""
    answers = {question.qa_id: question.answer_index for question in questions}
    table = table.filter(pc.is_in(table["qa_id"], pa.array(answers, pa.string())))
    fresh = pa.array(margins(table["logits"].to_pylist(), [answers[qa_id] for qa_id in table["qa_id"].to_pylist()]))
    return table.set_column(MARGIN_SCHEMA.get_field_index("margin"), MARGIN_SCHEMA.field("margin"), fresh)


def _in_order(table: pa.Table, qa_ids: list[str]) -> pa.Table:
    """Rows sorted by the questions' order, then by subset: the same bytes however often the job was killed."""
    place = pc.index_in(table["qa_id"], pa.array(qa_ids, pa.string()))
    order = np.lexsort((table["subset"].to_numpy(), place.to_numpy()))
    return table.take(pa.array(order))


def _not_finite(table: pa.Table, questions: Sequence[Question]) -> list[Skipped]:
    bad = table.filter(pc.invert(pc.is_finite(table["margin"])))
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(bad["qa_id"]).to_pylist()}
    return [
        Skipped(
            question.qa_id, question.clip_id, "not_finite", f"{counts[question.qa_id]} subsets have no finite logits"
        )
        for question in questions
        if question.qa_id in counts
    ]
