"""Figure 9: what was asked, when it can be seen, and which frames each selector took."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refocus.lmm.prompts import LETTERS
from refocus.qa.records import Question
from refocus.report import style


@dataclass(frozen=True)
class Example:
    """One question about one clip.

    thumbnails: uint8 (n, h, w, 3), evenly spread over the clip. times_s: when each kept frame is shown. picks: times in
    seconds and whether the LMM then answered rightly (None: unknown), by selector. marginal: the policy's selection
    probability of each kept frame (Eq. 10), or None. spans_s: when the evidence is visible, or
    empty; a span that covers the whole clip is not drawn.
    """

    question: Question
    thumbnails: np.ndarray
    times_s: Sequence[float]
    picks: Mapping[str, tuple[Sequence[float], bool | None]]
    marginal: Sequence[float] | None = None
    spans_s: Sequence[tuple[float, float]] = ()


def draw_examples(examples: Sequence[Example], note: str = "") -> Figure:
    """One block per example: thumbnails over time, and below them the picks and the policy's preference."""
    rows = max((len(example.picks) for example in examples), default=0)
    below = 0.5 + 0.28 * rows
    figure = style.new(12, max(1, len(examples)) * (1.75 + below) + 0.4)
    blocks = figure.subfigures(max(1, len(examples)), 1, squeeze=False).flat
    for example, block in zip(examples, blocks, strict=False):
        top, bottom = block.subplots(2, 1, sharex=True, height_ratios=[1.0, below], gridspec_kw={"hspace": 0.02})
        top.set_title(_title(example.question), loc="left", fontsize=10)
        _thumbnails(top, example)
        _picks(bottom, example)
    legend = "red dashes: evidence visible · triangles: picks, ✓ ✗: answered from them"
    if any(example.marginal is not None for example in examples):
        legend += " · shaded: the policy's selection probability (Eq. 10, scaled)"
    figure.suptitle("What is picked for a question" + (f" ({note})" if note else "") + f"\n{legend}", fontsize=10)
    return figure


def _title(question: Question) -> str:
    options = [
        f"{letter}. {text}" + (" ✓" if number == question.answer_index else "")
        for number, (letter, text) in enumerate(zip(LETTERS, question.options, strict=False))
    ]
    text = f"{' '.join(question.question.split())}   {'   '.join(options)}"
    return "\n".join(textwrap.wrap(text, 130)[:2]) + (f"   [{question.category}]" if question.category else "")


def _end(example: Example) -> float:
    times = example.times_s
    return times[-1] + (times[1] - times[0] if len(times) > 1 else 1.0)


def _marked(example: Example) -> list[tuple[float, float]]:
    whole = 0.95 * (_end(example) - example.times_s[0])
    return [(low, high) for low, high in example.spans_s if high - low < whole]


def _thumbnails(axes: Axes, example: Example) -> None:
    style.quiet(axes)
    start, end = example.times_s[0], _end(example)
    step = (end - start) / len(example.thumbnails)
    for number, image in enumerate(example.thumbnails):
        left = start + number * step
        axes.imshow(
            image, extent=(left + 0.02 * step, left + 0.98 * step, 0, 1), aspect="auto", interpolation="bilinear"
        )
    for low, high in _marked(example):
        axes.add_patch(
            Rectangle((low, 0.01), high - low, 0.98, fill=False, edgecolor="red", linestyle="--", linewidth=2)
        )
    axes.set(xlim=(start, end), ylim=(0, 1))


def _picks(axes: Axes, example: Example) -> None:
    names = list(example.picks)
    for low, high in _marked(example):
        axes.axvspan(low, high, color="red", alpha=0.1, linewidth=0)
        for edge in (low, high):
            axes.axvline(edge, color="red", linestyle="--", linewidth=1)
    if example.marginal is not None and max(example.marginal) > 0:
        heights = np.asarray(example.marginal) / max(example.marginal)
        floor = len(names) - 0.5
        shape = {"step": "post", "color": style.BLUE, "alpha": 0.18, "linewidth": 0}
        axes.fill_between(example.times_s, floor, floor - heights * len(names), **shape)
    labels = []
    for row, name in enumerate(names):
        times, right = example.picks[name]
        colour = style.KIND_COLOURS.get(name.split("/")[0], style.ORANGE)
        axes.plot(
            times, [row] * len(times), "v", color=colour, markersize=8, markeredgecolor="black", markeredgewidth=0.6
        )
        labels.append(name + {True: " ✓", False: " ✗", None: ""}[right])
    axes.set_yticks(range(len(names)), labels)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(example.times_s[0], _end(example)), xlabel="seconds")
    axes.grid(axis="x", visible=False)
