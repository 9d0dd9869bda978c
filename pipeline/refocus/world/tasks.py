"""What the tiny models are taught: multiple choice, naming, and finding an option by its text.

One letter at the end of a question is too little to learn from: trained on it alone, both models stay at chance for
thousands of steps. So every task also asks, where the question ends, for the answer's word, and after each option
whether it is the right one. All of this follows from the answer. Labels are in `alignment.py` (of single frames) and
`lmm_trainer.shown_before` (of what was shown before a frame): the LMMs learn from them, the base does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus.world.questions import MOMENT_KINDS, SEQUENCE_KINDS, STATIC_KINDS, ask, needed
from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, SHAPES, Event, Scene

LETTERS = "ABCDE"
YES, NO, NOTHING = "yes", "no", "nothing"
WORD_WEIGHT, OPTION_WEIGHT = 2.0, 0.3  # beside the answer's own 1: reading the frames is the hard part
NEIGHBORS = ("sequence/after", "sequence/before")  # taught with one more question: which shape it is
POOLS = (tuple(COLORS), tuple(PLACES), tuple(BACKGROUNDS), tuple(CORNERS), SHAPES)
Shares = tuple[float, float, float]  # of questions on one moment, on two, and on any frame


@dataclass(frozen=True)
class Task:
    """A question and the one token that answers it; no options means that the answer is named."""

    form: str  # choose, name or find
    kind: str
    text: str
    options: tuple[str, ...]
    answer: str  # a letter, or the word where there are no options
    word: str  # the first word of the right option
    told: tuple[str, ...] = ()  # the words that end the text, each due after the one before
    needs: tuple[Event, ...] = ()  # what must be seen to answer


def sample_task(
    rng: np.random.Generator, scene: Scene, form: str, shares: Shares, visible: Sequence[Event] | None = None
) -> Task:
    """One task about a scene.

    Args:
        form: "choose" an option or "name" the answer.
        shares: of questions on one moment, on two, and on any frame.
        visible: the events that may be asked for; None: all. Where they allow no question on two moments, it is one
            on one moment, and a static one where there are none.
    """
    count, ending = _form(rng)
    events = scene.events if visible is None else visible
    kind, event = _subject(rng, scene, events, int(rng.choice(3, p=shares)))
    if form == "name" and kind in NEIGHBORS and event is not None and rng.random() < 0.4:
        pair = needed(kind, scene, event)
        word = pair[event is pair[0]].shape
        text = f"which shape is right {kind.removeprefix('sequence/')} the {event.shape}"
        return Task(form, kind, text, (), word, word, needs=pair)
    question = ask(rng, scene, kind, count, event)
    word = _first(question.answer)
    text, needs = question.text + ending, () if event is None else needed(kind, scene, event)
    if form == "name":
        return Task(form, kind, text, (), word, word, needs=needs)
    return Task(form, kind, text, question.options, LETTERS[question.answer_index], word, needs=needs)


def unseen(rng: np.random.Generator, task: Task) -> Task:
    """A task whose evidence no frame shows: the word is "nothing", the letter that of a wrong option.

    Asked for the true answer instead, a model learns which options the other frames make likelier, and is right more
    often than chance about what it does not see. Asked for any letter, it hedges, and the likeliest is still that one.
    """
    wrong = [letter for letter in LETTERS[: len(task.options)] if letter != task.answer]
    return replace(task, answer=str(rng.choice(wrong)) if wrong else NOTHING, word=NOTHING)


def tell_task(rng: np.random.Generator, events: Sequence[Event]) -> Task:
    """The shapes of a video from any of them on, in order or backwards, alone or each with its color or place.

    As captions of whole videos do, it says at every word what follows what; an answer to a question says it once.
    """
    way = ("forwards", "backwards")[int(rng.integers(2))]
    told = list(events) if way == "forwards" else list(events)[::-1]
    told = told[int(rng.integers(len(told))) :]
    extra = ("", "color", "place")[int(rng.choice(3, p=(0.5, 0.25, 0.25)))]
    words = [word for event in told for word in (event.shape, *([getattr(event, extra)] if extra else []))] + [NOTHING]
    text = f"tell shape {extra} {way}".replace("  ", " ")
    return Task("tell", way, f"{text} {' '.join(words[:-1])}", (), words[-1], words[-1], tuple(words[1:]))


def find_task(rng: np.random.Generator) -> Task:
    """Which option says a word: what choosing needs beside the answer."""
    count, ending = _form(rng)
    pool = POOLS[int(rng.integers(len(POOLS)))]
    options = tuple(str(word) for word in rng.permutation(pool)[: 2 if pool is SHAPES else count])  # as questions have
    place = int(rng.integers(len(options)))
    text = f"which letter says {options[place]}{ending}"
    return Task("find", "option", text, options, LETTERS[place], _first(options[place]))


def _form(rng: np.random.Generator) -> tuple[int, str]:
    """How many options a question has, at most, and how it ends."""
    return int(rng.choice((4, 5), p=(0.75, 0.25))), "?" if rng.random() < 0.75 else ""


def _subject(rng: np.random.Generator, scene: Scene, events: Sequence[Event], group: int) -> tuple[str, Event | None]:
    """What to ask: a kind of question, and the event that it names where it names one."""
    for kinds in (SEQUENCE_KINDS, MOMENT_KINDS)[1 - group :] if group < 2 else ():
        kind = str(rng.choice(kinds))
        fit = [event for event in events if (need := needed(kind, scene, event)) and set(need) <= set(events)]
        if fit:
            return kind, fit[int(rng.integers(len(fit)))]
    return str(rng.choice(STATIC_KINDS)), None


def supervise(tokenizer: Any, text: str, task: Task) -> tuple[list[int], list[tuple[int, int, float]]]:
    """Token ids of a task's prompt and what is asked of them: (position, token that is due after it, its weight).

    The last pair is the answer; before it come the answer's word at the end of the question and yes or no at the end
    of each option.
    """
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ends = {end: position for position, (_, end) in enumerate(encoded["offset_mapping"])}
    ids = encoded["input_ids"]
    at = text.index(task.text) + len(task.text)
    if task.told:
        last = ends[at]
        due = zip(range(last + 1 - len(task.told), last + 1), task.told, strict=True)
        return ids[: last + 1], [(place, tokenizer.convert_tokens_to_ids(word), 1.0) for place, word in due]
    words = [(ends[at], task.word, WORD_WEIGHT)]
    for letter, option in zip(LETTERS, task.options, strict=False):
        line = f"\n{letter}. {option}"
        at = text.index(line, at) + len(line)
        words.append((ends[at], YES if letter == task.answer and task.word != NOTHING else NO, OPTION_WEIGHT))
    if words[-1][0] < len(ids) - 1:
        words.append((len(ids) - 1, task.answer, 1.0))
    return ids, [(at, tokenizer.convert_tokens_to_ids(word), weight) for at, word, weight in words]


def all_due(
    asked: Sequence[tuple[list[int], list[tuple[int, int, float]]]],
) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """What `supervise` wants of many tasks: (m, 2) task and position, (m,) tokens, (m,) weights, each task's end."""
    due = torch.tensor([(q, position) for q, (_, wanted) in enumerate(asked) for position, _, _ in wanted])
    tokens = torch.tensor([token for _, wanted in asked for _, token, _ in wanted])
    weights = torch.tensor([weight for _, wanted in asked for _, _, weight in wanted])
    return due, tokens, weights, np.cumsum([len(wanted) for _, wanted in asked]).tolist()


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the cross entropies of what is due."""
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum() / weights.sum()


def _first(option: str) -> str:
    return option.split()[0]


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
        """Counts tasks by name and by what comes before a slash in it.

        Their supervised tokens end at `ends` in `right`: of a telling every word counts, else the last, the answer.
        """
        start = 0
        for name, end in zip(names, ends, strict=True):
            for counted in dict.fromkeys((name, name.split("/")[0])):
                for hit in right[start if name.startswith("tell") else end - 1 : end]:
                    self.add(counted, hit)
            start = end
