"""Selectors that no training made, asked about videos; without pyarrow, which the core does not bring."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from refocus.config.decode import DecodeSettings
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.config.training_free import EmbedRuntime, ScorerSettings, TrainingFreeSettings
from refocus.core.progress import bar
from refocus.frames.sampling import uniform
from refocus.lmm.prompts import Prompt
from refocus.select.dual_encoder import load_dual_encoder, texts_of
from refocus.select.encoded_video import EncodedVideo
from refocus.select.frame_selector import FrameSelector
from refocus.select.methods import draw, method
from refocus.select.picks import Picks
from refocus.select.selector_digest import tuned
from refocus.select.video_selection import Curve
from refocus.video.decode import DecodedFrames

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
FRAMES = "frames"


class SpreadFrameSelector(FrameSelector):
    """`uniform`, `random`, `uniform-seen`: nothing is read of the frames."""

    def __init__(
        self,
        name: SelectorName,
        settings: SelectSettings,
        decode: DecodeSettings,
        numbers: TrainingFreeSettings,
    ):
        self.name, self._numbers = str(name), numbers
        super().__init__(settings, decode, tuned(name, numbers), None)

    def _read(self, candidates: DecodedFrames) -> None:
        return None

    def _picks(
        self, encoded: EncodedVideo, prompts: Sequence[Prompt], n_frames: int, seeds: Sequence[int]
    ) -> list[tuple[Picks, Curve | None]]:
        count = encoded.n_candidates
        if self.name == "random":
            return [(draw(count, n_frames, seed), None) for seed in seeds]
        most = n_frames if self.name == "uniform" else self._numbers.seen_frames
        return [(Picks(tuple(uniform(count, most))), None)] * len(prompts)


class SimilarityFrameSelector(FrameSelector):
    """`topk`, `aks`, `bolt`, `mdp3`: a CLIP or SigLIP compares frames with the question's words."""

    def __init__(
        self,
        name: SelectorName,
        model: str,
        settings: SelectSettings,
        decode: DecodeSettings,
        numbers: TrainingFreeSettings,
    ):
        self.name, self._with_options = str(name), name.reads_options
        torch.set_num_threads(settings.runtime.threads)
        self._pick = method(name.kind, numbers)
        self._encoder = load_dual_encoder(ScorerSettings(path=model), settings.runtime.device, EmbedRuntime().batch)
        super().__init__(settings, decode, tuned(name, numbers), model)

    def _read(self, candidates: DecodedFrames) -> Any:
        images, batch = candidates.images, self._encoder.batch
        starts: Iterable[int] = range(0, len(images), batch)
        if len(images) > batch:
            starts = bar(starts, desc="embed", unit="batch")
        return np.concatenate(
            [self._encoder.encode_frames(images[start : start + batch]) for start in starts]
        )  # (t, d)

    def _picks(
        self, encoded: EncodedVideo, prompts: Sequence[Prompt], n_frames: int, seeds: Sequence[int]
    ) -> list[tuple[Picks, Curve | None]]:
        return [self._one(encoded, prompt, n_frames) for prompt in prompts]

    def _one(self, encoded: EncodedVideo, prompt: Prompt, n_frames: int) -> tuple[Picks, Curve]:
        alone, *with_option = texts_of(prompt)
        texts = self._encoder.encode_texts(with_option if self._with_options and with_option else [alone])
        if any(texts.cut):
            log.warning("the text is longer than the %d tokens that the model reads", self._encoder.text_length)
        cosines = (encoded.state @ texts.vectors.T).max(1)  # (t,)
        order = self._pick(encoded.state, cosines, [n_frames])[n_frames]
        curve = Curve(encoded.timestamps_s, tuple(cosines.tolist()), "cosine with the question's words")
        return Picks(tuple(order), tuple(float(cosines[frame]) for frame in order)), curve

    def _tensors(self, state: Any) -> Mapping[str, "Tensor"]:
        return {FRAMES: torch.from_numpy(state)}

    def _state(self, tensors: Mapping[str, "Tensor"]) -> Any:
        return tensors[FRAMES].numpy()
