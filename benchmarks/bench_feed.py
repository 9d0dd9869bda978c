"""`make bench-feed`: are frames read fast enough for a GPU that runs the reward pass?

Videos are decoded into a shard by `refocus decode`, as JPEGs and as videos. Its readers then fetch the frames of the 16
subsets at the size that InternVL3 takes: alone, for frames per core second; ahead of a device that only sleeps for as
long as the FLOP of `refocus plan` take it, for the share of time in which such a device waits; and ahead of a tiny
model that computes on this machine's CPU.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from refocus.cli.main import main as refocus
from refocus.config.plan import PlanSettings
from refocus.config.reward import RewardSettings
from refocus.core.files import write_table
from refocus.frames.frame_store import FrameStore
from refocus.plan.flops import triangle
from refocus.plan.model_shapes import PUBLISHED, LmmShape, Tower
from refocus.plan.reward_layout import QuestionGroup, reward_work
from refocus.qa.clips import ClipRow
from refocus.qa.records import Question
from refocus.qa.shard_lists import clips_table
from refocus.reward.prefetch import Prefetcher
from refocus.reward.score_shard import ClipTask, score_clip
from refocus.reward.windows import subsets
from refocus.video.length import header_duration
from refocus.video.probe import opened

from benchmarks.bench_reward import processor, write
from benchmarks.clips import rendered
from benchmarks.random_lmm import build

SIDE = 448  # pixels that InternVL3's tower takes
SUFFIX = 170  # tokens of a question
FRAME_TEXT = 8  # tokens around a frame's
SYSTEM = 45
READERS = (1, 2, 4)
FORMS = ("jpeg", "video")
LENGTHS, QUESTIONS = (40, 240, 512), (1, 4)
RENDERED, SUFFIXES = "H.264 720p, GOP 30", (".mp4", ".mkv", ".mov", ".webm")
MODELS = {name.rsplit("/")[-1].removesuffix("-hf"): shape for name, shape in PUBLISHED.items()}
TINY = LmmShape(Tower(1, 64, 128, 17, 16, SIDE // 4), 4, 256, 4, True, 2, 64, 128, 4, 2, 16, 300)
SETTINGS = RewardSettings(model="tiny")


@dataclass(frozen=True)
class Rate:
    """One reader alone: frames, and the seconds of one core and of the clock that they took."""

    frames: int
    cpu: float
    wall: float

    @property
    def per_core_second(self) -> float:
        return self.frames / self.cpu


def make_shard(folder: Path, videos: Path, names: Sequence[str], form: str) -> FrameStore:
    """Decodes videos into a shard in the folder, in one of the two forms of `decode.storage`."""
    folder.mkdir(parents=True)
    clips = [ClipRow(f"{number:016x}", name, 0.0, _seconds(videos / name), 0) for number, name in enumerate(names)]
    write_table(folder / "clips.parquet", clips_table(clips), "ingest")
    words = [folder / "clips.parquet", "--videos", videos, "--out", folder / "0.tar", "--storage", form]
    if refocus(["decode", *map(str, words)]) != 0:
        raise SystemExit("refocus decode failed")
    return FrameStore.open([folder / "0.index.parquet"])


def tasks(frames: FrameStore, repeats: int) -> list[ClipTask]:
    """Every clip of the shard so many times."""
    found = []
    for clip in frames.clips():
        record = frames.record(clip)
        asked = Question(clip, "", "", clip, "", None, None, "What is it?", ("red", "green"), 0, "", "", "", ())
        found.append(ClipTask(record, None, (asked,), tuple(subsets(record.n_frames))))
    return found * repeats


def reader_rate(frames: FrameStore, wanted: Sequence[ClipTask]) -> Rate:
    """One reader that nobody holds up. CPU seconds are those of the whole process, which does nothing else."""
    cpu, wall = time.process_time(), time.perf_counter()
    count = sum(len(images) for images in Prefetcher(frames, wanted, SIDE, 1, pinned=False))
    return Rate(count, time.process_time() - cpu, time.perf_counter() - wall)


def device_seconds(n_frames: int, questions: float, shape: LmmShape, settings: PlanSettings) -> float:
    """What a clip takes a GPU of the rate and efficiency that `refocus plan` reckons with."""
    starts = [SYSTEM + n * (shape.frame_tokens + FRAME_TEXT) for n in range(SETTINGS.frames_per_subset + 1)]
    group = QuestionGroup(n_frames, 1, questions, questions * SUFFIX, questions * triangle(SUFFIX))
    return reward_work(group, SETTINGS, starts)["prefix_tree"].flops(shape) / (
        settings.tflops * 1e12 * settings.efficiency
    )


def frames_needed(n_frames: int, questions: float, shape: LmmShape, settings: PlanSettings) -> float:
    """Frames that such a GPU takes per second of clips of this length."""
    unique = len({frame for subset in subsets(n_frames) for frame in subset.frames})
    return unique / device_seconds(n_frames, questions, shape, settings)


def hungriest(shape: LmmShape) -> float:
    """The most frames per second that a GPU takes of clips of any of `LENGTHS`."""
    return max(frames_needed(n, asked, shape, PlanSettings()) for n in LENGTHS for asked in QUESTIONS)


def share_waited(frames: FrameStore, wanted: Sequence[ClipTask], readers: int, shape: LmmShape) -> float:
    """The share of time in which a device waits that takes `device_seconds` for a clip with one question."""
    feed = Prefetcher(frames, wanted, SIDE, readers, pinned=False)
    for task, _ in zip(wanted, feed, strict=True):
        time.sleep(device_seconds(task.clip.n_frames, 1, shape, PlanSettings()))
    return feed.share_waited


def share_waited_by_a_model(frames: FrameStore, wanted: Sequence[ClipTask], readers: int) -> float:
    """The same of a tiny model that scores one question per clip on the CPU."""
    lmm = build(TINY, device=torch.device("cpu"), dtype=torch.float32)
    feed = Prefetcher(frames, wanted, lmm.frame_size, readers, pinned=False)
    for task, images in zip(wanted, feed, strict=True):
        score_clip(lmm, images, task)
    return feed.share_waited


def measure(folder: Path, videos: Path, names: Sequence[str], repeats: int) -> list[str]:
    """One line of the table per form of storage."""
    lines = []
    for form in FORMS:
        frames = make_shard(folder / form, videos, names, form)
        wanted = tasks(frames, repeats)
        reader_rate(frames, wanted[:1])  # the warm-up
        rate = reader_rate(frames, wanted)
        waits = [
            " / ".join(f"{share_waited(frames, wanted, readers, shape):.0%}" for readers in READERS)
            for shape in MODELS.values()
        ]
        model = " / ".join(f"{share_waited_by_a_model(frames, wanted, readers):.0%}" for readers in READERS)
        cores = [f"{hungriest(shape) / rate.per_core_second:.2f}" for shape in MODELS.values()]
        lengths = sorted({task.clip.n_frames for task in wanted})
        lines.append(
            f"| {form} | {', '.join(map(str, lengths))} | {rate.frames} | {rate.per_core_second:.0f} |"
            f" {rate.frames / rate.wall:.0f} | {' | '.join(cores)} | {' | '.join(waits)} | {model} |"
        )
        sys.stderr.write(f"{lines[-1]}\n")
    return lines


def needs(settings: PlanSettings) -> list[str]:
    """What GPUs take, one line per length of clips."""
    lines = []
    for n_frames in LENGTHS:
        cells = [
            " / ".join(f"{frames_needed(n_frames, asked, shape, settings):.0f}" for asked in QUESTIONS)
            for shape in MODELS.values()
        ]
        lines.append(f"| {n_frames} | {' | '.join(cells)} |")
    return lines


def report(measured: Sequence[str], settings: PlanSettings, origin: str) -> str:
    """The results as Markdown."""
    asked, readers = (" / ".join(map(str, row)) for row in (QUESTIONS, READERS))
    head = [
        f"{date.today().isoformat()}, {os.cpu_count()} cores of {processor()}, load {os.getloadavg()[0]:.1f} at the"
        f" end; {origin}; `python -m benchmarks.bench_feed`.",
        "",
        f"Frames per second that a GPU of {settings.tflops:g} TFLOP/s at {settings.efficiency:.0%} takes, for {asked}"
        " questions per clip:",
        "",
        "| frames of a clip | " + " | ".join(MODELS) + " |",
        "|--:|" + "--:|" * len(MODELS),
        *needs(settings),
        "",
        "Frames per second that are read, the cores that it takes to feed such a GPU from the most hungry clips above,"
        f" and the share of time in which it (one question per clip) and a tiny model on this CPU wait for {readers}"
        " readers here:",
        "",
        "| stored as | frames of the clips | read | by a core | by one reader here | "
        + " | ".join(f"cores for {name}" for name in MODELS)
        + " | "
        + " | ".join(f"{name} waits" for name in MODELS)
        + " | tiny model waits |",
        "|---|--:|--:|--:|--:|" + "--:|" * (2 * len(MODELS) + 1),
        *measured,
    ]
    return "\n".join(["", *head, ""])


def main() -> int:
    """Measures, prints, writes docs/benchmarks.md if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, help="folder of videos (default: one rendered video)")
    parser.add_argument("--repeats", type=int, default=6, help="how often each clip is read (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="replace the results in this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = args.videos or rendered(RENDERED, folder / "videos").parent
        names = sorted(path.name for path in videos.iterdir() if path.suffix in SUFFIXES)
        text = report(measure(folder, videos, names, args.repeats), PlanSettings(), ", ".join(names))
    sys.stdout.write(text)
    if args.out:
        write(args.out, text, "bench-feed")
    return 0


def _seconds(video: Path) -> float:
    with opened(video) as (container, stream):
        return float(header_duration(container, stream) or 0.0)


if __name__ == "__main__":
    sys.exit(main())
