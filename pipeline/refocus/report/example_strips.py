"""Figures 9 to 13: what was asked, when it can be seen, which frames each selector picked, and what was answered.

One time axis for everything: the policy's likelihood on top, below it the picked frames of a few selectors, each joined
to the time it is shown at, then a lane of marks for every other selector. Sizes are in inches: the blocks hold
pictures, so everything is placed by hand instead of by a layout engine.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.optimize import isotonic_regression

from refocus.config.selectors import kind_of
from refocus.lmm.prompts import LETTERS
from refocus.qa.records import Question
from refocus.report import style
from refocus.report.selector_names import readable

MOST_PICTURES = 12  # of one selector; of more picks, so many evenly spread ones are shown as pictures, and all as marks
MOST_MARKS = 32  # of one selector; more are drawn as ticks
WIDTH, LEFT, RIGHT = 10.0, 2.35, 0.2
HEAD, CURVE, STRIP, LANE, AXIS, GAP = 0.72, 0.62, 1.0, 0.17, 0.42, 0.3
PICTURE, JOIN = 0.72, 0.16  # side of a picture, at most, and the lines from it to its time
RIGHT_COLOUR, WRONG_COLOUR, EVIDENCE = style.GREEN, style.VERMILION, style.ORANGE
INK = "#5A5A5A"


@dataclass(frozen=True)
class Picked:
    """What one selector picked for a question, and what the LMM answered from it.

    images: uint8 (n, h, w, 3), in temporal order; empty where only the times are shown. timestamps_s: when each is
    shown, in seconds of the file. prediction: place of the option it chose, -1 for none. shares: the softmax over the
    option logits, empty where it was not asked or wrote its answer. correct: None where it was not asked.
    """

    images: np.ndarray
    timestamps_s: Sequence[float]
    prediction: int = -1
    shares: Sequence[float] = ()
    correct: bool | None = None

    @property
    def mark(self) -> str:
        """✓, ✗, or nothing where there is no answer."""
        return {True: "✓", False: "✗", None: ""}[self.correct]


@dataclass(frozen=True)
class Example:
    """One question about one clip.

    timestamps_s: when each kept frame is shown. picks: by selector. pictured: the selectors whose frames are shown, the
    others get marks. likelihood: the share of the policy's rollouts that pick each kept frame, or None. spans_s: when
    the evidence is visible, or empty; a span that covers the whole clip is not drawn. outcome: how uniform and ours
    compare, for readers; empty where they were not both answered from.
    """

    question: Question
    timestamps_s: Sequence[float]
    picks: Mapping[str, Picked]
    pictured: Sequence[str] = ()
    likelihood: Sequence[float] | None = None
    spans_s: Sequence[tuple[float, float]] = field(default=())
    outcome: str = ""

    @property
    def end_s(self) -> float:
        """When the last kept frame makes way for the next."""
        times = self.timestamps_s
        return times[-1] + (times[1] - times[0] if len(times) > 1 else 1.0)

    @property
    def marked_s(self) -> list[tuple[float, float]]:
        """The evidence, unless it is visible all the time."""
        whole = 0.95 * (self.end_s - self.timestamps_s[0])
        return [(low, high) for low, high in self.spans_s if high - low < whole]

    def shows_evidence(self, time_s: float) -> bool:
        """Whether a frame shown at `time_s` lies in the marked evidence."""
        return any(low <= time_s < high for low, high in self.marked_s)

    @property
    def strips(self) -> list[str]:
        """The selectors whose picks are shown as pictures."""
        return [name for name in self.pictured if name in self.picks]

    @property
    def lanes(self) -> list[str]:
        """The others."""
        return [name for name in self.picks if name not in self.strips]


def draw_examples(examples: Sequence[Example], note: str = "") -> Figure:
    """One block per example; note: lines for the top of the figure."""
    heights = [_height(example) for example in examples]
    head = 0.22 * len(note.splitlines()) + (0.1 if note else 0)
    figure = style.new(WIDTH, max(1.0, sum(heights) + head))
    figure.set_layout_engine("none")
    if note:
        figure.text(0.012, 1 - 0.08 / figure.get_figheight(), note, va="top", fontsize=10, color="#444444")
    top = head
    for example, height in zip(examples, heights, strict=True):
        _block(figure, example, top)
        top += height
    return figure


def _height(example: Example) -> float:
    curve = CURVE if example.likelihood is not None else 0.18
    return HEAD + curve + STRIP * len(example.strips) + LANE * len(example.lanes) + AXIS + GAP


def _place(figure: Figure, top: float, height: float) -> Axes:
    """Axes as wide as the time axis, whose upper edge is so many inches from the figure's."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((LEFT / wide, 1 - (top + height) / high, (WIDTH - LEFT - RIGHT) / wide, height / high))


