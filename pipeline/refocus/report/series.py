"""The lines of metrics.jsonl as series over steps, and runs that differ only in their seed as a mean with its range.

r runs · s steps
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refocus.config.variants import Variant
from refocus.core.errors import RefocusError
from refocus.core.json_text import loads

Lines = Sequence[dict]


@dataclass(frozen=True)
class Band:
    """A quantity over steps (s,): the mean over runs, the lowest and the highest run."""

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: int


def read_metrics(path: Path) -> list[dict]:
    """The lines of metrics.jsonl.

    Raises:
        RefocusError: it is missing or a line is not JSON.
    """
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise RefocusError(f"{path} is not a file of metrics: {error}") from None
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = loads(text) if text.strip() else {}
        except ValueError:
            line = None
        if not isinstance(line, dict):
            raise RefocusError(f"{path} is not a file of metrics: line {number} is no JSON object")
        lines += [line] * bool(line)
    return lines


def series(lines: Lines, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of one quantity, where it was recorded."""
    points = [(line["step"], line[key]) for line in lines if _is_number(line.get(key)) and _is_number(line.get("step"))]
    return [step for step, _ in points], [value for _, value in points]


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 62)


def smooth(values: Sequence[float]) -> np.ndarray:
    """Running mean over a tenth of the series, cut off at both ends."""
    width = max(3, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    low, high = np.maximum(places - width, 0), np.minimum(places + width + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def band(runs: Sequence[Lines], key: str, smoothed: bool = True) -> Band:
    """Several runs as one, at each step any of them recorded, over those that got so far; interpolated in between."""
    found = [
        (steps, smooth(values) if smoothed else np.array(values)) for steps, values in (series(r, key) for r in runs)
    ]
    found = [(steps, values) for steps, values in found if steps]
    if not found:
        nothing = np.empty(0)
        return Band(nothing, nothing, nothing, nothing, 0)
    every = np.unique(np.concatenate([steps for steps, _ in found]))
    curves = [np.interp(every, steps, values, left=np.nan, right=np.nan) for steps, values in found]
    rows = np.ma.masked_invalid(curves)  # (r, s)
    return Band(every, rows.mean(0).filled(np.nan), rows.min(0).filled(np.nan), rows.max(0).filled(np.nan), len(found))


def by_variant(runs: Mapping[str, Lines], variants: Sequence[Variant]) -> dict[Variant, dict[str, Lines]]:
    """The runs of each variant; a run that is in none is its own, under its name."""
    grouped = {variant: {name: runs[name] for name in variant.runs if name in runs} for variant in variants}
    known = {name for variant in variants for name in variant.runs}
    grouped |= {Variant(label=name, runs=(name,)): {name: lines} for name, lines in runs.items() if name not in known}
    return {variant: members for variant, members in grouped.items() if members}
