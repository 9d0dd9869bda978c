"""How rows (frames, question) become forward passes: shared prefixes once, everything packed by token count.

A pass computes real tokens only up to its padding, so rows of near-equal length share a pass.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlainBatch:
    """Rows with a prefix of their own: prefix and suffix run together, without a cache."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class SharedBatch:
    """Prefixes that several rows share: `leads` has one row of each; a chunk lists (row, position of its prefix)."""

    leads: tuple[int, ...]
    chunks: tuple[tuple[tuple[int, int], ...], ...]


def pack(
    prefixes: Sequence[Hashable], prefix_length: int, suffix_lengths: Sequence[int], rows: Sequence[int], budget: int
) -> list[PlainBatch | SharedBatch]:
    """Packs rows whose prefixes have the same length.

    Args:
        prefixes: the prefix of every row, by row number.
        prefix_length: tokens of each of these prefixes.
        suffix_lengths: tokens of every row's question, by row number.
        rows: the row numbers to pack.
        budget: most tokens of one pass, padding and attended prefixes included; a pass has at least one row.
    Returns:
        Batches that hold every row exactly once.
    """
    groups: dict[Hashable, list[int]] = {}
    for row in rows:
        groups.setdefault(prefixes[row], []).append(row)
    alone = sorted((group[0] for group in groups.values() if len(group) == 1), key=lambda row: suffix_lengths[row])
    batches: list[PlainBatch | SharedBatch] = [
        PlainBatch(tuple(chunk)) for chunk in _chunks(alone, prefix_length, suffix_lengths, budget)
    ]
    together = [group for group in groups.values() if len(group) > 1]
    width = max(1, budget // max(1, prefix_length))
    for start in range(0, len(together), width):
        part = together[start : start + width]
        home = {row: position for position, group in enumerate(part) for row in group}
        ordered = sorted(home, key=lambda row: suffix_lengths[row])
        chunks = [
            tuple((row, home[row]) for row in chunk)
            for chunk in _chunks(ordered, prefix_length, suffix_lengths, budget)
        ]
        batches.append(SharedBatch(tuple(group[0] for group in part), tuple(chunks)))
    return batches


def _chunks(rows: Sequence[int], base: int, lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cuts rows, sorted by length, so that count × (base + longest) stays within the budget."""
    chunks: list[list[int]] = []
    for row in rows:
        if chunks and (len(chunks[-1]) + 1) * (base + lengths[row]) <= budget:
            chunks[-1].append(row)
        else:
            chunks.append([row])
    return chunks
