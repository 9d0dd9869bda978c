"""Which videos a world has: their scenes, how they are encoded, and what is asked about them."""

from dataclasses import dataclass

import numpy as np

from refocus.config.world import WorldSettings
from refocus.world.questions import SEQUENCE_KINDS, WorldQuestion, ask_many
from refocus.world.render_video import Encoding
from refocus.world.scene import Scene, sample_scene

TRAINING, BENCHMARKS = ("nextqa", "llava_video"), ("videomme", "mlvu")
GROUPS = {"short": (14.0, 24.0), "medium": (24.0, 40.0), "long": (124.0, 128.0)}  # seconds
SHARES = (0.6, 0.4, 0.0)  # of the groups among training videos; benchmarks have as many of each
SIZES = ((120, 160), (108, 192), (144, 144), (160, 120), (96, 160))  # height, width as seen; small, to render fast
RATES = (5.0, 6.0, 8.0, 10.0, 12000 / 1001)
BENCHMARK_QUESTIONS = (2, 3, 1)  # on one moment, on two moments, on any frame: about every held-out video


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
        group = str(rng.choice(list(GROUPS), p=SHARES))
    else:
        group = list(GROUPS)[number % len(GROUPS)]
    scene = sample_scene(rng, round(float(rng.uniform(*GROUPS[group])), 2))
    height, width = SIZES[int(rng.integers(len(SIZES)))]
    # the second and third video of every part are the odd ones, so that each part meets them
    encoding = Encoding(
        height, width, float(rng.choice(RATES)), variable=number == 1, rotation=90 if number == 2 else 0
    )
    moments, sequences, statics = (
        (settings.moments, settings.sequences, settings.statics) if training else BENCHMARK_QUESTIONS
    )
    five = part == "nextqa"  # always five options, which questions with two cannot have
    kinds = [kind for kind in SEQUENCE_KINDS if not (five and kind == "sequence/order")]
    questions = ask_many(rng, scene, 5 if five else 4, moments, sequences, statics, kinds)
    return Video(number, group, scene, encoding, tuple(questions))
