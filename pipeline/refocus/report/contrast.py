"""One comparison of two sides, and what its interval says about the claim behind it."""

from dataclasses import dataclass
from typing import Literal

from refocus.evaluate.intervals import Interval

Verdict = Literal["holds", "does not hold", "open", "not run"]
FEW = 30  # questions
MARGIN = 0.02  # a difference that is surely smaller than this is none

RULE = (
    "A claim that one side is better **holds** if the interval of the difference lies above 0, **does not hold** if it "
    f"lies below 0 or within ±{100 * MARGIN:g} points of it, and is **open** otherwise. A claim that one side loses at "
    "most so many points holds if the interval lies above minus that, does not hold if it lies below, and is open "
    "otherwise. What is decided though the runs of both sides overlap, so that other training seeds may turn it, "
    "stands behind *Seeds overlap*."
)


@dataclass(frozen=True)
class Side:
    """What is compared: the picks of `selectors`, one for each training seed, as answered by an LMM.

    frames: picks per question. name: for readers.
    """

    name: str
    selectors: tuple[str, ...]
    lmm: str
    frames: int


@dataclass(frozen=True)
class Contrast:
    """`ours` minus `theirs`.

    Attributes:
        what: what is compared where, for readers: `two moments, against uniform`.
        scores: accuracy of both sides, their runs averaged; seeds: of each run.
        difference: None where a side was not run.
        least: what is claimed: the difference is more than this. Below 0: ours loses at most so much.
        decides: whether the claim's sentence speaks of it.
    """

    what: str
    ours: Side
    theirs: Side
    scores: tuple[Interval | None, Interval | None]
    seeds: tuple[tuple[float, ...], tuple[float, ...]]
    difference: Interval | None
    least: float = 0.0
    decides: bool = True

    @property
    def verdict(self) -> Verdict:
        """What the interval says; see `RULE`."""
        found = self.difference
        if found is None:
            return "not run"
        if found.low is None or found.high is None:
            return "open"
        if found.low == found.high and found.questions < FEW:
            return "open"  # the same in every video, which so few of them may be by chance
        if found.low > self.least:
            return "holds"
        nothing = self.least == 0 and found.low >= -MARGIN and found.high <= MARGIN
        return "does not hold" if found.high < self.least or nothing else "open"

    @property
    def seeds_overlap(self) -> bool:
        """Whether the worst run of the better side is no better than the best of the other, so that other seeds may
        turn the claim; False for what one side may lose, and where neither has several runs."""
        ours, theirs = self.seeds
        if self.least or self.difference is None or max(len(ours), len(theirs)) < 2 or not (ours and theirs):
            return False
        return min(ours) <= max(theirs) and min(theirs) <= max(ours)

    @property
    def met(self) -> bool | None:
        """Whether the difference itself reaches `least`; None where a side was not run."""
        return None if self.difference is None else self.difference.value >= self.least


def sentence(contrasts: list[Contrast]) -> str:
    """What those that decide say together: `**Holds** for …: +31.0 [25.1, 36.9] points; **open** for …`."""
    deciding = [contrast for contrast in contrasts if contrast.decides]
    parts = [
        f"**{contrast.verdict}** for {contrast.what}"
        + (f" ({points(contrast.difference)})" if contrast.difference else "")
        for contrast in deciding
    ]
    if not parts:
        return "**Not run.**"
    text = "; ".join(parts) + "."
    mixed = "; ".join(c.what for c in deciding if c.verdict in ("holds", "does not hold") and c.seeds_overlap)
    return text[:2] + text[2].upper() + text[3:] + (f" Seeds overlap: {mixed}." if mixed else "")


def points(difference: Interval | None) -> str:
    """`+31.0 [+25.1, +36.9]`, in points."""
    if difference is None:
        return "not run"
    value = _signed(difference.value)
    if difference.low is None or difference.high is None:
        return value
    return f"{value} [{_signed(difference.low)}, {_signed(difference.high)}]"


def percent(score: Interval | None, seeds: tuple[float, ...] = ()) -> str:
    """`86.2`, with the seeds' own values behind it where there are several: `86.2 (85.0, 87.4)`."""
    if score is None:
        return "not run"
    each = f" ({', '.join(f'{100 * value:.1f}' for value in seeds)})" if len(seeds) > 1 else ""
    return f"{100 * score.value:.1f}{each}"


def _signed(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
