"""What each selector reaches and what it costs, side by side."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from refocus.config.selectors import KINDS
from refocus.config.tables import TablesSettings
from refocus.evaluate.scoring import Outcome, accuracy, gain
from refocus.report.harness import STARS, coverage_notes, flag_notes, intervals, world_mark
from refocus.report.results import UNIFORM, WORLD_GROUPS, Pooled, ResultRow, Results
from refocus.report.table_files import MISSING, NO_VIDEO, Cell, Coverage, Table
from refocus.select.cost import SelectionCost

COSTS: dict[str, tuple[str, Callable[[SelectionCost], float]]] = {
    "seconds": ("seconds per question", lambda spent: spent.cost.seconds),
    "frame_passes": ("frames looked at per question", lambda spent: spent.cost.frame_passes),
    "lmm_passes": ("LMM passes per question", lambda spent: spent.cost.lmm_passes),
}
NOTES = (
    "reads: what the picks depend on beside the video",
    "seconds and passes are those of selecting, not of answering; scores that selectors share count in full for each",
    "frames looked at: through a vision tower, once per clip, shared by the clip's questions",
    "uniform-seen: evenly spaced frames, as many as a selector looks at or training_free.seen_frames allows",
)


def cost_table(results: Results, spent: Sequence[SelectionCost], frames: int, settings: TablesSettings) -> Table:
    """LMM x selector: accuracy over the questions of all benchmarks, and the selector's cost per question.

    Args:
        spent: what selections cost; where nothing is known of a selector, its cells say so.
        frames: numbers of frames asked for.
    """
    world = any(benchmark.is_world for benchmark in results.benchmarks.values())
    groups = {"all": "all questions", **({group[:-1]: group[:-1] for group in WORLD_GROUPS} if world else {})}
    present = {name: title for name, title in groups.items() if name == "all" or _asked(results, name)}
    body = []
    for lmm in results.lmms:
        base = results.pooled(lmm, UNIFORM, results.benchmarks, frames)
        for row in results.rows:
            ours = results.pooled(lmm, row, results.benchmarks, frames)
            scores = [_score(ours, base, name, row, frames, settings) for name in present]
            costs = [cost_cell(results, row, spent, key) for key in COSTS]
            reads = KINDS[row.kind].reads if row.kind in KINDS else ""
            body.append(((lmm, row.name, reads), (*scores, _shown(results, lmm, row, frames), *costs)))
    columns = (
        *present.items(),
        ("frames_shown", "frames the LMM gets"),
        *((key, title) for key, (title, _) in COSTS.items()),
    )
    cut = sum(cost.cost.cut_texts for cost in spent)
    notes = [*NOTES, f"in brackets: gain over uniform sampling; {frames} frames asked for"]
    notes += [STARS.format(level=settings.confidence_level)]
    notes += [*coverage_notes(cell for _, cells in body for cell in cells), *flag_notes(results)]
    if cut:
        notes.append(f"texts longer than the text encoder reads, summed over selectors: {cut}")
    title = f"Selectors: accuracy in % and cost{world_mark(results)}"
    return Table(title, ("LMM", "selector", "reads"), columns, tuple(body), tuple(notes))


def _asked(results: Results, group: str) -> bool:
    return any(q.category.startswith(f"{group}/") for b in results.benchmarks.values() for q in b.questions)


def _score(pooled: Pooled, uniform: Pooled, group: str, row: ResultRow, frames: int, settings: TablesSettings) -> Cell:
    def in_group(outcome: Outcome) -> bool:
        return group == "all" or outcome.category.startswith(f"{group}/")

    ours, theirs = pooled.of(in_group), uniform.of(in_group)
    wanted = ours.counted and theirs.counted and row != UNIFORM
    lead = gain(ours.counted, theirs.counted, **intervals(settings)) if wanted else None
    return Cell(
        score=accuracy(ours.counted, **intervals(settings)),
        gain=lead,
        why=NO_VIDEO if ours.lost else MISSING,
        coverage=replace(Coverage.of(ours.counted, ours.lost, frames), short=0),  # their column says how many it got
    )


def _shown(results: Results, lmm: str, row: ResultRow, frames: int) -> Cell:
    """Frames that the LMM got per question that it was asked, on average."""
    counts = [
        answer.n_frames
        for selector in row.selectors
        for benchmark in results.benchmarks.values()
        for question in benchmark.questions
        if (answer := results.answer(lmm, selector, benchmark.name, frames, question.qa_id)) and answer.answered
    ]
    return Cell(amount=sum(counts) / len(counts)) if counts else Cell()


def cost_cell(
    results: Results, row: ResultRow, spent: Sequence[SelectionCost], key: str, benchmarks: Iterable[str] | None = None
) -> Cell:
    """One of `COSTS` of a row, per question over some benchmarks (None: all), averaged over its runs."""
    known = {(cost.benchmark, cost.selector): cost for cost in spent}
    names = results.benchmarks if benchmarks is None else benchmarks
    found = [known.get((benchmark, selector)) for benchmark in names for selector in row.selectors]
    paid = [cost for cost in found if cost is not None]
    questions = sum(cost.questions for cost in paid)
    if len(paid) < len(found) or not questions:
        return Cell(why="not known")
    return Cell(amount=sum(map(COSTS[key][1], paid)) / questions)
