"""Which questions a run learns from: those the variance filter kept, as many at random, or all (`train.questions`)."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from refocus.config.train import TrainSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.records import Question, read_columns, read_questions

log = logging.getLogger(__name__)


def read_training_questions(
    pairs: Path, settings: TrainSettings, variance: Path | None = None, pool: Sequence[Path] = ()
) -> list[Question]:
    """The questions of a run. What the filter left out for another reason than its variance (a copy, a leak, too few
    subsets, no rewards) stays out; how many that are is logged.

    Args:
        pairs: what the filter kept.
        variance: the filter's table of every question; pool: the question files behind it. Only for `questions:
            random` and `all`.
    Raises:
        UsageError: they are needed and not given.
        RefocusError: a question of the table is in none of the files.
    """
    if settings.questions == "filtered":
        return read_questions(pairs)
    if variance is None or not pool:
        raise UsageError(f"train.questions: {settings.questions} needs --variance and --qa, the filter's inputs")
    usable, left_out = _usable(variance)
    wanted = usable
    if settings.questions == "random":
        wanted = draw(usable, len(read_columns(pairs, ["qa_id"])), settings.seed)
    ids = pa.array(wanted, pa.string())
    questions = [question for path in pool for question in read_questions(path, ids)]
    if len(questions) != len(ids):
        raise RefocusError(f"{variance}: {len(ids) - len(questions)} of its questions are in none of the files of --qa")
    reasons = ", ".join(f"{flag} {count}" for flag, count in sorted(left_out.items())) or "none"
    log.info(
        "train.questions: %s: %d of %d questions with a usable variance; left out for other reasons: %s",
        settings.questions,
        len(questions),
        len(usable),
        reasons,
    )
    return questions


def draw(ids: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` of the ids without repeats, by the seed and whatever their order."""
    return np.random.default_rng(seed).choice(sorted(ids), count, replace=False).tolist()


def _usable(variance: Path) -> tuple[list[str], Counter[str]]:
    """The ids whose variance decides, and how many have which reason why it does not."""
    table = read_columns(variance, ["qa_id", "flag"]).to_pydict()
    usable = [qa_id for qa_id, flag in zip(table["qa_id"], table["flag"], strict=True) if not flag]
    return usable, Counter(flag for flag in table["flag"] if flag)
