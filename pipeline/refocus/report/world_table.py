"""The table of the synthetic world: its kinds of questions, and how far from uniform to the oracle a selector gets."""

from collections.abc import Sequence

from refocus.config.tables import TablesSettings
from refocus.evaluate.scoring import Outcome, Score, accuracy, common, gain, share_closed
from refocus.report.harness import STARS, flag_notes, intervals
from refocus.report.results import ORACLE, UNIFORM, WORLD_GROUPS, BenchmarkData, ResultRow, Results
from refocus.report.table_files import Cell, Table


def world_table(
    results: Results, frames: Sequence[int], settings: TablesSettings, detail: bool = False
) -> Table | None:
    """Questions on two moments (where there are any), on one, and on any frame, all benchmarks of the world together.

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
        ("moment", f"one moment (n={counts['moment/']})"),
        ("closed", "uniform→oracle closed"),
        ("static", f"any frame (n={counts['static/']})"),
        *((kind, kind) for kind in kinds),
    )
    names = ", ".join(benchmark.name for benchmark in worlds)
    title = f"Synthetic world: accuracy in % on held-out videos ({names})"
    notes = [
        f"in square brackets: {settings.confidence_level:.0%} interval; in round brackets: gain over uniform sampling",
        STARS.format(level=settings.confidence_level),
        "questions are named by what must be seen to answer them: frames of two events, of one, or any frame",
        "swapped: the policy's own picks, made for another question about the same video",
        *flag_notes(results),
    ]
    return Table(title, ("LMM", "selector", "frames"), columns, tuple(body), tuple(notes))


def _group_cell(
    row: ResultRow | None, counted: list[Outcome], base: list[Outcome], prefix: str, settings: TablesSettings
) -> Cell:
    """A group of world questions; with a gain and a visible interval where `row` is given."""
    ours = [outcome for outcome in counted if outcome.category.startswith(prefix)]
    theirs = [outcome for outcome in base if outcome.category.startswith(prefix)]
    wanted = row is not None and row != UNIFORM and theirs
    lead = gain(ours, theirs, **intervals(settings)) if wanted else None
    return Cell(accuracy(ours, **intervals(settings)), lead, interval=row is not None)


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
