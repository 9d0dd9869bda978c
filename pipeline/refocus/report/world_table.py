"""The table of the synthetic world: its kinds of questions, and how far from uniform to the oracle a selector gets."""

from collections.abc import Sequence

from refocus.config.tables import TablesSettings
from refocus.evaluate.scoring import Outcome, Score, accuracy, common, gain, share_closed
from refocus.report.harness import STARS, coverage_notes, flag_notes, intervals
from refocus.report.results import ORACLE, UNIFORM, WORLD_GROUPS, Pooled, ResultRow, Results
from refocus.report.table_files import MISSING, NO_VIDEO, Cell, Coverage, Table


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
    names = [benchmark.name for benchmark in worlds]
    categories = [question.category for benchmark in worlds for question in benchmark.questions]
    kinds = sorted(set(categories) if detail else ())
    counts = {group: sum(name.startswith(group) for name in categories) for group in WORLD_GROUPS}
    two = ("sequence/",) if counts["sequence/"] else ()
    body = []
    for lmm in results.lmms:
        for n in frames:
            for row in results.rows:
                ours, base, best = (results.pooled(lmm, one, names, n) for one in (row, UNIFORM, ORACLE))
                cells = [_group_cell(row, ours, base, group, n, settings) for group in (*two, "moment/", "static/")]
                cells.insert(-1, _closed(ours.counted, base.counted, best.counted))
                cells += [_group_cell(None, ours, base, kind, n, settings) for kind in kinds]
                body.append(((lmm, row.name, str(n)), tuple(cells)))
    columns = (
        *((group[:-1], f"two moments (n={counts[group]})") for group in two),
        ("moment", f"one moment (n={counts['moment/']})"),
        ("closed", "uniform→oracle closed, %"),
        ("static", f"any frame (n={counts['static/']})"),
        *((kind, kind) for kind in kinds),
    )
    title = f"Synthetic world: accuracy in % on held-out videos ({', '.join(names)})"
    notes = [
        f"in square brackets: {settings.confidence_level:.0%} interval; in round brackets: gain over uniform sampling",
        STARS.format(level=settings.confidence_level),
        "questions are named by what must be seen to answer them: frames of two events, of one, or any frame",
        "swapped: the policy's own picks, made for another question about the same video",
        "uniform→oracle closed: how much of the way from uniform's accuracy to the oracle's, in %, on one moment",
        *coverage_notes(cell for _, cells in body for cell in cells),
        *flag_notes(results),
    ]
    return Table(title, ("LMM", "selector", "frames"), columns, tuple(body), tuple(notes))


def _group_cell(
    row: ResultRow | None, pooled: Pooled, uniform: Pooled, prefix: str, frames: int, settings: TablesSettings
) -> Cell:
    """A group of world questions; with a gain and a visible interval where `row` is given."""
    ours, theirs = (part.of(lambda outcome: outcome.category.startswith(prefix)) for part in (pooled, uniform))
    wanted = row is not None and row != UNIFORM and theirs.counted
    return Cell(
        score=accuracy(ours.counted, **intervals(settings)),
        gain=gain(ours.counted, theirs.counted, **intervals(settings)) if wanted else None,
        interval=row is not None,
        why=NO_VIDEO if ours.lost else MISSING,
        coverage=Coverage.of(ours.counted, ours.lost, frames),
    )


def _closed(counted: list[Outcome], base: list[Outcome], best: list[Outcome]) -> Cell:
    if not counted or not base or not best:
        return Cell(why="not run")
    moments = [outcome for outcome in counted if outcome.category.startswith("moment/")]
    ours, low = common(moments, base)
    _, high = common(moments, best)
    share = share_closed(_mean(ours), _mean(low), _mean(high))
    return Cell(why="–") if share is None else Cell(Score(share, None, None, len(ours)))


def _mean(counted: Sequence[Outcome]) -> float | None:
    return sum(outcome.correct for outcome in counted) / len(counted) if counted else None
