"""How every figure looks: a colour-blind-safe palette, readable type, files that do not change between equal runs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from refocus.core.files import atomic

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#8A8A8A"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, GREY)
KIND_COLOURS = {
    "uniform": GREY,
    "random": YELLOW,
    "initial": SKY,
    "refocus": BLUE,
    "refocus-question": "#7FB8DA",
    "greedy": "#4C9BD6",
    "first-step": VERMILION,
    "marginals": ORANGE,
    "swapped": PURPLE,
    "oracle": GREEN,
}
SETTINGS: "dict[RcKeyType, Any]" = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "refocus",
    "svg.fonttype": "none",
}
matplotlib.rcParams.update(SETTINGS)


def new(width: float, height: float) -> Figure:
    """A figure of so many inches; it belongs to no window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, out: Path, name: str, formats: Iterable[str], dpi: int) -> list[Path]:
    """Writes NAME.<format> for each format; equal figures give equal files."""
    paths = []
    for kind in formats:
        path = Path(out) / f"{name}.{kind}"
        with atomic(path) as draft:
            figure.savefig(draft, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
        paths.append(path)
    return paths


def series(number: int) -> str:
    """The colour of the so-manieth of several series."""
    return SERIES[number % len(SERIES)]


def paler(colour: str, strength: float) -> str:
    """A colour mixed with white; at strength 1 it stays as it is."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def quiet(axes: Axes) -> None:
    """Removes ticks, grid and frame: for axes that only hold pictures."""
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def say(figure: Figure, text: str) -> None:
    """A figure of nothing but the reason why there is nothing to draw."""
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
