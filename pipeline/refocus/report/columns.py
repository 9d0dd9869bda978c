"""Which figures a benchmark is reported by: the groups of its authors, and how a group's answers become one number.

Video-MME: short, medium, long and overall, all over questions (equal groups: overall is their mean too).
LongVideoBench: its four groups of duration, and overall over questions; lmms-eval returns the latter.
MLVU dev: m-avg is the unweighted mean of its tasks' accuracies (authors, lmms-eval), overall is over questions
(VLMEvalKit).
Video-MMMU: its three tracks over questions, and overall as their unweighted mean; the gain of knowledge is in Table 2.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from refocus.evaluate.scoring import Statistic
from refocus.qa.records import Question
from refocus.report.results import BenchmarkData

DURATIONS = ("short", "medium", "long")
SECONDS = ("15", "60", "600", "3600")  # LongVideoBench's duration_group: videos of up to so many
TRACKS = ("Perception", "Comprehension", "Adaptation")
MACRO_NOTES = {
    "mlvu": "m-avg: unweighted mean of the task types' accuracies",
    "videommmu": "overall of Video-MMMU: unweighted mean of its tracks",
}


class Grouped(Protocol):
    """A question or its outcome, as far as groups go."""

    @property
    def category(self) -> str: ...

    @property
    def flags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Column:
    """A figure of a benchmark: which of its questions, and how their results become one number."""

    benchmark: str
    group: str
    keep: Callable[[Grouped], bool] = lambda asked: True
    statistic: Statistic = "micro"

    @property
    def key(self) -> str:
        """`videomme.short`."""
        return f"{self.benchmark}.{self.group}"

    def count(self, questions: Iterable[Question]) -> int:
        """How many of the questions it is about."""
        return sum(self.keep(question) for question in questions)


def columns_of(benchmark: BenchmarkData) -> list[Column]:
    """The figures of a benchmark, `overall` last."""
    name = benchmark.name
    if benchmark.format == "mlvu":
        return [Column(name, "m-avg", statistic="macro"), Column(name, "overall")]
    if benchmark.format == "videommmu":
        asked = {question.category for question in benchmark.questions}
        tracks = [_of_category(name, track) for track in TRACKS if track in asked]
        return [*tracks, Column(name, "overall", statistic="macro")]
    present = {flag for question in benchmark.questions for flag in question.flags}
    groups = {f"duration:{group}": group for group in DURATIONS}
    groups |= {f"duration_group:{seconds}": f"{seconds} s" for seconds in SECONDS}
    shown = [_flagged(name, group, flag) for flag, group in groups.items() if flag in present]
    return [*shown, Column(name, "overall")]


def overall(benchmark: BenchmarkData) -> Column:
    """The figure that stands for the whole benchmark."""
    return columns_of(benchmark)[-1]


def _flagged(benchmark: str, group: str, flag: str) -> Column:
    return Column(benchmark, group, lambda asked: flag in asked.flags)


def _of_category(benchmark: str, category: str) -> Column:
    return Column(benchmark, category.lower(), lambda asked: asked.category == category)
