"""Tables 1 and 4 of the paper, and the table of the synthetic world, from all answers there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from refocus.config.tables import TablesSettings
from refocus.evaluate.answers import OPEN, UNREADABLE
from refocus.evaluate.scoring import Outcome, Score, Statistic, accuracy, common, gain, share_closed
from refocus.report.published import published
from refocus.report.results import ORACLE, UNIFORM, WORLD_GROUPS, BenchmarkData, ResultRow, Results
from refocus.report.table_files import Cell, Table
from refocus.select.selections import ALONE, NO_FRAMES, NOT_ASKED

DURATIONS = ("short", "medium", "long")
FLAG_NOTES = {
    NO_FRAMES: "answers without any decoded frame count as wrong",
    UNREADABLE: "answers whose picked frames could not be read from the video count as wrong",
    ALONE: "answers of `swapped` to a question alone on its clip are not counted",
    OPEN: "answers to open questions are not counted",
    NOT_ASKED: "answers of `confidence` to questions with too few or too many options for the LMM",
}


@dataclass(frozen=True)
class Column:
    """A figure of a benchmark: which of its questions, and how their results become one number."""

    benchmark: str
    group: str
    keep: Callable[[Outcome], bool] = lambda outcome: True
    statistic: Statistic = "micro"

    @property
    def key(self) -> str:
        """`videomme.short`."""
        return f"{self.benchmark}.{self.group}"


def columns_of(benchmark: BenchmarkData) -> list[Column]:
    """Duration groups where questions have them, MLVU's macro average, and overall accuracy."""
    if benchmark.format == "mlvu":
        return [Column(benchmark.name, "m-avg", statistic="macro"), Column(benchmark.name, "overall")]
    present = {flag.removeprefix("duration:") for question in benchmark.questions for flag in question.flags}
    return [_duration(benchmark.name, name) for name in DURATIONS if name in present] + [
        Column(benchmark.name, "overall")
    ]


def _duration(benchmark: str, name: str) -> Column:
    return Column(benchmark, name, lambda outcome: f"duration:{name}" in outcome.flags)


def table1(results: Results, frames: int, settings: TablesSettings) -> Table:
    """LMM x selector against the benchmarks' groups, at one number of frames (paper Table 1)."""
    columns = [column for benchmark in results.benchmarks.values() for column in columns_of(benchmark)]
    body = []
    for lmm in results.lmms:
        for row in results.rows:
            cells = tuple(_cell(results, lmm, row, column, frames, settings, table=1) for column in columns)
            body.append(((lmm, row.name), cells))
    titles = tuple((column.key, f"{column.benchmark} {column.group}{_count(results, column)}") for column in columns)
    title = f"Table 1: accuracy in % with {frames} frames{_world(results)}"
    notes = ["in brackets: gain over uniform sampling in the same harness", *_notes(results)]
    if any(column.statistic == "macro" for column in columns):
        notes.insert(1, "m-avg: unweighted mean of the task types' accuracies")
    return Table(title, ("LMM", "selector"), titles, tuple(body), tuple(notes))


def table4(results: Results, settings: TablesSettings) -> Table:
    """Number of frames against LMMs, one block per benchmark and selector (paper Table 4)."""
    body = []
    for benchmark in results.benchmarks.values():
        column = next(c for c in reversed(columns_of(benchmark)) if c.group == "overall")
        for row in results.rows:
            for frames in results.frames:
                cells = tuple(_cell(results, lmm, row, column, frames, settings, table=4) for lmm in results.lmms)
                body.append(((benchmark.name, row.name, results.trained_at(row), f"{frames} frm"), cells))
    titles = tuple((lmm, lmm) for lmm in results.lmms)
    title = f"Table 4: overall accuracy in % by number of frames{_world(results)}"
    notes = (
        "in brackets: gain over uniform sampling with the same number of frames",
        "trained at: frames per subset in training; with fewer, the first picks of the same rollout",
        *_notes(results),
    )
    return Table(title, ("benchmark", "selector", "trained at", "frames"), titles, tuple(body), notes)


