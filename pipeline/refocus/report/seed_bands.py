"""A quantity over training steps in one set of axes: a line per setting, with the range of its seeds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from refocus.config.variants import Variant
from refocus.report import style
from refocus.report.series import Lines, band, by_variant, series

MANY = 40  # values of one run above which they are smoothed


def draw_bands(
    axes: Axes,
    runs: Mapping[str, Lines],
    variants: Sequence[Variant],
    key: str,
    beside: str | None = None,
    scale: float = 1.0,
) -> None:
    """The mean over a setting's seeds, shaded from the lowest to the highest; one run alone is also drawn unsmoothed.

    beside: a second quantity, dashed in the same colour and without a name. scale: what values are multiplied by.
    """
    for number, (variant, members) in enumerate(by_variant(runs, variants).items()):
        colour, lines = style.series(number), list(members.values())
        points = max(len(series(one, key)[0]) for one in lines)
        curve = band(lines, key, smoothed=points > MANY)
        if not curve.runs:
            continue
        axes.plot(curve.steps, scale * curve.mean, color=colour, linewidth=2, label=name_of(variant, members))
        if curve.runs > 1:
            axes.fill_between(curve.steps, scale * curve.low, scale * curve.high, color=colour, alpha=0.2, linewidth=0)
        elif points > MANY:
            steps, values = series(lines[0], key)
            axes.plot(steps, [scale * value for value in values], color=colour, alpha=0.3, linewidth=1)
        if beside:
            other = band(lines, beside, smoothed=False)
            axes.plot(other.steps, scale * other.mean, color=colour, linestyle="--", alpha=0.8)
    axes.set_xlabel("training step")
    if not axes.lines:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=style.GREY)


def explained(runs: Mapping[str, Lines], variants: Sequence[Variant]) -> str:
    """What thick and thin lines and shades are, of those that `draw_bands` draws for these runs."""
    counts = [len(members) for members in by_variant(runs, variants).values()]
    parts = ["thick: running mean, thin: every step"] if 1 in counts else []
    parts += ["lines: mean over the seeds, shade: lowest to highest seed"] if any(n > 1 for n in counts) else []
    return "; ".join(parts)


def name_of(variant: Variant, members: Mapping[str, Lines]) -> str:
    """`T' = 8 (3 seeds)`; the run's name where nothing is known of its setting."""
    seeds = f" ({len(members)} seeds)" if len(members) > 1 else ""
    return (variant.label or (variant.trained and f"T' = {variant.trained}") or next(iter(members))) + seeds
