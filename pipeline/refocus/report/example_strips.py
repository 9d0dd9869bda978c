"""Figure 9: what was asked, when it can be seen, which frames each selector picked, and what was answered from them.

Sizes are in inches: the blocks hold pictures, so everything is placed by hand instead of by a layout engine.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refocus.config.selectors import kind_of
from refocus.lmm.prompts import LETTERS
from refocus.qa.records import Question
from refocus.report import style

PANELS = (
    "uniform",
    "refocus",
)  # kinds of selectors whose frames are shown as pictures; all have a lane on the time line
MOST_PICTURES = 12  # of one selector; of more picks, so many evenly spread ones are shown
WIDTH, LEFT, RIGHT = 10.0, 1.85, 0.15
TITLE, STRIP, LANE, AXIS, PANEL, GAP = 0.72, 0.66, 0.21, 0.66, 1.66, 0.12
RIGHT_COLOUR, WRONG_COLOUR, EVIDENCE = style.GREEN, style.VERMILION, style.ORANGE


@dataclass(frozen=True)
class Picked:
    """What one selector picked for a question, and what the LMM answered from it.

    images: uint8 (n, h, w, 3), in temporal order. timestamps_s: when each is shown, in seconds of the file. shares: the
    softmax over the option logits, empty where the LMM was not asked. correct: None where it was not asked.
    """

    images: np.ndarray
    timestamps_s: Sequence[float]
    shares: Sequence[float] = ()
    correct: bool | None = None

    @property
    def mark(self) -> str:
        """✓, ✗, or nothing where there is no answer."""
        return {True: "✓", False: "✗", None: ""}[self.correct]


@dataclass(frozen=True)
class Example:
    """One question about one clip.

    overview: uint8 (m, h, w, 3), evenly spaced over the clip. timestamps_s: when each kept frame is shown. picks: by
    selector. marginal: the policy's selection probability of each kept frame (Eq. 10), or None. spans_s: when the
    evidence is visible, or empty; a span that covers the whole clip is not drawn.
    """

    question: Question
    overview: np.ndarray
    timestamps_s: Sequence[float]
    picks: Mapping[str, Picked]
    marginal: Sequence[float] | None = None
    spans_s: Sequence[tuple[float, float]] = field(default=())

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
    def panels(self) -> list[str]:
        """The selectors whose picks are shown as pictures."""
        return [name for name in self.picks if kind_of(name) in PANELS]


def draw_examples(examples: Sequence[Example], note: str = "") -> Figure:
    """One block per example: the clip over time with all picks, below it the frames picked and the answers.

    note: a line for the top of the figure.
    """
    heights = [_height(example) for example in examples]
    head = 0.25 * len(note.splitlines())
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
    return TITLE + STRIP + LANE * len(example.picks) + AXIS + PANEL * math.ceil(len(example.panels) / 2) + GAP


def _place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes whose upper left corner is so many inches from the figure's."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _block(figure: Figure, example: Example, top: float) -> None:
    wide, high = figure.get_size_inches()
    asked = example.question
    text = textwrap.shorten(" ".join(asked.question.split()), 100)
    figure.text(RIGHT / wide, 1 - (top + 0.12) / high, text, va="top", fontsize=13, fontweight="bold")
    source = ", ".join(filter(None, (asked.dataset, asked.category)))
    figure.text(1 - RIGHT / wide, 1 - (top + 0.14) / high, source, va="top", ha="right", fontsize=9, color="#666666")
    top += TITLE
    inside = WIDTH - LEFT - RIGHT
    _overview(_place(figure, LEFT, top, inside, STRIP), example)
    _lanes(_place(figure, LEFT, top + STRIP + 0.04, inside, LANE * len(example.picks)), example)
    top += STRIP + LANE * len(example.picks) + AXIS
    width = (WIDTH - 2 * RIGHT) / 2
    for number, name in enumerate(example.panels):
        _panel(figure, example, name, RIGHT + (number % 2) * width, top + PANEL * (number // 2), width - 0.2)


def _overview(axes: Axes, example: Example) -> None:
    """Evenly spaced frames of the clip at their times, the evidence framed."""
    style.quiet(axes)
    start, end = example.timestamps_s[0], example.end_s
    step = (end - start) / len(example.overview)
    for number, image in enumerate(example.overview):
        left = start + number * step
        axes.imshow(
            image, extent=(left + 0.015 * step, left + 0.985 * step, 0, 1), aspect="auto", interpolation="bilinear"
        )
    for low, high in example.marked_s:
        frame = Rectangle((low, 0), high - low, 1, fill=False, edgecolor=EVIDENCE, linewidth=2.5, clip_on=False)
        axes.add_patch(frame)
        x = (low + high) / 2
        axes.text(x, 1.06, "evidence", ha="center", va="bottom", fontsize=9, fontweight="bold", color="#9A6A00")
    axes.set(xlim=(start, end), ylim=(0, 1))
    axes.text(-0.012, 0.5, "the video", transform=axes.transAxes, ha="right", va="center", fontsize=10)


def _lanes(axes: Axes, example: Example) -> None:
    """A lane per selector with a mark at each pick; in the policy's, how likely each frame is to be picked."""
    for low, high in example.marked_s:
        axes.axvspan(low, high, color=EVIDENCE, alpha=0.3, linewidth=0)
    ours = next((name for name in example.picks if kind_of(name) == "refocus"), None)  # whose likelihood `marginal` is
    for lane, (name, picked) in enumerate(example.picks.items()):
        colour = _colour(name)
        if name == ours and example.marginal is not None and max(example.marginal) > 0:
            heights = 0.9 * np.asarray(example.marginal) / max(example.marginal)
            foot = lane + 0.5
            axes.fill_between(
                example.timestamps_s, foot, foot - heights, step="post", color=colour, alpha=0.25, linewidth=0
            )
        lanes = [lane] * len(picked.timestamps_s)
        axes.plot(
            picked.timestamps_s, lanes, "v", color=colour, markersize=7, markeredgecolor="black", markeredgewidth=0.6
        )
    axes.set_yticks(range(len(example.picks)), [f"{name} {picked.mark}" for name, picked in example.picks.items()])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(ylim=(len(example.picks) - 0.5, -0.5), xlim=(example.timestamps_s[0], example.end_s))
    axes.set_xlabel("seconds", labelpad=1, fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", visible=False)


def _panel(figure: Figure, example: Example, name: str, left: float, top: float, width: float) -> None:
    """One selector: a heading with the answer, its frames with their times, and the share of each option."""
    wide, high = figure.get_size_inches()
    picked = example.picks[name]
    heading = f"{name}, {len(picked.timestamps_s)} frames"
    figure.text(left / wide, 1 - top / high, heading, va="top", fontsize=11, fontweight="bold", color=_ink(name))
    strip, room = 0.5 * width, PANEL - 0.3
    _pictures(_place(figure, left, top + 0.27, strip, room), example, picked, strip, room)
    if picked.shares:
        bars = _place(figure, left + strip + 1.0, top + 0.3, width - strip - 1.6, room - 0.3)
        _answer(bars, example.question, picked)


def _pictures(axes: Axes, example: Example, picked: Picked, width: float, height: float) -> None:
    """The frames that were picked, in temporal order; those that show the evidence are underlined."""
    style.quiet(axes)
    axes.set(xlim=(0, width), ylim=(height, 0))
    shown = list(range(len(picked.timestamps_s)))
    if len(shown) > MOST_PICTURES:
        shown = [int((i + 0.5) * len(picked.timestamps_s) / MOST_PICTURES) for i in range(MOST_PICTURES)]
    if not shown:
        axes.text(0, height / 2, "no frames", va="center", fontsize=10, color=style.GREY)
        return
    caption = 0.2
    columns = max(range(1, len(shown) + 1), key=lambda c: _side(len(shown), c, width, height, caption))
    side = _side(len(shown), columns, width, height, caption)
    for place, number in enumerate(shown):
        x, y = (place % columns) * side, (place // columns) * (side + caption)
        edge = x + 0.95 * side
        axes.imshow(picked.images[number], extent=(x, edge, y + 0.95 * side, y), interpolation="bilinear")
        time_s = picked.timestamps_s[number]
        evidence = example.shows_evidence(time_s)
        if evidence:
            axes.plot((x, edge), [y + 0.97 * side] * 2, color=EVIDENCE, linewidth=4, solid_capstyle="butt")
        axes.text(
            x + 0.475 * side,
            y + 0.99 * side,
            f"{time_s:.1f} s",
            fontweight="bold" if evidence else None,
            ha="center",
            va="top",
            fontsize=9 if side > 0.7 else 6.5,
        )
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", anchor="NW")


def _side(count: int, columns: int, width: float, height: float, caption: float) -> float:
    """The side of `count` square pictures in so many columns, each with a caption below."""
    return min(width / columns, height / math.ceil(count / columns) - caption)


def _answer(axes: Axes, question: Question, picked: Picked) -> None:
    """A bar per option: the softmax of the option logits. The answer given is dark, the right one says so."""
    given = int(np.argmax(picked.shares))
    colours = [
        (RIGHT_COLOUR if picked.correct else WRONG_COLOUR) if number == given else "#C8C8C8"
        for number in range(len(picked.shares))
    ]
    places = range(len(picked.shares))
    axes.barh(places, picked.shares, 0.72, color=colours)
    for number, share in enumerate(picked.shares):
        weight = "bold" if number == given else None
        text = f"{100 * share:.0f} %" + (f" {picked.mark}" if number == given else "")
        axes.text(share + 0.03, number, text, va="center", fontsize=9, fontweight=weight, clip_on=False)
    names = [
        f"{letter}. {textwrap.shorten(option, 18, placeholder='…')}"
        for letter, option in zip(LETTERS, question.options, strict=False)
    ]
    axes.set_yticks(places, names, fontsize=9)
    for number, label in enumerate(axes.get_yticklabels()):
        label.set_fontweight("bold" if number == question.answer_index else "normal")
    axes.set(xlim=(0, 1), ylim=(len(picked.shares) - 0.4, -0.6))
    axes.tick_params(bottom=False, labelbottom=False, left=False)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)


def _colour(name: str) -> str:
    return style.KIND_COLOURS.get(kind_of(name), style.ORANGE)


def _ink(name: str) -> str:
    """A selector's colour, dark enough for text on white."""
    return {style.GREY: "#5A5A5A"}.get(_colour(name), _colour(name))
