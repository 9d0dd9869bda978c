"""What each selector reaches and what it costs, side by side."""

from collections.abc import Callable, Iterable, Sequence

from refocus.config.selectors import KINDS
from refocus.config.tables import TablesSettings
from refocus.evaluate.scoring import Outcome, accuracy, gain
from refocus.report.harness import STARS, flag_notes, intervals
from refocus.report.results import UNIFORM, WORLD_GROUPS, ResultRow, Results
from refocus.report.table_files import Cell, Table
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
        base = _pooled(results, lmm, UNIFORM, frames)
        for row in results.rows:
            ours = _pooled(results, lmm, row, frames)
            scores = [_score(ours, base, name, row, settings) for name in present]
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
    notes += [STARS.format(level=settings.confidence_level), *flag_notes(results)]
    if cut:
        notes.append(f"texts longer than the text encoder reads, summed over selectors: {cut}")
    return Table("Selectors: accuracy in % and cost", ("LMM", "selector", "reads"), columns, tuple(body), tuple(notes))


def _asked(results: Results, group: str) -> bool:
    return any(q.category.startswith(f"{group}/") for b in results.benchmarks.values() for q in b.questions)


def _pooled(results: Results, lmm: str, row: ResultRow, frames: int) -> list[Outcome]:
    """Results on all benchmarks together; empty where one of them is missing."""
    parts = [results.outcomes(lmm, row, benchmark, frames) for benchmark in results.benchmarks]
    return [outcome for part in parts for outcome in part] if all(parts) else []


def _score(
    counted: Sequence[Outcome], base: Sequence[Outcome], group: str, row: ResultRow, settings: TablesSettings
) -> Cell:
    ours, theirs = (
        [outcome for outcome in part if group == "all" or outcome.category.startswith(f"{group}/")]
        for part in (counted, base)
    )
    wanted = ours and theirs and row != UNIFORM
    lead = gain(ours, theirs, **intervals(settings)) if wanted else None
    return Cell(accuracy(ours, **intervals(settings)), lead)


def _shown(results: Results, lmm: str, row: ResultRow, frames: int) -> Cell:
    """Frames that the LMM got per question, on average."""
    counts = [
        answer.n_frames
        for selector in row.selectors
        for benchmark in results.benchmarks.values()
        for question in benchmark.questions
        if (answer := results.answer(lmm, selector, benchmark.name, frames, question.qa_id))
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