def world_table(
    results: Results, frames: Sequence[int], settings: TablesSettings, detail: bool = False
) -> Table | None:
    """Questions on two moments (where there are any), on one, and static ones, all benchmarks of the world together.

    With `detail`, each kind of question also has its column. `closed` is the share of the distance from uniform to
    oracle that a selector covers on questions on one moment.
    None if no benchmark is of the synthetic world.
    """
    worlds = [benchmark for benchmark in results.benchmarks.values() if benchmark.is_world]
    if not worlds:
        return None
    categories = [question.category for benchmark in worlds for question in benchmark.questions]
    kinds = sorted(set(categories) if detail else ())
    counts = {group: sum(name.startswith(group) for name in categories) for group in WORLD_GROUPS}
    two = ("sequence/",) if counts["sequence/"] else ()
    body = []
    for lmm in results.lmms:
        for n in frames:
            for row in results.rows:
                ours = _pooled(results, lmm, row, worlds, n)
                base = _pooled(results, lmm, UNIFORM, worlds, n)
                best = _pooled(results, lmm, ORACLE, worlds, n)
                cells = [_group_cell(row, ours, base, group, settings) for group in (*two, "moment/", "static/")]
                cells.insert(-1, _closed(ours, base, best))
                cells += [_group_cell(None, ours, base, kind, settings) for kind in kinds]
                body.append(((lmm, row.name, str(n)), tuple(cells)))
    columns = (
        *((group[:-1], f"two moments (n={counts[group]})") for group in two),
        ("moment", f"moment-dependent (n={counts['moment/']})"),
        ("closed", "uniform→oracle closed"),
        ("static", f"static (n={counts['static/']})"),
        *((kind, kind) for kind in kinds),
    )
    names = ", ".join(benchmark.name for benchmark in worlds)
    title = f"Synthetic world: accuracy in % on held-out videos ({names})"
    notes = [
        f"in square brackets: {settings.confidence_level:.0%} interval; in round brackets: gain over uniform sampling",
        *["questions on two moments need frames of two events that belong together"] * bool(two),
        "moment-dependent questions can only be answered from frames of one event; static ones from any frame",
        "swapped: the policy's own picks, made for another question about the same video",
        *_notes(results),
    ]
    return Table(title, ("LMM", "selector", "frames"), columns, tuple(body), tuple(notes))


def _cell(
    results: Results, lmm: str, row: ResultRow, column: Column, frames: int, settings: TablesSettings, table: int
) -> Cell:
    ours = [o for o in results.outcomes(lmm, row, column.benchmark, frames) if column.keep(o)]
    base = [o for o in results.outcomes(lmm, UNIFORM, column.benchmark, frames) if column.keep(o)]
    lead = gain(ours, base, column.statistic, **_intervals(settings)) if base and row != UNIFORM else None
    paper = None
    if settings.published:
        form = results.benchmarks[column.benchmark].format
        paper = published(table, results.lmm_path(lmm), form, column.group, frames, row.selectors[0])
    return Cell(
        score=accuracy(ours, column.statistic, **_intervals(settings)),
        gain=lead,
        paper=paper.value if paper else None,
        paper_gain=paper.gain if paper else None,
    )


def _group_cell(
    row: ResultRow | None, counted: list[Outcome], base: list[Outcome], prefix: str, settings: TablesSettings
) -> Cell:
    """A group of world questions; with a gain and a visible interval where `row` is given."""
    ours = [outcome for outcome in counted if outcome.category.startswith(prefix)]
    theirs = [outcome for outcome in base if outcome.category.startswith(prefix)]
    wanted = row is not None and row != UNIFORM and theirs
    lead = gain(ours, theirs, **_intervals(settings)) if wanted else None
    return Cell(accuracy(ours, **_intervals(settings)), lead, interval=row is not None)


class _Intervals(TypedDict):
    """How the intervals of scores are made."""

    level: float
    resamples: int
    seed: int


def _intervals(settings: TablesSettings) -> _Intervals:
    return {"level": settings.confidence_level, "resamples": settings.bootstrap_resamples, "seed": settings.seed}


def _closed(counted: list[Outcome], base: list[Outcome], best: list[Outcome]) -> Cell:
    if not counted or not base or not best:
        return Cell(why="not run")
    moments = [outcome for outcome in counted if outcome.category.startswith("moment/")]
    ours, low = common(moments, base)
    _, high = common(moments, best)
    share = share_closed(_mean(ours), _mean(low), _mean(high))
    return Cell(why="–") if share is None else Cell(Score(share, None, None, len(ours)))


def _pooled(results: Results, lmm: str, row: ResultRow, worlds: Sequence[BenchmarkData], frames: int) -> list[Outcome]:
    """Results on all world benchmarks together; empty where one of them is missing."""
    parts = [results.outcomes(lmm, row, benchmark.name, frames) for benchmark in worlds]
    return [outcome for part in parts for outcome in part] if all(parts) else []


def _mean(counted: Sequence[Outcome]) -> float | None:
    return sum(outcome.correct for outcome in counted) / len(counted) if counted else None


def _count(results: Results, column: Column) -> str:
    questions = results.benchmarks[column.benchmark].questions
    if column.group not in DURATIONS:
        return f" (n={len(questions)})"
    return f" (n={sum(f'duration:{column.group}' in question.flags for question in questions)})"


def _world(results: Results) -> str:
    return " (synthetic world)" if any(benchmark.is_world for benchmark in results.benchmarks.values()) else ""


def _notes(results: Results) -> list[str]:
    return [f"{count} {FLAG_NOTES.get(flag, flag)}" for flag, count in sorted(results.flag_counts().items())]
