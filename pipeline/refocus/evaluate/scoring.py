"""Accuracy with its uncertainty, and gains over a baseline on the same questions.

What is resampled are clips, in a benchmark its videos: questions about one video share its frames and its difficulty.

c clips · k categories · r resamples
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from refocus.evaluate.answers import OPEN, UNREADABLE, Answer
from refocus.qa.records import Question
from refocus.select.selections import ALONE, NO_FRAMES

Statistic = Literal["micro", "macro"]
NOT_COUNTED = frozenset({OPEN, ALONE})
NO_VIDEO = frozenset({NO_FRAMES, UNREADABLE})  # the LMM was shown nothing


@dataclass(frozen=True)
class Outcome:
    """How one question went.

    correct: 0 or 1; a fraction where several runs are averaged. n_frames: how many the LMM was shown; the fewest of
    several runs.
    """

    qa_id: str
    clip_id: str
    category: str
    flags: tuple[str, ...]
    correct: float
    n_frames: int = 0


@dataclass(frozen=True)
class Score:
    """A fraction with its interval and the number of questions behind it; low and high are None without one."""

    value: float
    low: float | None
    high: float | None
    n: int


def outcomes(questions: Iterable[Question], answers: Mapping[str, Answer]) -> list[Outcome]:
    """The questions that count, with their results.

    Not those of `without_video`, nor open questions, nor questions alone on their clip (selector `swapped`).
    """
    aside = NOT_COUNTED | NO_VIDEO
    return [
        _outcome(question, answer)
        for question in questions
        if (answer := answers.get(question.qa_id)) is not None and not aside & set(answer.flags)
    ]


def without_video(questions: Iterable[Question], answers: Mapping[str, Answer]) -> list[Outcome]:
    """The questions that would count if their videos had been there and readable, or if they had been answered at all.

    They are neither right nor wrong: whoever shows a score says how many there are.
    """
    nothing = {True: Answer((), flags=(NO_FRAMES,)), False: Answer((), flags=(OPEN,))}  # open ones are asked by some
    asked = [(question, answers.get(question.qa_id, nothing[bool(question.options)])) for question in questions]
    return [
        _outcome(question, answer)
        for question, answer in asked
        if NO_VIDEO & set(answer.flags) and not NOT_COUNTED & set(answer.flags)
    ]


def _outcome(question: Question, answer: Answer) -> Outcome:
    flags = tuple(question.flags)
    return Outcome(question.qa_id, question.clip_id, question.category, flags, float(answer.correct), answer.n_frames)


def mean_outcomes(runs: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """Averages each question's result over several runs; questions missing in one of them are left out."""
    found = [{outcome.qa_id: outcome for outcome in run} for run in runs]
    every = [name for name in found[0] if all(name in run for run in found)]
    shared = [[run[name] for run in found] for name in every]
    return [
        replace(same[0], correct=sum(o.correct for o in same) / len(same), n_frames=min(o.n_frames for o in same))
        for same in shared
    ]


def wilson(correct: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, spread = correct / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy(
    counted: Sequence[Outcome],
    statistic: Statistic = "micro",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score | None:
    """Accuracy over questions (micro) or the unweighted mean of the categories' accuracies (macro, MLVU's M-avg).

    The interval is a percentile bootstrap over clips. Where all answers are right, or all wrong, resampling shows
    nothing: there it is Wilson's, with as many trials as clips.
    """
    if not counted:
        return None
    sums = _sums([counted], statistic)
    value = float(_value(sums)[0])
    low, high = _interval(sums, level, resamples, seed)
    if low is not None and value in (0.0, 1.0):
        low, high = wilson(value * sums.shape[1], sums.shape[1], level)
    return Score(value, low, high, len(counted))


def gain(
    ours: Sequence[Outcome],
    baseline: Sequence[Outcome],
    statistic: Statistic = "micro",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score | None:
    """Difference of accuracies on the questions both answered, with a bootstrap over clips of the paired difference.

    Without an interval where there are `too_few` clips for one.
    """
    ours, baseline = common(ours, baseline)
    if not ours:
        return None
    sums = _sums([ours, baseline], statistic)
    values = _value(sums)
    low, high = (None, None) if too_few(sums.shape[1], level) else _interval(sums, level, resamples, seed)
    return Score(float(values[0] - values[1]), low, high, len(ours))


def too_few(clips: int, level: float) -> bool:
    """Whether a difference could not be told from chance if all clips agreed on its sign (the sign test).

    At 95 % that is so with fewer than six, where all resamples may lie on one side of 0 and still mean nothing.
    """
    return 2.0 ** (1 - clips) > 1 - level


def common(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """The results of both on the questions both have, in the same order."""
    known = {outcome.qa_id: outcome for outcome in theirs}
    shared = [outcome for outcome in ours if outcome.qa_id in known]
    return shared, [known[outcome.qa_id] for outcome in shared]


def share_closed(value: float | None, low: float | None, high: float | None) -> float | None:
    """Share of the distance from `low` (uniform) to `high` (oracle) that a value covers; None where there is none."""
    if value is None or low is None or high is None or high <= low:
        return None
    return (value - low) / (high - low)


def _sums(runs: Sequence[Sequence[Outcome]], statistic: Statistic) -> np.ndarray:
    """(1 + runs, c, k): number of questions, then correct ones of each run, per clip and category."""
    clips = {clip: row for row, clip in enumerate(dict.fromkeys(outcome.clip_id for outcome in runs[0]))}
    names = dict.fromkeys(outcome.category if statistic == "macro" else "" for outcome in runs[0])
    categories = {name: column for column, name in enumerate(names)}
    sums = np.zeros((1 + len(runs), len(clips), len(categories)))
    for number, run in enumerate(runs, start=1):
        for outcome in run:
            cell = clips[outcome.clip_id], categories[outcome.category if statistic == "macro" else ""]
            sums[number][cell] += outcome.correct
            sums[0][cell] += number == 1
    return sums


def _value(sums: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over categories of correct / questions for each run: (runs,), or (runs, r) with weights (r, c)."""
    totals = sums.sum(1) if weights is None else weights @ sums  # (1 + runs, [r,] k)
    with np.errstate(invalid="ignore"):
        return np.nanmean(totals[1:] / np.where(totals[0] > 0, totals[0], np.nan), axis=-1)


@functools.lru_cache(maxsize=64)
def resampled(clips: int, resamples: int, seed: int) -> np.ndarray:
    """(r, c): how often each clip is drawn; the same for all cells of a table that are about as many clips."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(clips, np.full(clips, 1 / clips), size=resamples).astype(np.uint16)


def _interval(sums: np.ndarray, level: float, resamples: int, seed: int) -> tuple[float | None, float | None]:
    """Percentile bootstrap over clips of the first run's value, or of its lead over the second."""
    clips = sums.shape[1]
    if resamples == 0 or clips < 2:
        return None, None
    values = _value(sums, resampled(clips, resamples, seed).astype(float))
    drawn = values[0] - values[1] if len(values) > 1 else values[0]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
