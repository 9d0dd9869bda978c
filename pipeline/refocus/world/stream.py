"""An endless stream of freshly drawn frames and videos, so that the tiny models cannot memorize what they see."""

from collections.abc import Sequence

import numpy as np

from refocus.world.draw import draw
from refocus.world.scene import Moment, sample_scene

SIDE = 64  # pixels the tiny models see


def camera(rng: np.random.Generator, moments: Sequence[Moment]) -> np.ndarray:
    """(n, 64, 64, 3) uint8 pictures as the pipeline would deliver them: slightly soft, noisy, shifted in brightness.

    A decoded video frame was drawn at another size, squashed, and twice compressed; models that had only seen clean
    drawings would be judged on something else than what they learned.
    """
    if rng.random() < 0.5:
        pictures = draw(moments, SIDE, SIDE).astype(np.float32)
    else:
        large = draw(moments, 2 * SIDE, 2 * SIDE)
        pictures = large.reshape(len(large), SIDE, 2, SIDE, 2, 3).mean((2, 4), dtype=np.float32)
    if rng.random() < 0.5:
        pictures[:, 1:-1] = 0.25 * (pictures[:, :-2] + 2 * pictures[:, 1:-1] + pictures[:, 2:])
        pictures[:, :, 1:-1] = 0.25 * (pictures[:, :, :-2] + 2 * pictures[:, :, 1:-1] + pictures[:, :, 2:])
    pictures *= rng.uniform(0.94, 1.06, (len(pictures), 1, 1, 3)).astype(np.float32)
    noise = rng.integers(-128, 128, pictures.shape[1:], dtype=np.int16).astype(np.float32)  # one pattern a batch
    pictures += noise * rng.uniform(0, 6 / 128, (len(pictures), 1, 1, 1)).astype(np.float32)
    return np.clip(pictures, 0, 255).astype(np.uint8)


def duration(rng: np.random.Generator) -> float:
    """Seconds of a video: 14 to 40, shorter ones more often."""
    return float(rng.choice((rng.uniform(14, 24), rng.uniform(24, 40)), p=(0.6, 0.4)))


def sample_moments(rng: np.random.Generator, scenes: int, each: int, shown: float = 0.8) -> list[Moment]:
    """`each` moments of every one of `scenes` new videos, a share `shown` of them during an event."""
    moments = []
    for _ in range(scenes):
        scene = sample_scene(rng, duration(rng))
        for _ in range(each):
            event = scene.events[int(rng.integers(len(scene.events)))]
            inside = rng.random() < shown
            time_s = rng.uniform(event.start_s, event.end_s) if inside else rng.uniform(0, scene.duration_s)
            moments.append((scene, float(time_s)))
    return moments
