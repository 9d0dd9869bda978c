"""What happens in a world video: a background, a corner dot, and timed events that show one shape each."""

from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle", "diamond", "star", "cross", "ring", "moon", "bar", "hourglass")
COLORS = {
    "red": (214, 40, 40),
    "orange": (240, 140, 30),
    "yellow": (240, 222, 50),
    "green": (40, 175, 60),
    "cyan": (70, 212, 222),
    "blue": (45, 75, 230),
    "purple": (150, 60, 200),
    "pink": (246, 140, 196),
}
BACKGROUNDS = {
    "gray": (118, 118, 118),
    "brown": (118, 82, 48),
    "navy": (26, 36, 92),
    "olive": (98, 104, 40),
    "maroon": (96, 26, 44),
    "black": (22, 22, 22),
}
PLACES = {"left": (0.27, 0.5), "right": (0.73, 0.5), "top": (0.5, 0.27), "bottom": (0.5, 0.73), "middle": (0.5, 0.5)}
CORNERS = {
    "top left": (0.15, 0.15),
    "top right": (0.85, 0.15),
    "bottom left": (0.15, 0.85),
    "bottom right": (0.85, 0.85),
    "nowhere": None,
}

SECONDS_PER_EVENT = 3.2
EVENT_S = (1.6, 2.2)  # shortest and longest event, seconds
EVENTS = (6, 10)  # fewest and most events of a video: always more than the frames that are picked


@dataclass(frozen=True)
class Event:
    """One shape on screen during [start_s, end_s), with a colored border around the picture meanwhile."""

    start_s: float
    end_s: float
    shape: str
    color: str
    place: str
    edge: str
    center: tuple[float, float]
    drift: tuple[float, float]  # how far the center moves over the whole event, in picture widths and heights
    size: float
    tilt: float


@dataclass(frozen=True)
class Scene:
    """One video: everything that is drawn, at any time and in any resolution."""

    duration_s: float
    background: str
    corner: str
    texture: int
    scroll: tuple[float, float]  # texture widths per second
    contrast: float
    events: tuple[Event, ...]

    def event_at(self, time_s: float) -> Event | None:
        """The event being shown at a time, if any; events never overlap."""
        for event in self.events:
            if event.start_s <= time_s < event.end_s:
                return event
        return None


Moment = tuple[Scene, float]  # and a time in seconds


def sample_scene(rng: np.random.Generator, duration_s: float, events: int | None = None) -> Scene:
    """Draws a video of `duration_s` seconds whose shapes are all different, so that a shape names one moment.

    Args:
        events: how many shapes it shows; None: as many as suit its length, at most 10 however long it is.
    """
    count = events or int(np.clip(round(duration_s / SECONDS_PER_EVENT), *EVENTS))
    lengths = rng.uniform(*EVENT_S, count)
    gaps = rng.dirichlet(np.full(count + 1, 2.0)) * (duration_s - lengths.sum())
    starts = np.cumsum(gaps[:-1] + np.concatenate(([0.0], lengths[:-1])))
    shapes = rng.permutation(SHAPES)[:count]
    shown = tuple(
        _sample_event(rng, float(start), float(start + length), str(shape))
        for start, length, shape in zip(starts, lengths, shapes, strict=True)
    )
    return Scene(
        duration_s=float(duration_s),
        background=str(rng.choice(list(BACKGROUNDS))),
        corner=str(rng.choice(list(CORNERS))),
        texture=int(rng.integers(0, 2**16)),
        scroll=_sample_pair(rng, 0.15),
        contrast=float(rng.uniform(0.15, 0.35)),
        events=shown,
    )


def _sample_event(rng: np.random.Generator, start_s: float, end_s: float, shape: str) -> Event:
    place = str(rng.choice(list(PLACES)))
    center = np.array(PLACES[place]) + rng.uniform(-0.05, 0.05, 2)
    return Event(
        start_s=round(start_s, 3),
        end_s=round(end_s, 3),
        shape=shape,
        color=str(rng.choice(list(COLORS))),
        place=place,
        edge=str(rng.choice(list(COLORS))),
        center=(float(center[0]), float(center[1])),
        drift=_sample_pair(rng, 0.08),
        size=float(rng.uniform(0.27, 0.32)),
        tilt=float(rng.uniform(-0.15, 0.15)),
    )


def _sample_pair(rng: np.random.Generator, most: float) -> tuple[float, float]:
    x, y = rng.uniform(-most, most, 2)
    return float(x), float(y)
