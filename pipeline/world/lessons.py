"""What the tiny models are taught: multiple choice, naming, and finding an option by its text.

Multiple choice alone stays at chance for a thousand steps. Naming what is seen and looking up an option teach its two
halves separately, and the mixture learns all three.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.world.questions import MOMENT_KINDS, STATIC_KINDS, ask
from pipeline.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, Event, Scene

LETTERS = "ABCDE"
POOLS = (tuple(COLORS), tuple(PLACES), tuple(BACKGROUNDS), tuple(CORNERS))
Mix = tuple[float, float, float]  # shares of choosing, naming and finding
# from which share of the training on: the mix, and how many of the frame counts are in use
CURRICULUM: tuple[tuple[float, Mix, int], ...] = (
    (0.0, (0.0, 0.0, 1.0), 1),
    (0.25, (0.0, 0.7, 0.3), 2),
    (0.4, (0.4, 0.4, 0.2), 3),
    (0.6, (0.7, 0.2, 0.1), 5),
)


@dataclass(frozen=True)
class Lesson:
    """A question and the one token that answers it; no options means that the answer is named."""

    task: str  # choose, name or find
    kind: str
    text: str
    options: tuple[str, ...]
    answer: str


def sample_lesson(
    rng: np.random.Generator, scene: Scene, events: Sequence[Event], mix: Mix
) -> Lesson:
    """One lesson about a scene, on a moment of `events` where there are any."""
    task = str(rng.choice(("choose", "name", "find"), p=mix))
    count = int(rng.choice((4, 5), p=(0.75, 0.25)))
    mark = "?" if rng.random() < 0.75 else ""
    if task == "find":
        pool = POOLS[int(rng.integers(len(POOLS)))]
        options = tuple(str(word) for word in rng.permutation(pool)[:count])
        place = int(rng.integers(len(options)))
        return Lesson(task, "find", f"which letter says {options[place]}{mark}", options, LETTERS[place])
    moment = bool(events) and rng.random() < 0.8
    kind = str(rng.choice(MOMENT_KINDS if moment else STATIC_KINDS))
    event = events[int(rng.integers(len(events)))] if moment else None
    question = ask(rng, scene, kind, count, event)
    if task == "name":
        return Lesson(task, kind, question.text + mark, (), question.answer.split()[0])
    return Lesson(task, kind, question.text + mark, question.options, LETTERS[question.answer_index])


def curriculum(done: float) -> tuple[Mix, int]:
    """The mix of lessons, and how many frame counts are in use, when a share `done` of the training has passed."""
    return next((mix, counts) for start, mix, counts in reversed(CURRICULUM) if done >= start)


class Marks:
    """Running accuracy per task over the last few hundred lessons, for the progress bar and the scores."""

    def __init__(self, window: int = 400):
        self.window = window
        self.right: dict[str, list[bool]] = {}

    def add(self, task: str, right: bool) -> None:
        """Counts one lesson."""
        row = self.right.setdefault(task, [])
        row.append(right)
        del row[: -self.window]

    def share(self, task: str) -> float:
        """Share of right answers, NaN before the first."""
        return float(np.mean(self.right[task])) if task in self.right else float("nan")

    def shown(self) -> dict[str, str]:
        """What a progress bar shows."""
        return {task: f"{self.share(task):.2f}" for task in sorted(self.right)}
