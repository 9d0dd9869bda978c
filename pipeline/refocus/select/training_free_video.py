"""Training-free selectors asked about one video file."""

import logging
from collections.abc import Callable

import torch

from refocus.config.lmm import LmmSettings
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.config.training_free import EmbedRuntime, ScorerSettings, TrainingFreeSettings
from refocus.core.errors import UsageError
from refocus.lmm.loading import find_device
from refocus.lmm.option_scorer import load_lmm_entry
from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question
from refocus.select.ask_frames import certain_clip
from refocus.select.baselines import RandomSelector, UniformSeenSelector, UniformSelector
from refocus.select.dual_encoder import load_dual_encoder
from refocus.select.embed_clips import embed_clip
from refocus.select.picks import Picks
from refocus.select.selector import ClipView, Selector
from refocus.select.similarity import ConfidenceSelector, SimilaritySelector, method
from refocus.select.video_picker import VideoPicker
from refocus.video.decode import DecodedFrames

log = logging.getLogger(__name__)
Maker = Callable[[DecodedFrames, Question, int], Selector]  # from a video's candidates, the question and a seed


class TrainingFreePicker(VideoPicker):
    """Picks the frames of a video as a selector without training does; looks at every candidate for every question."""

    def __init__(
        self, name: SelectorName, model: str | None, settings: SelectSettings, training_free: TrainingFreeSettings
    ):
        """model: what the selector asks, a folder or hub id: CLIP or SigLIP for similarity, an LMM for confidence.

        Raises:
            UsageError: the selector needs more than a video, or a model that is not named or not loadable.
        """
        super().__init__(settings.seed)
        self._make = _maker(name, model, settings, training_free)

    def _picks(self, candidates: DecodedFrames, prompt: Prompt, frames: int, seed: int) -> Picks:
        question = _question(prompt)
        clip = ClipView(question.clip_id, tuple(candidates.timestamps_s))
        selector = self._make(candidates, question, seed)
        return selector.pick(clip, [question], [frames])[frames][0]


def _maker(
    name: SelectorName, model: str | None, settings: SelectSettings, training_free: TrainingFreeSettings
) -> Maker:
    runtime = settings.runtime
    if name.kind == "uniform":
        return lambda candidates, question, seed: UniformSelector()
    if name.kind == "random":
        return lambda candidates, question, seed: RandomSelector(seed)
    if name.kind == "uniform-seen":
        return lambda candidates, question, seed: UniformSeenSelector(training_free.seen_frames)
    if name.needs not in ("embeddings", "certainty"):
        raise UsageError(f"{name} picks for a benchmark only; for one video name the policy with --model, no selector")
    if model is None:
        raise UsageError(f"{name} needs --model, the model that it asks")
    torch.set_num_threads(runtime.threads)
    if name.needs == "embeddings":
        encoder = load_dual_encoder(ScorerSettings(path=model), runtime.device, EmbedRuntime().batch)
        pick = method(name.kind, training_free)

        def similar(candidates: DecodedFrames, question: Question, seed: int) -> Selector:
            embedded = embed_clip(encoder, candidates.images, [question])
            if any(embedded.questions[question.qa_id].cut):
                log.warning("the text is longer than the %d tokens that the model reads", encoder.text_length)
            return SimilaritySelector(pick, lambda clip_id: embedded, name.reads_options)

        return similar
    dtype = "float32" if find_device(runtime.device).type == "cpu" else "bfloat16"
    lmm = load_lmm_entry(LmmSettings(path=model, dtype=dtype), runtime.device, None)

    def certain(candidates: DecodedFrames, question: Question, seed: int) -> Selector:
        if not 2 <= len(question.options) <= lmm.max_options:
            raise UsageError(f"confidence needs 2 to {lmm.max_options} answer options (--option)")
        return ConfidenceSelector(certain_clip(lmm, candidates.images, candidates.timestamps_s, [question]))

    return certain


def _question(prompt: Prompt) -> Question:
    """The question as a benchmark's would be; its id matters to `random` alone, which has a seed of its own here."""
    return Question(
        qa_id="question",
        dataset="",
        split="",
        clip_id="video",
        video_path="",
        start_s=None,
        end_s=None,
        question=prompt.question,
        options=prompt.options,
        answer_index=-1,
        answer_text="",
        category="",
        source_id="",
        flags=(),
    )
