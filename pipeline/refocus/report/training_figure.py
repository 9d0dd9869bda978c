"""Training at a glance: reward, policy entropy, temporal entropy and answer accuracy of every setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from refocus.config.variants import Variant
from refocus.report import style
from refocus.report.seed_bands import draw_bands, explained
from refocus.report.series import Lines


@dataclass(frozen=True)
class Panel:
    """One quantity over training steps, with a second one drawn dashed for comparison; percent: a share, drawn in %."""

    key: str
    title: str
    beside: str | None = None
    percent: bool = False


REWARD = Panel("reward/mean", "mean margin of the sampled subsets (Eq. 5)")
SHARE = Panel("policy/entropy_share", "policy entropy, % of log |A|", percent=True)
TEMPORAL = Panel("select/temporal_entropy", "temporal entropy of the picks, nats (Fig. 6)")
ACCURACY = Panel(
    "validation/accuracy",
    "accuracy on held-back videos, % (dashed: uniform)",
    "validation/accuracy_uniform",
    percent=True,
)
PANELS = (REWARD, SHARE, TEMPORAL, ACCURACY)


def draw_curves(
    runs: Mapping[str, Lines], variants: Sequence[Variant] = (), note: str = "", panels: Sequence[Panel] = PANELS
) -> Figure:
    """Small multiples, two in a row: one colour per setting, shaded from its lowest to its highest seed."""
    rows = -(-len(panels) // 2)
    figure = style.new(10, 3 * rows + 0.4)
    every = figure.subplots(rows, 2, squeeze=False).flat
    for axes in every[len(panels) :]:
        axes.remove()
    for panel, axes in zip(panels, every[: len(panels)], strict=True):
        draw_bands(axes, runs, variants, panel.key, panel.beside, 100.0 if panel.percent else 1.0)
        axes.set_title(panel.title)
    handles, labels = max((axes.get_legend_handles_labels() for axes in figure.axes), key=lambda pair: len(pair[0]))
    if handles:
        title = explained(runs, variants)
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(handles)), title=title)
    figure.suptitle("Training" + (f" ({note})" if note else ""))
    return figure
