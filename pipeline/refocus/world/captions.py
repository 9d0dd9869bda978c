"""What captions of a still picture say: the contrastive tower learns from these, as SigLIP did from the web's."""

from collections.abc import Sequence

import numpy as np

from refocus.world.scene import Event, Moment, Scene

MENTIONS = (0.45, 0.35, 0.2)  # shares of captions that mention one, two and three things
FILLER = 0.3  # share of captions with words that say nothing about the picture, as the web's have
IDLE = [
    "what",
    "which",
    "where",
    "is",
    "the",
    "a",
    "color",
    "shape",
    "comes",
    "first",
    "before",
    "after",
    "right",
    "or",
    "around",
    "has",
    "with",
]
Caption = tuple[str, ...]  # phrases


def sayable(moment: Moment) -> frozenset[str]:
    """Every phrase that is true of the picture at a moment."""
    scene, time_s = moment
    return frozenset((*_about_shape(scene.event_at(time_s)), *_about_rest(scene, time_s)))


def caption(rng: np.random.Generator, moment: Moment) -> Caption:
    """One to three phrases about the picture at a moment; most captions that have a shape to name begin with it."""
    scene, time_s = moment
    shape = _about_shape(scene.event_at(time_s))
    rest = _about_rest(scene, time_s)
    said = [rest[i] for i in rng.permutation(len(rest))]
    if shape:
        said.insert(0 if rng.random() < 0.8 else len(said), shape[int(rng.choice(len(shape), p=(0.5, 0.2, 0.2, 0.1)))])
    said = said[: 1 + int(rng.choice(len(MENTIONS), p=MENTIONS))]
    return tuple(said[i] for i in rng.permutation(len(said)))


def full_caption(moment: Moment) -> Caption:
    """All there is to say about a picture, in a fixed order: which phrase comes next is nothing to be learned."""
    scene, time_s = moment
    event = scene.event_at(time_s)
    shape = () if event is None else (f"a {event.color} {event.shape} {_where(event)}",)
    return (*shape, *_about_rest(scene, time_s))


def wording(rng: np.random.Generator, phrases: Caption) -> str:
    """A caption as a sentence, now and then with idle words in between."""
    words = ", ".join(phrases).split(" ")
    if rng.random() < FILLER:
        for word in rng.choice(IDLE, int(rng.integers(1, 5))):
            words.insert(int(rng.integers(len(words) + 1)), str(word))
    return " ".join(words)


def matches(captions: Sequence[Caption], stills: Sequence[frozenset[str]]) -> np.ndarray:
    """(stills, captions) bool: whether a caption says nothing but what is true of a still."""
    return np.array([[true.issuperset(phrases) for phrases in captions] for true in stills])


def _about_shape(event: Event | None) -> tuple[str, ...]:
    if event is None:
        return ()
    where = _where(event)
    name = f"a {event.shape}"
    return name, f"a {event.color} {event.shape}", f"{name} {where}", f"a {event.color} shape {where}"


def _about_rest(scene: Scene, time_s: float) -> tuple[str, ...]:
    event = scene.event_at(time_s)
    border = f"a {event.edge} border" if event else "nothing"
    dot = (f"a dot {scene.corner}",) if scene.corner != "nowhere" else ()
    return f"a {scene.background} background", border, *dot


def _where(event: Event) -> str:
    return f"{'in' if event.place == 'middle' else 'at'} the {event.place}"
