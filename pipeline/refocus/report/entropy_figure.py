"""Fig. 6: how far apart in time the picked frames lie, over training, for runs of different T'."""

import csv
import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from refocus.config.variants import Variant
from refocus.frames.sampling import uniform
from refocus.report import style
from refocus.report.seed_bands import draw_bands, explained
from refocus.report.series import Lines, by_variant, series
from refocus.train.metrics import temporal_entropy

KEY = "select/temporal_entropy"
FRAMES = 512  # of the clip whose uniform frames are drawn for comparison


def draw_temporal_entropy(runs: Mapping[str, Lines], variants: Sequence[Variant] = (), note: str = "") -> Figure:
    """One curve per setting, the mean over its seeds, shaded from the lowest to the highest seed.

    Dotted in the same colour: what as many uniform frames give.
    """
    figure = style.new(8, 4.2)
    axes = figure.subplots()
    draw_bands(axes, runs, variants, KEY)
    for number, variant in enumerate(by_variant(runs, variants)):
        if variant.trained.isdecimal():
            axes.axhline(
                uniform_entropy(int(variant.trained)), color=style.series(number), linestyle=":", linewidth=1.2
            )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="dotted: uniform frames")
        figure.supxlabel(explained(runs, variants), fontsize=9)
    axes.set_ylabel("temporal entropy, nats")
    axes.set_title("Kozachenko–Leonenko entropy of the picks' times (Fig. 6)" + (f"\n{note}" if note else ""))
    return figure


def to_csv(runs: Mapping[str, Lines], variants: Sequence[Variant] = ()) -> str:
    """What the figure is drawn from: one line per run and step, not smoothed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["setting", "trained_at", "run", "step", "temporal_entropy"])
    for variant, members in by_variant(runs, variants).items():
        for name, lines in members.items():
            for step, value in zip(*series(lines, KEY), strict=True):
                writer.writerow([variant.label, variant.trained, name, step, round(value, 6)])
    return text.getvalue()


def uniform_entropy(picks: int) -> float:
    """The same estimate for uniform frames, in nats."""
    return temporal_entropy(uniform(FRAMES, picks), FRAMES)
