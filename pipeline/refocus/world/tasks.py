"""What the tiny models are taught: multiple choice, naming, and finding an option by its text.

One letter at the end of a question is too little to learn from: trained on it alone, both models stay at chance for
thousands of steps. So every task also asks, where the question ends, for the answer's word, and after each option
whether it is the right one. All of this follows from the answer; labels of frames are in `alignment.py` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from refocus.world.questions import MOMENT_KINDS, STATIC_KINDS, ask
from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, Event, Scene

LETTERS = "ABCDE"
YES, NO = "yes", "no"
WORD_WEIGHT, OPTION_WEIGHT = 2.0, 0.3  # beside the answer's own 1: reading the frames is the hard part
POOLS = (tuple(COLORS), tuple(PLACES), tuple(BACKGROUNDS), tuple(CORNERS))
Mix = tuple[float, float, float]  # shares of choosing, naming and finding
# from which share of the training on: the mix, and how many of the frame counts are in use
CURRICULUM: tuple[tuple[float, Mix, int], ...] = (
    (0.0, (0.5, 0.2, 0.3), 2),
    (0.3, (0.6, 0.2, 0.2), 3),
    (0.5, (0.75, 0.15, 0.1), 5),
)


@dataclass(frozen=True)
class Task:
    """A question and the one token that answers it; no options means that the answer is named."""

    form: str  # choose, name or find
    kind: str
    text: str
    options: tuple[str, ...]
    answer: str  # a letter, or the word where there are no options
    word: str  # the first word of the right option


def sample_task(rng: np.random.Generator, scene: Scene, events: Sequence[Event], mix: Mix) -> Task:
    """One task about a scene, on a moment of `events` where there are any."""
    form = str(rng.choice(("choose", "name", "find"), p=mix))
    count = int(rng.choice((4, 5), p=(0.75, 0.25)))
    ending = "?" if rng.random() < 0.75 else ""
    if form == "find":
        pool = POOLS[int(rng.integers(len(POOLS)))]
        options = tuple(str(word) for word in rng.permutation(pool)[:count])
        place = int(rng.integers(len(options)))
        return Task(
            form, "find", f"which letter says {options[place]}{ending}", options, LETTERS[place], _first(options[place])
        )
    moment = bool(events) and rng.random() < 0.8
    kind = str(rng.choice(MOMENT_KINDS if moment else STATIC_KINDS))
    event = events[int(rng.integers(len(events)))] if moment else None
    question = ask(rng, scene, kind, count, event)
    word = _first(question.answer)
    if form == "name":
        return Task(form, kind, question.text + ending, (), word, word)
    return Task(form, kind, question.text + ending, question.options, LETTERS[question.answer_index], word)


def supervise(tokenizer: Any, text: str, task: Task) -> tuple[list[int], list[tuple[int, int, float]]]:
    """Token ids of a task's prompt and what is asked of them: (position, token that is due after it, its weight).

    The last pair is the answer; before it come the answer's word at the end of the question and yes or no at the end
    of each option.
    """
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ends = {end: position for position, (_, end) in enumerate(encoded["offset_mapping"])}
    at = text.index(task.text) + len(task.text)
    words = [(ends[at], task.word, WORD_WEIGHT)]
    for letter, option in zip(LETTERS, task.options, strict=False):
        line = f"\n{letter}. {option}"
        at = text.index(line, at) + len(line)
        words.append((ends[at], YES if letter == task.answer else NO, OPTION_WEIGHT))
    words.append((len(encoded["input_ids"]) - 1, task.answer, 1.0))
    return encoded["input_ids"], [(at, tokenizer.convert_tokens_to_ids(word), weight) for at, word, weight in words]


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the cross entropies of what is due."""
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum() / weights.sum()


def _first(option: str) -> str:
    return option.split()[0]


def curriculum(done: float) -> tuple[Mix, int]:
    """The mix of tasks, and how many frame counts are in use, when a share `done` of the training has passed."""
    return next((mix, counts) for start, mix, counts in reversed(CURRICULUM) if done >= start)


class RunningAccuracy:
    """Running accuracy per form of task over the last few hundred tasks, for the progress bar and the scores."""

    def __init__(self, window: int = 400):
        self.window = window
        self.right: dict[str, list[bool]] = {}

    def add(self, name: str, right: bool) -> None:
        """Counts one task."""
        row = self.right.setdefault(name, [])
        row.append(right)
        del row[: -self.window]

    def share(self, name: str) -> float:
        """Share of right answers, NaN before the first."""
        return float(np.mean(self.right[name])) if name in self.right else float("nan")

    def shown(self) -> dict[str, str]:
        """What a progress bar shows."""
        return {name: f"{self.share(name):.2f}" for name in sorted(self.right)}

    def add_all(self, names: Sequence[str], ends: Sequence[int], right: Sequence[bool]) -> None:
        """Counts tasks whose supervised tokens end at `ends` in `right`: the answer, and the word asked for first."""
        start = 0
        for name, end in zip(names, ends, strict=True):
            self.add(name, right[end - 1])
            if end - start > 2:
                self.add(f"{name} word", right[start])
            start = end
