"""V-NIAH in the synthetic world: a video without the asked moment, and that moment put in at a chosen depth.

The haystack is a scene as any of the world's; the needle shows a shape that the haystack does not. It is spliced in:
what the haystack shows afterwards comes later by the needle's length, and an event at the splice is resumed behind it.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from refocus.config.niah import NiahSettings
from refocus.core.files import canonical, write_text
from refocus.core.progress import bar
from refocus.world.questions import MOMENT_KINDS, WorldQuestion, ask
from refocus.world.render_video import Encoding, write_video
from refocus.world.scene import SHAPES, Event, Scene, sample_scene
from refocus.world.world_plan import SIZES

FPS = 4.0  # of the kept frames, so that `lengths` are their numbers
FILE_FPS = 5.0  # of the files: every kept frame is another picture
DRAWN_S = 40.0  # seconds of the scene that the needle's event is taken from; its length is set anew
ANNOTATIONS = "questions.jsonl"


@dataclass(frozen=True)
class HaystackVideo:
    """One video: `frames` kept frames, the needle in part `depth` of the settings' parts, and the question about it."""

    name: str
    scene: Scene
    encoding: Encoding
    question: WorldQuestion


def plan(settings: NiahSettings) -> list[HaystackVideo]:
    """Every video, the same for equal settings."""
    return [
        _video(settings, frames, depth, number)
        for frames in settings.lengths
        for depth in range(settings.depths)
        for number in range(settings.videos)
    ]


def build(settings: NiahSettings, out: Path) -> None:
    """Writes `questions.jsonl`, a table as docs/data.md describes it, and the videos that it names."""
    videos = plan(settings)
    with ProcessPoolExecutor(settings.runtime.workers) as pool:
        paths = [out / f"{video.name}.mp4" for video in videos]
        made = pool.map(write_video, paths, [v.scene for v in videos], [v.encoding for v in videos])
        for _ in bar(made, total=len(videos), desc="render haystacks", unit="video"):
            pass
    write_text(out / ANNOTATIONS, "".join(f"{canonical(row)}\n" for row in _rows(videos)))


def splice(haystack: Scene, needle: Event, at_s: float) -> Scene:
    """The haystack with the needle from `at_s` on, longer by the needle's length."""
    length = needle.end_s - needle.start_s
    events: list[Event] = [replace(needle, start_s=at_s, end_s=at_s + length)]
    for event in haystack.events:
        if event.start_s < at_s:
            events.append(replace(event, end_s=min(event.end_s, at_s)))
        if event.end_s > at_s:
            events.append(replace(event, start_s=max(event.start_s, at_s) + length, end_s=event.end_s + length))
    ordered = tuple(sorted(events, key=lambda event: event.start_s))
    return replace(haystack, duration_s=haystack.duration_s + length, events=ordered)


def _video(settings: NiahSettings, frames: int, depth: int, number: int) -> HaystackVideo:
    rng = np.random.default_rng([settings.seed, 11, frames, depth, number])
    length_s = settings.needle_frames / FPS
    hay_s = frames / FPS - length_s
    haystack = sample_scene(rng, hay_s)
    if len(haystack.events) == len(SHAPES):  # one shape is left for the needle
        haystack = replace(haystack, events=haystack.events[:-1])
    shown = {event.shape for event in haystack.events}
    drawn = sample_scene(rng, DRAWN_S, events=len(SHAPES)).events
    needle = replace(next(event for event in drawn if event.shape not in shown), start_s=0.0, end_s=length_s)
    share = (depth + rng.uniform()) / settings.depths  # somewhere in the part, or evenly spaced picks might always miss
    scene = splice(haystack, needle, round(share * hay_s, 3))
    inside = next(event for event in scene.events if event.shape == needle.shape)
    height, width = SIZES[int(rng.integers(len(SIZES)))]
    question = ask(rng, scene, MOMENT_KINDS[number % len(MOMENT_KINDS)], 4, inside)
    return HaystackVideo(f"{frames:03d}-{depth:02d}-{number:03d}", scene, Encoding(height, width, FILE_FPS), question)


def _rows(videos: list[HaystackVideo]) -> Iterator[dict[str, object]]:
    for video in videos:
        asked = video.question
        yield {
            "id": video.name,
            "video": f"{video.name}.mp4",
            "question": f"{asked.text}?",
            "options": list(asked.options),
            "answer": "ABCD"[asked.answer_index],
            "evidence": [[round(start, 3), round(end, 3)] for start, end in asked.spans],
            "category": f"needle/{asked.kind.split('/')[1]}",
        }