def _block(figure: Figure, example: Example, top: float) -> None:
    names = dict(zip(example.picks, readable(list(example.picks)), strict=True))
    _heading(figure, example, top)
    top += HEAD
    if example.likelihood is not None:
        _curve(_place(figure, top, CURVE - 0.06), example)
        top += CURVE
    else:
        top += 0.18
    for name in example.strips:
        _strip(_place(figure, top, STRIP), example, name, names[name])
        top += STRIP
    _lanes(_place(figure, top, max(0.02, LANE * len(example.lanes))), example, names)


def _heading(figure: Figure, example: Example, top: float) -> None:
    wide, high = figure.get_size_inches()
    asked = example.question
    text = textwrap.shorten(" ".join(asked.question.split()), 88)
    figure.text(RIGHT / wide, 1 - (top + 0.06) / high, text, va="top", fontsize=13, fontweight="bold")
    source = ", ".join(filter(None, (asked.dataset, asked.category)))
    figure.text(1 - RIGHT / wide, 1 - (top + 0.1) / high, source, va="top", ha="right", fontsize=9, color=INK)
    options = [f"{letter}. {text}" for letter, text in zip(LETTERS, asked.options, strict=False)]
    right = f"     right: {options[asked.answer_index]}" if 0 <= asked.answer_index < len(options) else ""
    line = textwrap.shorten(" · ".join(options), 90, placeholder=" …") + right
    figure.text(RIGHT / wide, 1 - (top + 0.34) / high, line, va="top", fontsize=9, color=INK)
    figure.text(
        1 - RIGHT / wide, 1 - (top + 0.34) / high, example.outcome, va="top", ha="right", fontsize=10, fontweight="bold"
    )


def _on_time(axes: Axes, example: Example) -> None:
    """The shared time axis, with the evidence between dashed lines."""
    for low, high in example.marked_s:
        axes.axvspan(low, high, color=EVIDENCE, alpha=0.22, linewidth=0, zorder=0)
        for edge in (low, high):
            axes.axvline(edge, color=WRONG_COLOUR, linestyle="--", linewidth=1, zorder=0)
    axes.set_xlim(example.timestamps_s[0], example.end_s)
    axes.grid(False)


def _curve(axes: Axes, example: Example) -> None:
    """How often the policy picks each frame."""
    _on_time(axes, example)
    shares = 100 * np.asarray(example.likelihood)
    edges = [*example.timestamps_s, example.end_s]
    axes.stairs(shares, edges, fill=True, color=style.BLUE, alpha=0.55)
    axes.set_ylim(0, max(1.0, 1.1 * shares.max()))
    axes.tick_params(labelbottom=False, length=2, labelsize=8)
    axes.locator_params(axis="y", nbins=2)
    axes.text(-0.045, 0.5, "picked in % of\nthe samples", transform=axes.transAxes, ha="right", va="center", fontsize=9)


