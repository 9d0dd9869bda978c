"""A frozen CLIP or SigLIP: frames and texts as unit vectors of one space, compared by their cosine.

f frames · n texts · l tokens of a text · d width of the space
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from refocus.config.training_free import ScorerSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.core.model_folder import SMALL_FILES, find_folder
from refocus.lmm import loading
from refocus.video.resize import resize

if TYPE_CHECKING:
    from refocus.lmm.prompts import Prompt
    from refocus.qa.records import Question


@dataclass(frozen=True)
class _Kind:
    """What differs between the two: SigLIP's text encoder was trained on texts padded to full length, unmasked."""

    architecture: str
    statistics: loading.Statistics
    masked: bool


KINDS = {
    "siglip": _Kind("SiglipModel", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), masked=False),
    "clip": _Kind(
        "CLIPModel", ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)), masked=True
    ),
}


@dataclass(frozen=True)
class EncodedTexts:
    """vectors: (n, d) float32 unit vectors. cut: for each text, whether it was longer than the encoder reads."""

    vectors: np.ndarray
    cut: tuple[bool, ...]


class DualEncoder:
    """Build it with `load_dual_encoder`.

    Attributes:
        frame_size: side in pixels of the pictures it takes.
        text_length: tokens it reads of a text (64 for SigLIP, 77 for CLIP).
    """

    def __init__(self, model: Any, tokenizer: Any, kind: _Kind, statistics: loading.Statistics, batch: int) -> None:
        self.model, self.tokenizer, self.batch = model, tokenizer, batch
        self.frame_size = int(model.config.vision_config.image_size)
        self.text_length = int(model.config.text_config.max_position_embeddings)
        self._masked = kind.masked
        self.device, self.dtype = model.logit_scale.device, model.logit_scale.dtype
        self._mean, self._std = (torch.tensor(part, device=self.device).view(1, -1, 1, 1) for part in statistics)
        own = tokenizer.pad_token_id
        self._padding = int(model.config.text_config.pad_token_id if own is None else own)

    @torch.no_grad()
    def encode_frames(self, images: np.ndarray | Tensor) -> np.ndarray:
        """(f, h, w, 3) uint8 RGB, squashed to `frame_size` where they differ, to (f, d) float32 unit vectors.

        Raises:
            RefocusError: the model gives zeros or no finite numbers.
        """
        if tuple(images.shape[1:3]) != (self.frame_size, self.frame_size):
            images = resize(np.asarray(images), self.frame_size)
        pixels = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
        parts = []
        for part in pixels.split(self.batch):
            scaled = part.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
            scaled = ((scaled - self._mean) / self._std).to(self.dtype)
            parts.append(self._unit(self.model.get_image_features(pixel_values=scaled, return_dict=True).pooler_output))
        return np.concatenate(parts)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """The texts' vectors; what is beyond `text_length` tokens is not read.

        Raises:
            RefocusError: the model gives zeros or no finite numbers.
        """
        whole = self.tokenizer(list(texts)).input_ids
        read = self.tokenizer(list(texts), truncation=True, max_length=self.text_length).input_ids
        parts = []
        for start in range(0, len(read), self.batch):
            rows = read[start : start + self.batch]
            padded = [[*row, *[self._padding] * (self.text_length - len(row))] for row in rows]
            inputs = {"input_ids": torch.tensor(padded, device=self.device)}  # (n, l)
            if self._masked:
                mask = [[1] * len(row) + [0] * (self.text_length - len(row)) for row in rows]
                inputs["attention_mask"] = torch.tensor(mask, device=self.device)
            parts.append(self._unit(self.model.get_text_features(**inputs, return_dict=True).pooler_output))
        return EncodedTexts(np.concatenate(parts), tuple(len(row) > self.text_length for row in whole))

    def _unit(self, vectors: Tensor) -> np.ndarray:
        unit = normalize(vectors.float(), dim=-1)
        if not (unit.norm(dim=-1) > 0.5).all():  # neither NaN nor zeros have a cosine
            raise RefocusError(
                f"the model's vectors in {self.dtype} are zeros or not finite: embed with --dtype float32 (`scorers` "
                "in the configuration), or its weights are broken"
            )
        return unit.cpu().numpy()


def load_dual_encoder(entry: ScorerSettings, device: str, batch: int) -> DualEncoder:
    """Loads an entry of `scorers` from a folder or a hub id. Runs no code from there.

    Raises:
        UsageError: nothing loadable is there, or a model of another kind.
        ResourceMissing: a GPU is asked for and none is here.
        RefocusError: weights or tokenizer are unusable.
    """
    place, dtype = loading.find_device(device), loading.find_dtype(entry.dtype)
    config = loading.load_config(find_folder(entry.path, SMALL_FILES))
    kind = KINDS.get(config.model_type)
    if kind is None:
        known = ", ".join(KINDS)
        raise UsageError(f"{os.fspath(entry.path)}: a model of type '{config.model_type}' is no scorer (of {known})")
    folder = find_folder(entry.path)
    model = loading.load_weights(folder, kind.architecture, config, dtype, "sdpa").to(place)
    statistics = loading.load_statistics(folder, kind.statistics)
    return DualEncoder(model, loading.load_tokenizer(folder), kind, statistics, batch)


def texts_of(question: "Question | Prompt") -> list[str]:
    """The question alone, and with each of its options behind it."""
    asked = question.question.strip()
    return [asked, *(f"{asked} {option.strip()}" for option in question.options)]
