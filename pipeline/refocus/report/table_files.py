"""Tables: CSV for programs, Markdown and a page for readers, LaTeX for papers. In percent, but for plain amounts."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.files import write_text
from refocus.evaluate.scoring import Outcome, Score
from refocus.report.pages.table_page import table_page

LATEX = str.maketrans(
    {
        **{sign: "\\" + sign for sign in "%_&#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "–": "--",
        "→": r"$\to$",
        "Δ": r"$\Delta$",
        "τ": r"$\tau$",
    }
)
# Around the tabular: graphicx's boxes leave it as it is where it fits, and leave room for the caption.
FIT_HEIGHT = r"\resizebox*{!}{\ifdim\totalheight>.7\textheight .7\textheight\else\totalheight\fi}{%"
FIT_WIDTH = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
PIPE = r"\|"  # in Markdown
MISSING, NO_VIDEO = "not run", "no video"


@dataclass(frozen=True)
class Coverage:
    """What is behind a figure: questions asked, those of them without a readable video, and those with short clips."""

    asked: int = 0
    without_video: int = 0
    short: int = 0

    @property
    def remarks(self) -> list[str]:
        """What readers must know of it: `12 of 180 without video`, `60 short`."""
        lost = [f"{self.without_video} of {self.asked} without video"] * (0 < self.without_video < self.asked)
        none = [f"for any of {self.asked}"] * (0 < self.without_video == self.asked)  # behind `no video`
        return none + lost + [f"{self.short} short"] * bool(self.short)

    @classmethod
    def of(cls, counted: Sequence[Outcome], lost: Sequence[Outcome], frames: int) -> "Coverage":
        """Of the results that count and the questions without a video, where so many frames were asked for."""
        return cls(len(counted) + len(lost), len(lost), sum(outcome.n_frames < frames for outcome in counted))


@dataclass(frozen=True)
class Cell:
    """One figure: a score, its gains, the paper's number; or a plain amount, which is no percentage.

    Without either, `why` says what is missing. gain: over uniform; over_best: over the best selector without training,
    which is called `best`; is_best: this is its own figure.
    """

    score: Score | None = None
    gain: Score | None = None
    over_best: Score | None = None
    best: str = ""
    is_best: bool = False
    paper: float | None = None
    paper_gain: float | None = None
    interval: bool = False  # whether readers see the interval
    why: str = MISSING
    amount: float | None = None
    plain: Score | None = None  # with an interval, but no percentage
    coverage: Coverage = Coverage()

    def text(self, plus_minus: str = "–") -> str:
        """For readers: `66.0 [64.2–67.8] (+1.3*; +0.2) 12 short`, then `paper 66.0`."""
        if self.amount is not None:
            parts = [f"{self.amount:.0f}" if abs(self.amount) >= 100 else f"{self.amount:.3g}"]
        elif self.plain is not None:
            parts = [f"{self.plain.value:.2f}"]
            if self.plain.low is not None and self.plain.high is not None:
                parts.append(_range(f"{self.plain.low:.2f}", f"{self.plain.high:.2f}", plus_minus))
        elif self.score is None:
            parts = [self.why]
        else:
            parts = [_percent(self.score.value)]
            if self.interval and self.score.low is not None and self.score.high is not None:
                parts.append(_range(_percent(self.score.low), _percent(self.score.high), plus_minus))
            if self.gain is not None:
                over_best = [_signed(self.over_best)] if self.over_best else ["best"] * self.is_best
                parts.append(f"({'; '.join([_signed(self.gain), *over_best])})")
        parts += self.coverage.remarks
        if self.paper is not None:
            digits = 1 if self.plain is None else 2
            gained = f" ({self.paper_gain:+.1f})" if self.paper_gain is not None else ""
            parts.append(f"paper {self.paper:.{digits}f}{gained}")
        return " ".join(parts)

    def values(self) -> dict[str, float | int | str | None]:
        """For programs: every number under its name."""
        value, low, high = _percents(self.score) if self.plain is None else _ends(self.plain)
        gain, gain_low, gain_high = _percents(self.gain)
        return {
            "": value if self.amount is None else float(f"{self.amount:.6g}"),
            "low": low,
            "high": high,
            "n": counted.n if (counted := self.plain or self.score) else 0,
            "gain": gain,
            "gain_low": gain_low,
            "gain_high": gain_high,
            "paper": self.paper,
            "paper_gain": self.paper_gain,
            **dict(zip(("best_gain", "best_gain_low", "best_gain_high"), _percents(self.over_best), strict=True)),
            "best": self.best or None,
            "without_video": self.coverage.without_video,
            "short": self.coverage.short,
        }


@dataclass(frozen=True)
class Table:
    """A titled table. labels: names of the leading text columns. columns: key (for CSV) and title (for readers)."""

    title: str
    labels: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = field(default=())


def write(table: Table, out: Path, name: str) -> list[Path]:
    """Writes NAME.csv, NAME.md, NAME.tex and NAME.html into `out`."""
    numbers, words = to_csv(table), to_markdown(table)
    texts = {"csv": numbers, "md": words, "tex": to_latex(table), "html": table_page(name, numbers, words)}
    for suffix, text in texts.items():
        write_text(Path(out) / f"{name}.{suffix}", text)
    return [Path(out) / f"{name}.{suffix}" for suffix in texts]


def to_csv(table: Table) -> str:
    """One line per row; each column spreads over everything in its cells (docs/data_dictionary.md)."""
    parts = list(Cell().values())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.labels, *(f"{key}.{part}" if part else key for key, _ in table.columns for part in parts)])
    for labels, cells in table.rows:
        numbers = [cell.values()[part] for cell in cells for part in parts]
        writer.writerow([*labels, *("" if number is None else number for number in numbers)])
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """Title, aligned table, notes."""
    head = [*table.labels, *(title for _, title in table.columns)]
    body = [[*labels, *(cell.text() for cell in cells)] for labels, cells in table.rows]
    head, *body = [[text.replace("|", PIPE) for text in row] for row in [head, *body]]
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    left = len(table.labels)

    def line(row: Sequence[str]) -> str:
        padded = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i < left else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    lines = [f"**{table.title}**", "", line(head), rule, *map(line, body)]
    return "\n".join(lines + ([""] if table.notes else []) + [f"- {note}" for note in table.notes])


def to_latex(table: Table) -> str:
    """A booktabs tabular in a table float, made smaller where it would be wider or higher than the page."""
    head = " & ".join(_escape(text) for text in [*table.labels, *(title for _, title in table.columns)])
    body = [
        " & ".join(_escape(text) for text in [*labels, *(cell.text("--") for cell in cells)])
        for labels, cells in table.rows
    ]
    align = "l" * len(table.labels) + "r" * len(table.columns)
    title = re.sub(r"^Table \d+: ", "", table.title)  # LaTeX counts by itself
    caption = _escape(
        " ".join([title[:1].upper() + title[1:] + ".", *(note.rstrip(".") + "." for note in table.notes)])
    )
    lines = ["% needs the packages booktabs and graphicx", r"\begin{table}", r"\centering", FIT_HEIGHT, FIT_WIDTH]
    lines += [rf"\begin{{tabular}}{{{align}}}", r"\toprule", head + r" \\", r"\midrule"]
    lines += [row + r" \\" for row in body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}}", rf"\caption{{{caption}}}", r"\end{table}"])


def _escape(text: str) -> str:
    """A minus sign is one before a number only; after a digit, a dot or a dash it is a hyphen or part of a dash."""
    text = re.sub(r"(?<![\w.-])-(?=\d)", "$-$", text.translate(LATEX))
    return "{}" * text.startswith(("[", "*")) + text  # which the end of the row before would take for its own


def _percent(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}"  # never -0.0


def _range(low: str, high: str, dash: str) -> str:
    """`[1.2–3.4]`, but `[-1.2, 3.4]`, where a dash would be read as a sign."""
    return f"[{low}{', ' if low.startswith('-') else dash}{high}]"


def _signed(lead: Score) -> str:
    """A gain with its sign, starred where its interval does not hold 0."""
    sure = lead.low is not None and lead.high is not None and not lead.low <= 0 <= lead.high
    return f"{round(100 * lead.value, 1) + 0.0:+.1f}" + "*" * sure  # never -0.0


def _percents(score: Score | None) -> tuple[float | None, float | None, float | None]:
    """A score and the ends of its interval, in percent."""
    return (None, None, None) if score is None else (_rounded(score.value), _rounded(score.low), _rounded(score.high))


def _ends(score: Score) -> tuple[float | None, float | None, float | None]:
    """A score and the ends of its interval, to six digits."""
    low, high = (None if end is None else round(end, 6) for end in (score.low, score.high))
    return round(score.value, 6), low, high


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 4)
