"""Questions about a scene: three kinds that depend on one moment, two that any frame answers.

Options never give the answer away: colors and places repeat freely among the events of a video, so frames of other
moments say nothing about the one that is asked for.
"""

from dataclasses import dataclass

import numpy as np

from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, Event, Scene

MOMENT_KINDS = ("moment/color", "moment/place", "moment/border")
STATIC_KINDS = ("static/background", "static/corner")


@dataclass(frozen=True)
class WorldQuestion:
    """A multiple-choice question and when its evidence can be seen."""

    kind: str
    text: str  # without question mark
    options: tuple[str, ...]
    answer_index: int
    start_s: float
    end_s: float

    @property
    def answer(self) -> str:
        """The right option's text."""
        return self.options[self.answer_index]


def ask(rng: np.random.Generator, scene: Scene, kind: str, options: int, event: Event | None = None) -> WorldQuestion:
    """One question of a kind; `event` is the moment asked for (drawn if not given; ignored by static kinds)."""
    if kind in MOMENT_KINDS:
        if event is None:
            event = scene.events[int(rng.integers(len(scene.events)))]
        (text, answer, pool), start_s, end_s = _about_event(event, kind), event.start_s, event.end_s
    else:
        (text, answer, pool), start_s, end_s = _about_scene(scene, kind), 0.0, scene.duration_s
    wrong = [word for word in pool if word != answer]
    chosen = [str(word) for word in rng.permutation(wrong)[: options - 1]]
    place = int(rng.integers(len(chosen) + 1))
    chosen.insert(place, answer)
    return WorldQuestion(
        kind=kind,
        text=text,
        options=tuple(chosen),
        answer_index=place,
        start_s=start_s,
        end_s=end_s,
    )


def _about_event(event: Event, kind: str) -> tuple[str, str, tuple[str, ...]]:
    """Text, answer, and the words that options are drawn from."""
    if kind == "moment/color":
        return f"what color is the {event.shape}", event.color, tuple(COLORS)
    if kind == "moment/place":
        return f"where is the {event.shape}", event.place, tuple(PLACES)
    if kind == "moment/border":
        return f"what color is the border around the {event.shape}", event.edge, tuple(COLORS)
    raise ValueError(f"no kind of question is called {kind!r}")


def _about_scene(scene: Scene, kind: str) -> tuple[str, str, tuple[str, ...]]:
    if kind == "static/background":
        return "what color is the background", scene.background, tuple(BACKGROUNDS)
    if kind == "static/corner":
        return "which corner has the dot", scene.corner, tuple(CORNERS)
    raise ValueError(f"no kind of question is called {kind!r}")


def ask_many(rng: np.random.Generator, scene: Scene, moments: int, statics: int, options: int) -> list[WorldQuestion]:
    """Different questions about one video: no (kind, event) twice, and no event twice before every event was asked for.

    The picks made for one question of a video are then no use for another, which is what the swapped control needs.
    """
    pairs: list[tuple[str, Event]] = []
    while len(pairs) < min(moments, len(scene.events) * len(MOMENT_KINDS)):
        for index in rng.permutation(len(scene.events)):
            event = scene.events[index]
            free = [kind for kind in MOMENT_KINDS if (kind, event) not in pairs]
            pairs.append((str(rng.choice(free)), event))
    asked = [ask(rng, scene, kind, options, event) for kind, event in pairs[:moments]]
    asked += [ask(rng, scene, str(kind), options) for kind in rng.permutation(STATIC_KINDS)[:statics]]
    return [asked[index] for index in rng.permutation(len(asked))]
