"""Questions about a scene: on one moment, on two moments together, and such that any frame answers.

| kind | needs |
|---|---|
| moment/… | a frame of the shape that is named |
| sequence/after, sequence/before | a frame of the shape that is named and one of its neighbor in time, which is not |
| sequence/order | a frame of either of two shapes that are named; they are neighbors in time |
| static/… | any frame |

Options never give the answer away: colors and places repeat freely among the events of a video, so frames of other
moments say nothing about the one that is asked for. The shapes of `sequence/order` are neighbors because the place of
one of two distant shapes in the video would tell which came first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, Event, Scene

MOMENT_KINDS = ("moment/color", "moment/place", "moment/border")
SEQUENCE_KINDS = ("sequence/after", "sequence/before", "sequence/order")
STATIC_KINDS = ("static/background", "static/corner")

Span = tuple[float, float]


@dataclass(frozen=True)
class WorldQuestion:
    """A multiple-choice question and when its evidence can be seen.

    spans: seconds, one for every event that must be seen; static questions have the whole video.
    """

    kind: str
    text: str  # without question mark
    options: tuple[str, ...]
    answer_index: int
    spans: tuple[Span, ...]

    @property
    def answer(self) -> str:
        """The right option's text."""
        return self.options[self.answer_index]


@dataclass(frozen=True)
class _Content:
    """A question's text and answer, the words that wrong options are drawn from, and the events it needs."""

    text: str
    answer: str
    pool: Sequence[str]
    needs: tuple[Event, ...] = ()


def needed(kind: str, scene: Scene, event: Event) -> tuple[Event, ...]:
    """The events that must be seen for a question of a kind that names `event`, in time; none: it cannot be asked.

    `sequence/order` names the later shape too.
    """
    place = scene.events.index(event)
    if kind == "sequence/before":
        return scene.events[place - 1 : place + 1] if place else ()
    if kind in SEQUENCE_KINDS:
        return scene.events[place : place + 2] if place + 1 < len(scene.events) else ()
    return (event,)


def ask(rng: np.random.Generator, scene: Scene, kind: str, options: int, event: Event | None = None) -> WorldQuestion:
    """One question of a kind.

    Args:
        options: how many, at most; `sequence/order` has two.
        event: the moment that the question names first (drawn if not given; ignored by static kinds).
    """
    if kind in STATIC_KINDS:
        content = _about_scene(scene, kind)
    else:
        if event is None:
            fit = [event for event in scene.events if needed(kind, scene, event)]
            event = fit[int(rng.integers(len(fit)))]
        content = (
            _about_moment(event, kind)
            if kind in MOMENT_KINDS
            else _about_two(rng, event, needed(kind, scene, event), kind)
        )
    wrong = [word for word in content.pool if word != content.answer]
    chosen = [str(word) for word in rng.permutation(wrong)[: options - 1]]
    place = int(rng.integers(len(chosen) + 1))
    chosen.insert(place, content.answer)
    return WorldQuestion(
        kind=kind,
        text=content.text,
        options=tuple(chosen),
        answer_index=place,
        spans=tuple((event.start_s, event.end_s) for event in content.needs) or ((0.0, scene.duration_s),),
    )


def _about_moment(event: Event, kind: str) -> _Content:
    text, answer, pool = {
        "moment/color": (f"what color is the {event.shape}", event.color, tuple(COLORS)),
        "moment/place": (f"where is the {event.shape}", event.place, tuple(PLACES)),
        "moment/border": (f"what color is the border around the {event.shape}", event.edge, tuple(COLORS)),
    }[kind]
    return _Content(text, answer, pool, (event,))


def _about_two(rng: np.random.Generator, event: Event, pair: tuple[Event, ...], kind: str) -> _Content:
    if kind == "sequence/order":
        one, other = (pair[i].shape for i in rng.permutation(2))
        return _Content(f"which comes first the {one} or the {other}", pair[0].shape, (one, other), pair)
    side = kind.removeprefix("sequence/")
    neighbor = pair[1] if side == "after" else pair[0]
    if rng.random() < 0.5:
        return _Content(f"what color is the shape right {side} the {event.shape}", neighbor.color, tuple(COLORS), pair)
    return _Content(f"where is the shape right {side} the {event.shape}", neighbor.place, tuple(PLACES), pair)


def _about_scene(scene: Scene, kind: str) -> _Content:
    if kind == "static/background":
        return _Content("what color is the background", scene.background, tuple(BACKGROUNDS))
    return _Content("which corner has the dot", scene.corner, tuple(CORNERS))


def ask_many(
    rng: np.random.Generator,
    scene: Scene,
    options: int,
    moments: int,
    sequences: int,
    statics: int,
    kinds: Sequence[str] = SEQUENCE_KINDS,
) -> list[WorldQuestion]:
    """Different questions about one video: no (kind, event) twice, and no event named twice before every one was.

    The picks made for one question of a video are then no use for another, which is what the swapped control needs.

    Args:
        moments, sequences, statics: how many of each; kinds of a group take turns.
        kinds: the kinds of questions on two moments.
    """
    wanted = [
        *(MOMENT_KINDS[i % len(MOMENT_KINDS)] for i in _turns(rng, moments, len(MOMENT_KINDS))),
        *(kinds[i % len(kinds)] for i in _turns(rng, sequences, len(kinds))),
    ]
    unused: list[Event] = []
    taken: set[tuple[str, Event]] = set()
    asked = []
    for kind in wanted:
        if not unused:
            unused = [scene.events[i] for i in rng.permutation(len(scene.events))]
        fit = [event for event in unused if needed(kind, scene, event) and (kind, event) not in taken]
        fit = fit or [event for event in scene.events if needed(kind, scene, event) and (kind, event) not in taken]
        if not fit:
            continue
        taken.add((kind, fit[0]))
        unused = [event for event in unused if event is not fit[0]]
        asked.append(ask(rng, scene, kind, options, fit[0]))
    asked += [ask(rng, scene, str(kind), options) for kind in rng.permutation(STATIC_KINDS)[:statics]]
    return [asked[index] for index in rng.permutation(len(asked))]


def _turns(rng: np.random.Generator, count: int, kinds: int) -> list[int]:
    """`count` turns among some kinds, beginning at any of them."""
    first = int(rng.integers(kinds))
    return [first + turn for turn in range(count)]
