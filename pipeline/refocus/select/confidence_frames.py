"""`confidence` asked about videos: the frames that an LMM is surest from."""

from collections.abc import Sequence
from typing import Any

import torch

from refocus.config.decode import DecodeSettings
from refocus.config.lmm import LmmSettings
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.lmm.loading import find_device
from refocus.lmm.option_scorer import load_lmm_entry
from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question
from refocus.select.ask_frames import certain_features
from refocus.select.encoded_video import EncodedVideo
from refocus.select.frame_selector import FrameSelector
from refocus.select.picks import Picks
from refocus.select.topk import topk
from refocus.select.video_selection import Curve
from refocus.video.decode import DecodedFrames


class ConfidenceFrameSelector(FrameSelector):
    """`confidence`: the frames from which an LMM is surest of its answer; it is asked about every candidate."""

    name = "confidence"

    def __init__(self, model: str, settings: SelectSettings, decode: DecodeSettings):
        dtype = "float32" if find_device(settings.runtime.device).type == "cpu" else "bfloat16"
        torch.set_num_threads(settings.runtime.threads)
        self._lmm = load_lmm_entry(LmmSettings(path=model, dtype=dtype), settings.runtime.device, None)
        super().__init__(settings, decode, {}, model)

    def _read(self, candidates: DecodedFrames) -> Any:
        return self._lmm.encode(candidates.images)

    def _picks(
        self, encoded: EncodedVideo, prompts: Sequence[Prompt], n_frames: int, seeds: Sequence[int]
    ) -> list[tuple[Picks, Curve | None]]:
        for prompt in prompts:
            if not 2 <= len(prompt.options) <= self._lmm.max_options:
                raise UsageError(
                    f"confidence needs 2 to {self._lmm.max_options} answer options; '{prompt.question:.80}' has "
                    f"{len(prompt.options)}"
                )
        asked = [question_about(prompt, "video") for prompt in prompts]
        made: list[tuple[Picks, Curve | None]] = []
        for sure in certain_features(self._lmm, encoded.state, encoded.timestamps_s, asked):
            order = topk(sure, n_frames)
            curve = Curve(encoded.timestamps_s, tuple(sure.tolist()), "logarithm of the LMM's certainty")
            made.append((Picks(tuple(order), tuple(float(sure[frame]) for frame in order)), curve))
        return made


def question_about(prompt: Prompt, clip_id: str) -> Question:
    """The question as a benchmark's would be."""
    return Question(
        qa_id="question",
        dataset="",
        split="",
        clip_id=clip_id,
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
