"""V-NIAH: whether picks find a needle, by how long the video is and how deep the needle lies (Fig. 5).

d depths · l lengths
"""

import csv
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refocus.evaluate.scoring import Score
from refocus.report.accuracy_panels import family_of
from refocus.report.recall import Sought
from refocus.report.recall_set import RecallSet, SoughtGroup
from refocus.report.results import UNIFORM, ResultRow
from refocus.report.table_files import Cell, Table

MOST_LENGTHS = 10  # that are told apart; videos of more lengths are put together by octaves


@dataclass(frozen=True)
class Grid:
    """The needles sorted into cells: one length and one part of the depth each.

    lengths: kept frames, of an octave the most. cells: by depth and length.
    """

    lengths: tuple[int, ...]
    depths: int
    cells: dict[tuple[int, int], SoughtGroup]

    @property
    def columns(self) -> list[SoughtGroup]:
        """All depths of each length together."""
        return [
            SoughtGroup(str(length), [one for d in range(self.depths) for one in self.cells[d, column].sought])
            for column, length in enumerate(self.lengths)
        ]

    @property
    def whole(self) -> SoughtGroup:
        """All needles."""
        return SoughtGroup("all", [one for column in self.columns for one in column.sought])


def grid(sought: Sequence[Sought], depths: int) -> Grid:
    """Sorts needles into `depths` equal parts of the depth, and by length."""
    counts = sorted({len(one.timestamps_s) for one in sought})
    many = len(counts) > MOST_LENGTHS
    lengths = sorted({_octave(count) if many else count for count in counts})
    cells = {place: SoughtGroup("") for place in itertools.product(range(depths), range(len(lengths)))}
    for one in sought:
        count = len(one.timestamps_s)
        depth = min(depths - 1, int(one.depth * depths))
        cells[depth, lengths.index(_octave(count) if many else count)].sought.append(one)
    return Grid(tuple(lengths), depths, cells)


def _octave(count: int) -> int:
    return 1 << (count - 1).bit_length()


def found(data: RecallSet, cells: Grid, row: ResultRow, frames: int) -> np.ndarray:
    """(d, l) share of needles that a selector finds with so many picks; NaN in cells without any."""
    scores = np.full((cells.depths, len(cells.lengths)), np.nan)
    for place, group in cells.cells.items():
        if (score := data.score("recall", group, row, frames)) is not None:
            scores[place] = score.value
    return scores


def shown_rows(data: RecallSet, cells: Grid, frames: int) -> list[ResultRow]:
    """Uniform, the best selector without training, and the learned ones: the maps of Fig. 5."""
    scored = {row: data.score("recall", cells.whole, row, frames) for row in data.rows}
    values = {row: score.value for row, score in scored.items() if score is not None}
    untrained = [row for row in values if family_of(row.kind) == "without training"]
    best = max(untrained, key=values.__getitem__, default=None)
    ours = [row for row in values if row.kind == "refocus"]
    return [row for row in (UNIFORM, best, *ours[-1:]) if row in values]


def needle_table(data: RecallSet, cells: Grid, frames: int) -> Table:
    """Needles found by each selector, by length; first what evenly spaced frames find by arithmetic."""
    groups = [*cells.columns, cells.whole]
    shares = [[one.by_uniform(frames) for one in group.sought] for group in groups]
    expected = tuple(Cell(Score(_mean(each), None, None, len(each)) if each else None, why="–") for each in shares)
    body = [(("evenly spaced, by arithmetic",), expected)]
    for row in data.rows:
        scores = [data.score("recall", group, row, frames) for group in groups]
        if any(scores):
            body.append(((row.name,), tuple(Cell(score, interval=True) for score in scores)))
    columns = [(f"frames_{g.name}", f"{g.name} frames (n={len(g.sought)})") for g in groups[:-1]]
    columns.append(("all", f"all (n={len(cells.whole.sought)})"))
    notes = (
        f"found: one of {frames} picks shows the needle; no LMM is asked; in brackets: "
        f"{data.level:.0%} interval over videos, where these differ",
        "by arithmetic: picks times the needle's frames over all frames, at most 100, for a needle that lies anywhere",
    )
    title = "V-NIAH: needles found, in %" + " (synthetic world)" * data.is_world
    return Table(title, ("selector",), tuple(columns), tuple(body), notes)


def needle_csv(data: RecallSet, cells: Grid, frames: int) -> str:
    """What the maps are drawn from: a line per selector and cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["selector", "frames", "depth_from", "depth_to", "needles", "found", "expected_evenly_spaced"])
    for row in data.rows:
        shares = found(data, cells, row, frames)
        for (depth, column), group in cells.cells.items():
            if not np.isnan(shares[depth, column]):
                ends = [round(end / cells.depths, 6) for end in (depth, depth + 1)]
                expected = round(_mean([one.by_uniform(frames) for one in group.sought]), 6)
                share = round(float(shares[depth, column]), 6)
                writer.writerow([row.name, cells.lengths[column], *ends, len(group.sought), share, expected])
    return text.getvalue()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