def _strip(axes: Axes, example: Example, name: str, title: str) -> None:
    """One selector's frames, as near to their times as they fit side by side, each joined to its time."""
    _on_time(axes, example)
    picked, colour = example.picks[name], _colour(name)
    start, end = example.timestamps_s[0], example.end_s
    inch = (end - start) / (WIDTH - LEFT - RIGHT)  # seconds that are as wide as an inch
    numbers = _shown(len(picked.timestamps_s))
    side = min(PICTURE, (WIDTH - LEFT - RIGHT) / max(1, len(numbers)))
    times = [picked.timestamps_s[number] for number in numbers]
    foot = STRIP - 0.1 - JOIN
    for number, time_s, middle in zip(numbers, times, spread(times, side * inch, start, end), strict=True):
        half = 0.47 * side * inch
        box = (middle - half, middle + half, foot, foot - 0.94 * side)
        axes.imshow(picked.images[number], extent=box, aspect="auto", interpolation="bilinear", zorder=2)
        if example.shows_evidence(time_s):
            frame = Rectangle((box[0], box[3]), box[1] - box[0], box[2] - box[3], fill=False, edgecolor="black")
            frame.set(linewidth=2.5, zorder=3, clip_on=False)
            axes.add_patch(frame)
        axes.plot([middle, time_s], [foot, foot + JOIN], color=colour, linewidth=1.2, clip_on=False)
    _marks(axes, picked.timestamps_s, foot + JOIN, colour)
    if not numbers:
        axes.text(start, foot - 0.3, " no frames", va="center", fontsize=9, color=style.GREY)
    axes.set_ylim(STRIP, 0)
    style.quiet(axes)
    axes.axhline(foot + JOIN, color="#C8C8C8", linewidth=0.8, zorder=0)
    at: dict[str, Any] = {"transform": axes.transAxes, "ha": "right"}
    axes.text(-0.015, 0.66, title, va="center", fontsize=11, fontweight="bold", color=_ink(name), **at)
    axes.text(-0.015, 0.40, _answer(example.question, picked), va="center", fontsize=9, color=_verdict(picked), **at)


def spread(times: Sequence[float], width: float, start: float, end: float) -> list[float]:
    """Middles for boxes of one width, in order and without overlap inside [start, end], as near to `times` as can be.

    Least squares under the order, which is isotonic regression once the boxes before each are taken off.
    """
    if not times:
        return []
    offsets = width * np.arange(len(times))
    fitted = isotonic_regression(np.asarray(times) - offsets).x
    low, high = start + width / 2, end - width / 2 - offsets[-1]
    return (np.clip(fitted, low, max(low, high)) + offsets).tolist()


def _shown(count: int) -> list[int]:
    """Which of so many picks are shown as pictures."""
    if count <= MOST_PICTURES:
        return list(range(count))
    return [int((i + 0.5) * count / MOST_PICTURES) for i in range(MOST_PICTURES)]


def _marks(axes: Axes, times: Sequence[float], height: float, colour: str) -> None:
    if len(times) > MOST_MARKS:
        axes.plot(times, [height] * len(times), "|", color=colour, markersize=6)
        return
    axes.plot(
        times,
        [height] * len(times),
        "v",
        color=colour,
        markersize=6,
        markeredgecolor="black",
        markeredgewidth=0.5,
        clip_on=False,
    )


def _lanes(axes: Axes, example: Example, names: Mapping[str, str]) -> None:
    """A lane per selector that has no pictures, with a mark at each pick, and the time axis."""
    _on_time(axes, example)
    for lane, name in enumerate(example.lanes):
        axes.axhline(lane, color="#E6E6E6", linewidth=0.8, zorder=0)
        _marks(axes, example.picks[name].timestamps_s, lane, _colour(name))
    titles = [f"{names[name]} {example.picks[name].mark}" for name in example.lanes]
    axes.set_yticks(range(len(example.lanes)), titles, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(max(1, len(example.lanes)) - 0.5, -0.5)
    axes.set_xlabel("seconds", labelpad=1, fontsize=9)


def _answer(question: Question, picked: Picked) -> str:
    """`C. orange ✓ 78 %`, as far as that is known: a written answer has no share, and may name no option."""
    given = picked.prediction
    if given < 0:
        return picked.mark
    option = textwrap.shorten(question.options[given], 16, placeholder="…")
    share = f" {100 * picked.shares[given]:.0f} %" if picked.shares else ""
    return f"{LETTERS[given]}. {option} {picked.mark}{share}"


def _verdict(picked: Picked) -> str:
    return {True: "#00704F", False: "#A84900", None: INK}[picked.correct]


def _colour(name: str) -> str:
    return style.KIND_COLOURS.get(kind_of(name), style.ORANGE)


def _ink(name: str) -> str:
    """A selector's colour, dark enough for text on white."""
    return {style.GREY: INK, style.ORANGE: "#9A6A00"}.get(_colour(name), _colour(name))
