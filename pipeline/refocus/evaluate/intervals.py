"""Means over questions and their differences, with intervals over videos (the clips that questions are about).

v videos
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from refocus.evaluate.scoring import Outcome, common, mean_outcomes

Runs = Sequence[Sequence[Outcome]]  # results of one setting, one list per training seed


@dataclass(frozen=True)
class Interval:
    """A mean or difference as a fraction; low and high are None with fewer than two videos."""

    value: float
    low: float | None
    high: float | None
    questions: int
    videos: int


def mean_over_videos(runs: Runs, level: float = 0.95) -> Interval | None:
    """The mean over questions of one setting, its runs averaged, with an interval as in `paired`; None without any.

    A share of right answers: the interval is cut at 0 and 1.
    """
    counted = _averaged(runs)
    if not counted:
        return None
    found = _interval({o.qa_id: o.correct for o in counted}, counted, level)
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def paired(ours: Runs, theirs: Runs, level: float = 0.95) -> Interval | None:
    """Difference of two means over the questions both answered, paired, with an interval over videos.

    Each question's result is first averaged over the training seeds; a question's difference is one number. Questions
    about one video are not independent (they share its frames and its difficulty), and more seeds or questions of the
    same videos are no more videos, so videos are what is resampled in thought: the standard error is that of a ratio
    estimator whose clusters are videos, sum over v of (D_v - d n_v)^2, times v / (v - 1), over the squared number of
    questions (D_v the summed difference of a video's n_v questions, d the mean), with Student's t at v - 1 degrees of
    freedom. With equally many questions on every video this is the paired t interval over per-video means; unlike
    that, it belongs to the mean over questions that the tables show, and unlike a bootstrap over videos it needs no
    draws and is not too narrow with few videos.

    It says how the difference would vary with other videos, the trained policies staying what they are; what another
    seed of training would change is seen beside it, in the seeds' own values. Questions that do not differ at all give
    an interval of width 0.
    """
    one, other = common(_averaged(ours), _averaged(theirs))
    if not one:
        return None
    return _interval({a.qa_id: a.correct - b.correct for a, b in zip(one, other, strict=True)}, one, level)


def unpaired(ours: Runs, theirs: Runs, level: float = 0.95) -> Interval | None:
    """Difference of two means over questions about different videos, with Welch's interval over videos."""
    one, other = mean_over_videos(ours, level), mean_over_videos(theirs, level)
    if one is None or other is None:
        return None
    value, questions, videos = one.value - other.value, one.questions + other.questions, one.videos + other.videos
    if min(one.videos, other.videos) < 2:
        return Interval(value, None, None, questions, videos)
    parts = [(_error(_averaged(runs)) ** 2, side.videos - 1) for runs, side in ((ours, one), (theirs, other))]
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts) if variance else 1.0
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return Interval(value, value - half, value + half, questions, videos)


def _averaged(runs: Runs) -> list[Outcome]:
    """Each question's mean over runs; nothing where a run has no results."""
    return mean_outcomes(runs) if runs and all(runs) else []


def _interval(values: Mapping[str, float], counted: Sequence[Outcome], level: float) -> Interval:
    """Mean of the values by qa_id with its interval over the videos of `counted`."""
    mean, error, videos = _ratio([values[o.qa_id] for o in counted], [o.clip_id for o in counted])
    if videos < 2:
        return Interval(mean, None, None, len(counted), videos)
    half = float(stats.t.ppf((1 + level) / 2, videos - 1)) * error
    return Interval(mean, mean - half, mean + half, len(counted), videos)


def _error(counted: Sequence[Outcome]) -> float:
    return _ratio([o.correct for o in counted], [o.clip_id for o in counted])[1]


def _ratio(values: Sequence[float], videos: Sequence[str]) -> tuple[float, float, int]:
    """Mean of the values, its standard error over videos (0 with one), and how many videos there are."""
    place = {video: row for row, video in enumerate(dict.fromkeys(videos))}
    rows = [place[video] for video in videos]
    sums, counts = np.bincount(rows, weights=values), np.bincount(rows)  # (v,)
    mean = float(np.mean(values))
    residuals = sums - mean * counts
    v = len(place)
    error = math.sqrt(v / (v - 1) * float(residuals @ residuals)) / len(values) if v > 1 else 0.0
    return mean, error, v
