"""The results as HTML: likelihood over time, one lane for each selector, and the picks in columns below.

Everything that a user or a file says is escaped.
"""

import base64
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refocus.select.contact_sheet import clock
from refocus.serve.comparison import Compared

if TYPE_CHECKING:
    from jinja2 import Environment

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by the colour-blind
WIDTH, HEIGHT = 1000, 100  # of a lane's drawing, stretched to the page
TICKS = 8
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True)
class Pick:
    """One frame: its second, frame number and rank as text, its place on the lane in percent, its picture."""

    seconds: float
    clock: str
    frame: int
    rank: int
    place: float
    picture: str


@dataclass(frozen=True)
class Lane:
    """One selector on the page. curve: an SVG path, empty where it has no likelihood. means: what the curve shows."""

    number: int
    colour: str
    compared: Compared
    curve: str
    means: str
    picks: tuple[Pick, ...]


def results_html(question: str, options: Sequence[str], made: Sequence[Compared], waiting: Sequence[str] = ()) -> str:
    """The results so far.

    Args:
        waiting: names of the selectors that have not answered.
    """
    length_s = max((compared.length_s for compared in made), default=0.0)
    lanes = [_lane(number, compared, length_s) for number, compared in enumerate(made)]
    axis = [(clock(second).removesuffix(".0"), 100 * second / length_s) for second in ticks(length_s)]
    return _render(
        "results.html.jinja",
        question=question,
        options=[f"{chr(ord('A') + number)}. {option}" for number, option in enumerate(options)],
        lanes=lanes,
        length_s=length_s,
        ticks=axis,
        waiting=waiting,
        size=(WIDTH, HEIGHT),
    )


def problem_html(text: str) -> str:
    """What is wrong with the request."""
    return _render("problem.html.jinja", text=text)


def page_file(name: str) -> str:
    """The page's own style sheet or script."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _lane(number: int, compared: Compared, length_s: float) -> Lane:
    picked, curve, means = compared.selection, "", "has no likelihood"
    if picked is not None and picked.likelihood is not None:
        values = picked.likelihood.values
        low, high = _range(values)
        curve = _path(picked.likelihood.timestamps_s, values, length_s)
        means = f"{picked.likelihood.means}, {low:.2g} to {high:.2g}"
    picks = []
    if picked is not None:
        rows = zip(picked.timestamps_s, picked.source_frames, picked.pick_rank, compared.thumbnails, strict=True)
        for second, frame, rank, picture in rows:
            data = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
            picks.append(Pick(second, clock(second), frame, rank, 100 * second / length_s, data))
    return Lane(number, COLOURS[number % len(COLOURS)], compared, curve, means, tuple(picks))


def _path(times_s: Sequence[float], values: Sequence[float], length_s: float) -> str:
    """A step for each candidate, which is on screen until the next one."""
    low, high = _range(values)
    scale = (HEIGHT - 8) / (high - low)
    ends = [*times_s[1:], length_s]
    parts = []
    for start, end, value in zip(times_s, ends, values, strict=True):
        height = 0.0 if math.isnan(value) else min(max(value, low), high) - low
        y = HEIGHT - 4 - height * scale
        parts.append(f"{WIDTH * start / length_s:.2f} {y:.2f} L{WIDTH * end / length_s:.2f} {y:.2f}")
    return "M" + " L".join(parts)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest finite value, apart even where all are equal."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def ticks(length_s: float) -> list[float]:
    """About eight round seconds, from 0 on."""
    step = next((step for step in STEPS_S if length_s / step <= TICKS), STEPS_S[-1])
    while length_s / step > TICKS:
        step *= 2
    return [place * step for place in range(int(length_s / step) + 1)] if length_s else []


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("refocus.serve", "page")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)
