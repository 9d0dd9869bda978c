"""Which videos a world has: their scenes, how they are encoded, and what is asked about them."""

from dataclasses import dataclass

import numpy as np

from refocus.config.world import WorldSettings
from refocus.world.questions import WorldQuestion, ask_many
from refocus.world.render_video import Encoding
from refocus.world.scene import Scene, sample_scene

TRAINING, BENCHMARKS = ("nextqa", "llava_video"), ("videomme", "mlvu")
GROUPS = {"short": (12.0, 18.0), "medium": (18.0, 27.0), "long": (27.0, 40.0)}  # seconds
SHARES = {"training": (0.55, 0.3, 0.15), "benchmark": (1 / 3, 1 / 3, 1 / 3)}  # of short, medium, long videos
SIZES = ((192, 256), (180, 320), (240, 240), (256, 192), (144, 256))  # height, width as seen
RATES = (8.0, 10.0, 12.0, 15.0, 12000 / 1001)
BENCHMARK_MOMENTS, BENCHMARK_STATICS = 2, 1  # Video-MME asks three questions about every video


@dataclass(frozen=True)
class Video:
    """One video of the world and its questions."""

    number: int
    group: str
    scene: Scene
    encoding: Encoding
    questions: tuple[WorldQuestion, ...]


def plan(settings: WorldSettings, part: str) -> list[Video]:
    """The videos of one data set or benchmark, the same for equal settings whatever else is drawn."""
    training = part in TRAINING
    names = TRAINING if training else BENCHMARKS
    total = settings.training_videos if training else settings.benchmark_videos
    count = total // 2 + (total % 2 if part == names[0] else 0)
    return [_video(settings, part, number, training) for number in range(count)]


def _video(settings: WorldSettings, part: str, number: int, training: bool) -> Video:
    key = (*TRAINING, *BENCHMARKS).index(part)
    rng = np.random.default_rng([settings.seed, 7, key, number])
    if training:
        group = str(rng.choice(list(GROUPS), p=SHARES["training"]))
    else:
        group = list(GROUPS)[number % len(GROUPS)]
    scene = sample_scene(rng, round(float(rng.uniform(*GROUPS[group])), 2))
    height, width = SIZES[int(rng.integers(len(SIZES)))]
    # the second and third video of every part are the odd ones, so that each part meets them
    encoding = Encoding(
        height, width, float(rng.choice(RATES)), variable=number == 1, rotation=90 if number == 2 else 0
    )
    moments, statics = (settings.moments, settings.statics) if training else (BENCHMARK_MOMENTS, BENCHMARK_STATICS)
    questions = ask_many(rng, scene, moments, statics, options=5 if part == "nextqa" else 4)
    return Video(number, group, scene, encoding, tuple(questions))
