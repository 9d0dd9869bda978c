"""What recall is measured on: groups of questions whose evidence is known, and every selector's picks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.config.variants import Variant
from refocus.core import parquet
from refocus.core.files import settings_of
from refocus.evaluate.scoring import Score
from refocus.frames.frame_store import FrameStore
from refocus.qa.evidence import Evidence, datasets_in, read_evidence, visible
from refocus.qa.loose_values import Span
from refocus.qa.records import Question
from refocus.report.recall import Sought, everywhere, mean_of
from refocus.report.results import WORLD_GROUPS, BenchmarkData, ResultRow, read_benchmark, result_rows
from refocus.select.picks import Selection
from refocus.select.selections import add_selections, frames_of, tables_below

Picked = Mapping[tuple[str, int], Mapping[str, Selection]]  # by selector and number of frames, then by qa_id


@dataclass
class SoughtGroup:
    """Questions that are counted together, and how many were passed over for which reason."""

    name: str
    sought: list[Sought] = field(default_factory=list)
    unknown: int = 0
    everywhere: int = 0
    unreadable: int = 0

    def add(self, questions: Iterable[Question], truth: Evidence, store: FrameStore) -> None:
        """Counts some questions."""
        for question in questions:
            spans = truth.of(question)
            times = tuple(store.record(question.clip_id).timestamps_s) if question.clip_id in store else ()
            if not spans:
                self.unknown += 1
            elif not times:
                self.unreadable += 1
            elif everywhere(spans, times):
                self.everywhere += 1
            else:
                self.sought.append(Sought(question, tuple(visible(span, times) for span in spans), times))


@dataclass(frozen=True)
class RecallSet:
    """Everything the table and the figure of recall are made from.

    frames: numbers of picks. rows: selectors, and the mean of those that differ in their seed alone. is_world: whether
    all videos are of the synthetic world.
    """

    groups: Sequence[SoughtGroup]
    picked: Picked
    frames: Sequence[int]
    rows: Sequence[ResultRow]
    level: float
    is_world: bool

    def score(self, measure: str, group: SoughtGroup, row: ResultRow, frames: int) -> Score | None:
        """One of `recall.MEASURES`; None where the picks were not made."""
        runs = [self.picked.get((selector, frames), {}) for selector in row.selectors]
        return mean_of(measure, group.sought, runs, self.level) if all(runs) else None


def read_recall_set(
    questions: Iterable[Path],
    truth: Iterable[Path],
    selections: Iterable[Path],
    indexes: Iterable[Path],
    variants: Sequence[Variant],
    level: float,
) -> RecallSet:
    """Reads it; a benchmark without evidence has no group.

    Raises:
        UsageError: two files hold picks of one selector for the same questions and number of frames.
        RefocusError: a table is missing or none of its kind.
    """
    benchmarks = [read_benchmark(path) for path in questions]
    known, store = read_truth(truth, benchmarks), FrameStore.open(indexes)
    picked: dict[tuple[str, int], dict[str, Selection]] = {}
    for file in tables_below(selections):
        key = settings_of(parquet.read_schema(file))["selector"], frames_of(file)
        add_selections(picked.setdefault(key, {}), file)
    return RecallSet(
        groups=_groups(benchmarks, known, store),
        picked=picked,
        frames=sorted({frames for _, frames in picked}),
        rows=result_rows({selector for selector, _ in picked}, variants),
        level=level,
        is_world=all(benchmark.is_world or benchmark.is_haystacks for benchmark in benchmarks),
    )


def read_truth(paths: Iterable[Path], benchmarks: Iterable[BenchmarkData]) -> Evidence:
    """The evidence of all benchmarks, from tables in any order.

    A table that is about none of them serves, as everywhere, the benchmarks under other names that no table is about.
    """
    names = [benchmark.name for benchmark in benchmarks]
    about = {path: datasets_in(path) for path in paths}
    spans: dict[str | tuple[str, str], list[Span]] = {}
    for name in names:
        own = [path for path, datasets in about.items() if name in datasets]
        for path in own or [path for path, datasets in about.items() if not datasets & set(names)]:
            spans.update(read_evidence(path, name).spans)
    return Evidence(spans, complete=False)


def _groups(benchmarks: Sequence[BenchmarkData], truth: Evidence, store: FrameStore) -> list[SoughtGroup]:
    """By what must be seen in the synthetic world, whose benchmarks are of one kind; else a group per benchmark."""
    groups: dict[str, SoughtGroup] = {}
    for benchmark in benchmarks:
        parts = {benchmark.name: list(benchmark.questions)}
        if benchmark.is_world:
            parts = {
                name: [q for q in benchmark.questions if q.category.startswith(prefix)]
                for prefix, name in WORLD_GROUPS.items()
            }
        for name, asked in parts.items():
            groups.setdefault(name, SoughtGroup(name)).add(asked, truth, store)
    return list(groups.values())
