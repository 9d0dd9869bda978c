"""What the tiny models know: accuracy on held-out videos, as real files, with and without the evidence in view."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from refocus.config.world import WorldSettings
from refocus.core.progress import bar
from refocus.frames.sampling import uniform
from refocus.lmm import Prompt, load_lmm, option_logits
from refocus.policy.frame_policy import FramePolicy
from refocus.video.decode import frames_at
from refocus.video.frame_plan import grid
from refocus.world.formats import FORMATS
from refocus.world.questions import WorldQuestion
from refocus.world.render_video import write_video
from refocus.world.stream import SIDE
from refocus.world.world_plan import BENCHMARKS, Video, plan

if TYPE_CHECKING:
    from refocus.lmm.option_scorer import Lmm

FRAMES = 4  # shown to the reference LMM
FPS, MOST = 4.0, 512


def evaluate(lmms: Mapping[str, Path], policy_folder: Path, settings: WorldSettings) -> dict[str, Any]:
    """Accuracies of the LMMs and the base on the world's held-out videos, encoded and decoded as real files.

    Returns:
        By kind of question and group of kinds: each LMM, by its name in `lmms`, with the evidence among four frames or
        in all of them, with one moment of it left out, and chance; `base`: how often the supervised base, which sees
        all frames, names the right one of the options; each with the number of questions.
    """
    loaded = {name: load_lmm(str(folder), device="cpu", dtype="float32") for name, folder in lmms.items()}
    policy = FramePolicy.from_pretrained(policy_folder)
    right: dict[str, list[float]] = {}
    videos = [(part, video) for part in FORMATS if part in BENCHMARKS for video in plan(settings, part)]
    with tempfile.TemporaryDirectory() as folder:
        for part, video in bar(videos, desc="evaluate", unit="video"):
            path = Path(folder) / f"{part}-{video.number}.mp4"
            write_video(path, video.scene, video.encoding)
            times = grid(video.scene.duration_s, FPS, MOST)
            frames = frames_at(path, times, SIDE)
            for name, lmm in loaded.items():
                _question_lmm(name, lmm, video, times, frames, right)
            for q in video.questions:
                for kind in _kinds(q):
                    right.setdefault(f"chance {kind}", []).append(1 / len(q.options))
            _question_base(policy, video, frames, right)
            path.unlink()
    return {name: {"accuracy": float(np.mean(row)), "questions": len(row)} for name, row in sorted(right.items())}


def shown_frames(
    question: WorldQuestion, times: Sequence[float], left_out: int | None = None, alone: bool = False
) -> list[int]:
    """Four frames in temporal order: one inside each span of the evidence, the others elsewhere.

    Args:
        left_out: the span of which no frame is shown; None: all are.
        alone: the others lie inside the spans too, if any span is shown.
    """
    inside = [[i for i, time_s in enumerate(times) if start <= time_s < end] for start, end in question.spans]
    every = {i for span in inside for i in span}
    outside = [i for i in range(len(times)) if i not in every] or list(range(len(times)))
    shown = [span for k, span in enumerate(inside) if k != left_out]
    if alone and shown:
        return sorted(span[i] for span in shown for i in uniform(len(span), FRAMES // len(shown)))
    chosen = [span[len(span) // 2] for span in shown]
    return sorted([*chosen, *(outside[i] for i in uniform(len(outside), FRAMES - len(chosen)))])


def _question_lmm(
    name: str, lmm: "Lmm", video: Video, times: list[float], frames: np.ndarray, right: dict[str, list[float]]
) -> None:
    features = lmm.encode(frames)
    prompts = [Prompt(f"{q.text}?", q.options) for q in video.questions]
    rows, asked = [], []
    for i, q in enumerate(video.questions):
        static = q.kind.startswith("static")
        for left_out in (None,) if static else (None, *range(len(q.spans))):
            seen = "with evidence" if left_out is None else "with a moment left out"
            for alone in (False,) if static else (False, True):
                rows.append((shown_frames(q, times, left_out, alone), i))
                asked.append((q, seen + ", nothing else" * alone))
    for (q, seen), raw in zip(asked, lmm.score(features, rows, prompts), strict=True):
        for kind in _kinds(q):
            right.setdefault(f"{name} {kind} {seen}", []).append(float(option_logits(raw).argmax() == q.answer_index))


@torch.no_grad()
def _question_base(policy: FramePolicy, video: Video, frames: np.ndarray, right: dict[str, list[float]]) -> None:
    """The base answers in words, after the options; of the words on offer the likeliest counts."""
    state = policy.prefix([policy.encode(frames)]).state
    texts = [policy.question_ids(Prompt(f"{q.text}?", q.options)) for q in video.questions]
    hidden, lengths, _ = policy.read(texts, state.expand(len(texts)))
    logits = policy.answer_logits(hidden[torch.arange(len(texts)), lengths - 1])
    for q, row in zip(video.questions, logits, strict=True):
        words = [option.split()[0] for option in q.options]
        best = words[int(row[policy.tokenizer.convert_tokens_to_ids(words)].argmax())]
        for kind in _kinds(q):
            right.setdefault(f"base {kind} all frames", []).append(float(best == q.answer.split()[0]))


def _kinds(question: WorldQuestion) -> tuple[str, str]:
    """Its group of kinds, and its kind."""
    return question.kind.split("/")[0], question.kind
