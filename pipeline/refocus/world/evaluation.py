"""What the tiny models know: accuracy on held-out videos, as real files, with and without the evidence in view."""

import tempfile
from collections.abc import Sequence
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


def evaluate(lmm_folder: Path, policy_folder: Path, settings: WorldSettings) -> dict[str, Any]:
    """Accuracies of both models on the world's held-out videos, encoded and decoded as real files.

    Returns:
        `lmm`: accuracy with the evidence among four frames, without it, and chance; `base`: how often the supervised
        base, which sees all frames, names the right one of the options; each over moment-dependent (and static)
        questions, with the number of questions.
    """
    lmm, policy = load_lmm(str(lmm_folder), device="cpu", dtype="float32"), FramePolicy.from_pretrained(policy_folder)
    right: dict[str, list[float]] = {}
    videos = [(part, video) for part in FORMATS if part in BENCHMARKS for video in plan(settings, part)]
    with tempfile.TemporaryDirectory() as folder:
        for part, video in bar(videos, desc="evaluate", unit="video"):
            path = Path(folder) / f"{part}-{video.number}.mp4"
            write_video(path, video.scene, video.encoding)
            times = grid(video.scene.duration_s, FPS, MOST)
            frames = frames_at(path, times, SIDE)
            _question_lmm(lmm, video, times, frames, right)
            _question_base(policy, video, frames, right)
            path.unlink()
    return {name: {"accuracy": float(np.mean(row)), "questions": len(row)} for name, row in sorted(right.items())}


def shown_frames(question: WorldQuestion, times: Sequence[float], evidence: bool) -> list[int]:
    """Four frames in temporal order: one inside the evidence and three elsewhere, or all four elsewhere."""
    inside = [i for i, time_s in enumerate(times) if question.start_s <= time_s < question.end_s]
    outside = [i for i in range(len(times)) if i not in set(inside)]
    if question.kind.startswith("static"):
        return list(uniform(len(times), FRAMES))
    if not evidence:
        return [outside[i] for i in uniform(len(outside), FRAMES)]
    return sorted([inside[len(inside) // 2], *(outside[i] for i in uniform(len(outside), FRAMES - 1))])


def _question_lmm(
    lmm: "Lmm", video: Video, times: list[float], frames: np.ndarray, right: dict[str, list[float]]
) -> None:
    features = lmm.encode(frames)
    prompts = [Prompt(f"{q.text}?", q.options) for q in video.questions]
    for evidence in (True, False):
        rows = [(shown_frames(q, times, evidence), i) for i, q in enumerate(video.questions)]
        for q, raw in zip(video.questions, lmm.score(features, rows, prompts), strict=True):
            kind = q.kind.split("/")[0]
            if kind == "static" and not evidence:
                continue
            name = f"lmm {kind}" + ("" if kind == "static" else " with evidence" if evidence else " without evidence")
            right.setdefault(name, []).append(float(option_logits(raw).argmax() == q.answer_index))
            if kind == "moment" and evidence:
                right.setdefault("chance moment", []).append(1 / len(q.options))


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
        right.setdefault(f"base {q.kind.split('/')[0]} all frames", []).append(float(best == q.answer.split()[0]))
