"""Evidence recall, coverage and precision of every selector, beside each other."""

from refocus.evaluate.scoring import Score
from refocus.report.recall import MEASURES
from refocus.report.recall_set import RecallSet, SoughtGroup
from refocus.report.table_files import Cell, Table

NOTES = (
    "recall@k: of the moments that a question needs, the share that one of k picks shows; coverage@k: the share of "
    "questions all of whose moments are shown; precision@k: the share of the picks that show one of them",
    "no LMM is asked; averages are over questions, in brackets: {level:.0%} interval over videos, where these differ",
)
CHANCE = "frames drawn without looking (expected)"


def recall_table(data: RecallSet) -> Table:
    """Group × selector, with a column per measure and number of picks; first what chance alone reaches."""
    groups = [group for group in data.groups if group.sought]
    body = []
    for group in groups:
        n = len(group.sought)
        body.append(((f"{group.name} (n={n})", CHANCE), tuple(_expected(data, group))))
        for row in data.rows:
            cells = [
                Cell(data.score(measure, group, row, k), interval=measure == "recall")
                for measure in MEASURES
                for k in data.frames
            ]
            if any(cell.score for cell in cells):
                body.append(((f"{group.name} (n={n})", row.name), tuple(cells)))
    columns = tuple((f"{measure}_at_{k}", f"{measure}@{k}") for measure in MEASURES for k in data.frames)
    title = "Evidence found by the picks, in %" + (" (synthetic world)" if data.is_world else "")
    return Table(
        title,
        ("questions", "selector"),
        columns,
        tuple(body),
        (*(note.format(level=data.level) for note in NOTES), *_passed_over(data)),
    )


def _expected(data: RecallSet, group: SoughtGroup) -> list[Cell]:
    """Recall is arithmetic; the other two are left out."""
    cells = []
    for measure in MEASURES:
        for k in data.frames:
            n = len(group.sought)
            mean = sum(one.by_chance(k) for one in group.sought) / n
            cells.append(Cell(Score(mean, None, None, n)) if measure == "recall" else Cell(why="–"))
    return cells


def _passed_over(data: RecallSet) -> list[str]:
    """What was not counted, and why."""
    reasons = {
        "unknown": "nothing says when their answer can be seen",
        "everywhere": "any frame shows it",
        "unreadable": "their videos have no frames",
    }
    counts = {reason: {g.name: getattr(g, reason) for g in data.groups if getattr(g, reason)} for reason in reasons}
    return [
        f"not counted, as {why}: " + ", ".join(f"{n} of {name}" for name, n in counts[reason].items())
        for reason, why in reasons.items()
        if counts[reason]
    ]
