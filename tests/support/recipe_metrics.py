"""What a recipe measures of a run, from its metrics.jsonl; more is better for each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Lines = Sequence[dict[str, Any]]
PART = 4  # a metric's start and end are the first and the last quarter of the steps


@dataclass(frozen=True)
class Finding:
    """One metric of one run beside its bound; `measured` is None where the run did not finish or never recorded it."""

    recipe: str
    run: str
    metric: str
    at_least: float
    measured: float | None

    @property
    def met(self) -> bool:
        """Whether the bound holds; it does for nothing that was not measured."""
        return self.measured is not None and self.measured >= self.at_least

    def __str__(self) -> str:
        found = "was not measured" if self.measured is None else f"is {self.measured:.3f}"
        return f"recipe {self.recipe}, run {self.run}: {self.metric} {found}, wanted at least {self.at_least:g}"


def reward_rise(lines: Lines) -> float:
    """Mean reward of the sampled subsets at the end of training minus at its start."""
    values = _values(lines, "reward/mean")
    return fmean(_end(values)) - fmean(_start(values))


def entropy_share(lines: Lines) -> float:
    """The policy's entropy at the end, as a share of that of uniform picks: 0 has collapsed."""
    return fmean(_end(_values(lines, "policy/entropy_share")))


def margin_gain(lines: Lines) -> float:
    """Mean margin on held-back videos from the policy's frames minus from uniform frames, at the end."""
    return _gain(lines, "validation/reward")


def accuracy_gain(lines: Lines) -> float:
    """The same of the share of right answers, which is noisier."""
    return _gain(lines, "validation/accuracy")


METRICS: dict[str, Callable[[Lines], float]] = {
    measure.__name__: measure for measure in (reward_rise, entropy_share, margin_gain, accuracy_gain)
}


def findings(recipe: str, run: str, bounds: dict[str, float], lines: Lines | None) -> list[Finding]:
    """Every bounded metric of a run.

    Args:
        lines: of its metrics.jsonl; None where it did not finish.
    """
    return [
        Finding(recipe, run, metric, bound, None if lines is None else METRICS[metric](lines))
        for metric, bound in bounds.items()
    ]


def page(found: Sequence[Finding]) -> str:
    """What is wanted and what was measured, as a Markdown table."""
    rows = [
        f"| {one.recipe} | {one.run} | {one.metric} | {one.at_least:g} | "
        f"{'–' if one.measured is None else f'{one.measured:.3f}'} | {'yes' if one.met else '**no**'} |"
        for one in found
    ]
    return "\n".join(
        ["| recipe | run | metric | at least | measured | met |", "|---|---|---|---:|---:|---|", *rows, ""]
    )


def _gain(lines: Lines, key: str) -> float:
    """A quantity of the validation slice minus that of uniform frames, over the checks of the last steps."""
    last = max(line["step"] for line in lines)
    checks = [line for line in lines if key in line and line["step"] > last * (1 - 1 / PART)]
    return fmean(line[key] - line[f"{key}_uniform"] for line in checks)


def _values(lines: Lines, key: str) -> list[float]:
    return [line[key] for line in lines if key in line]


def _start(values: list[float]) -> list[float]:
    return values[: max(1, len(values) // PART)]


def _end(values: list[float]) -> list[float]:
    return values[-max(1, len(values) // PART) :]
