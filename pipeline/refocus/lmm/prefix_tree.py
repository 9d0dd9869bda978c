"""The prefix tree of frame lists: prefixes that several lists share are computed once.

A list of frames is a path from the root. Paths that fit into memory together form a pack: they advance side by side,
all at the same depth, so that a pass needs no padding. Where paths do not fit together, the frames they share form a
trunk, which is computed once and stays in memory while the parts that grow from it are done one after the other
(depth first).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

Path = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One pass of a pack: every row shows its frames `start` to `stop`.

    parents: for every row its place among the rows of the step before (of the trunk, all 0, in the first step).
    frames: for every row the frames shown. ended: for every row whether a path ends with it.
    """

    start: int
    stop: int
    parents: tuple[int, ...]
    frames: tuple[Path, ...]
    ended: tuple[bool, ...]


@dataclass(frozen=True)
class Pack:
    """Paths that are in memory together, sorted; `depth` frames of them are the trunk's."""

    depth: int
    paths: tuple[Path, ...]

    def steps(self) -> Iterator[Step]:
        """The passes, cut wherever a path ends or two part."""
        ends, forks = {len(path) for path in self.paths}, {_common(a, b) for a, b in pairwise(self.paths)}
        before, start = [self.paths[0][: self.depth]], self.depth
        whole = set(self.paths)
        for stop in sorted(ends | {fork for fork in forks if fork > self.depth}):
            rows = list(dict.fromkeys(path[:stop] for path in self.paths if len(path) >= stop))
            place = {path: number for number, path in enumerate(before)}
            parents = tuple(place[row[:start]] for row in rows)
            yield Step(start, stop, parents, tuple(row[start:] for row in rows), tuple(row in whole for row in rows))
            before, start = rows, stop


@dataclass(frozen=True)
class Trunk:
    """Frames `depth` to `depth + len(frames)` that all paths of `parts` share."""

    depth: int
    frames: Path
    parts: tuple["Trunk | Pack", ...]


def grow(paths: Sequence[Path], fits: Callable[[Sequence[Path]], bool]) -> tuple[Trunk | Pack, ...]:
    """Cuts the tree of these paths into packs and the trunks below them.

    Args:
        paths: lists of frames in the order shown; equal ones count once.
        fits: whether paths may be in memory at the same time; one path is never refused.
    Returns:
        Parts to be computed in order; every path is in exactly one pack, every shared frame in one trunk or step.
    """
    return _parts(sorted(set(paths)), 0, fits)


def _parts(paths: list[Path], depth: int, fits: Callable[[Sequence[Path]], bool]) -> tuple[Trunk | Pack, ...]:
    parts: list[Trunk | Pack] = []
    together: list[Path] = []
    for _, members in groupby(paths, key=lambda path: path[depth : depth + 1]):
        group = list(members)
        if together and not fits(together + group):
            parts.append(Pack(depth, tuple(together)))
            together = []
        if together or len(group) == 1 or fits(group):
            together += group
        else:
            stop = _common(group[0], group[-1])
            parts.append(Trunk(depth, group[0][depth:stop], _parts(group, stop, fits)))
    if together:
        parts.append(Pack(depth, tuple(together)))
    return tuple(parts)


def _common(a: Path, b: Path) -> int:
    """How many frames two paths share from their beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
