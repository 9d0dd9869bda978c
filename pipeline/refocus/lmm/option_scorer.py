"""A video LMM that scores answer options: frames are encoded once, shared prefixes of frame lists are computed once.

f frames · p tokens per frame · d width of the language model
e embeddings per token of a frame (1 for most families)
r rows (frames, question) · o options · v letter variants
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from refocus.config.lmm import LmmSettings
from refocus.core.errors import RefocusError
from refocus.core.model_folder import SMALL_FILES, find_folder
from refocus.lmm import loading
from refocus.lmm import token_budget as budget
from refocus.lmm.families import find_family
from refocus.lmm.family import Family
from refocus.lmm.letters import letter_tokens
from refocus.lmm.passes import PassCounts, Passes
from refocus.lmm.prefix_tree import Path
from refocus.lmm.prompts import END_OF_TURN, Prompt

Row = tuple[Sequence[int], int]


class Lmm:
    """A frozen video LMM. Build it with `load_lmm`.

    Attributes:
        frame_size: side in pixels of the images the vision tower takes.
        tokens_per_frame: tokens one frame takes in the prompt.
        device: where the weights are.
        dtype: in what type they compute.
        work: counters of what was computed.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        family: Family,
        mean: Sequence[float],
        std: Sequence[float],
        batch_tokens: int | None,
    ) -> None:
        weight = model.get_input_embeddings().weight
        self.model, self.tokenizer, self.family = model, tokenizer, family
        self.device, self.dtype = weight.device, weight.dtype
        self.frame_size = family.frame_size(model.config)
        self.tokens_per_frame = family.tokens_per_frame(model.config)
        self._limit = batch_tokens
        self.work = PassCounts()
        self._mean, self._std = (torch.tensor(part, device=self.device).view(1, -1, 1, 1) for part in (mean, std))
        self._letters = letter_tokens(tokenizer)
        self._passes = Passes(model, family, self._tokens, self.work)
        head = model.get_output_embeddings()
        ids = torch.tensor(self._letters, device=self.device).flatten()
        exact = torch.promote_types(self.dtype, torch.float32)
        self._letter_weight = head.weight[ids].to(exact)  # (letters·v, d)
        self._letter_bias = head.bias[ids].to(exact) if head.bias is not None else None

    @property
    def batch_tokens(self) -> int:
        """Most tokens that are computed or held at once: as given, else what free memory allows at this moment.

        Halved for good when memory runs out.
        """
        return self._limit or budget.automatic(self.model.config, self.dtype.itemsize, self.device)

    @batch_tokens.setter
    def batch_tokens(self, tokens: int | None) -> None:
        self._limit = tokens

    @property
    def max_options(self) -> int:
        """The most options a question may have: letters the tokenizer knows."""
        return len(self._letters)

    @torch.no_grad()
    def encode(self, images: np.ndarray | Tensor, batch_tokens: int | None = None) -> Tensor:
        """Vision tower and projector.

        Args:
            images: (f, h, w, 3) uint8 RGB of any size; squashed to `frame_size` where they differ. A tensor in pinned
                memory is copied to the GPU while the GPU computes.
            batch_tokens: tokens computed at once; the model's own where None.
        Returns:
            (f, p, e·d) in the model's dtype and on its device.
        Raises:
            RefocusError: a single frame does not fit into memory.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype not in (np.uint8, torch.uint8):
            raise ValueError(f"images must be (frames, height, width, 3) uint8, not {images.shape} {images.dtype}")
        if not len(images):
            width = self.family.embeddings_per_token(self.model.config) * self._letter_weight.shape[1]
            return self._mean.new_empty((0, self.tokens_per_frame, width), dtype=self.dtype)
        if tuple(images.shape[1:3]) != (self.frame_size, self.frame_size):
            from refocus.video.resize import resize

            images = resize(np.asarray(images), self.frame_size)
        pixels = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
        patches = self.family.patches_per_frame(self.model.config)

        def run(tokens: int) -> Tensor:
            return torch.cat([self._encode(part) for part in pixels.split(max(1, tokens // patches))])

        features = budget.retrying(run, batch_tokens or self.batch_tokens, patches, self._lower)
        self.work.frames += len(images)
        return features

    @torch.no_grad()
    def score(
        self,
        features: Tensor,
        rows: Sequence[Row],
        questions: Sequence[Prompt],
        times_s: Sequence[float] | None = None,
        batch_tokens: int | None = None,
    ) -> list[Tensor]:
        """Raw logits of the option letters (the z of paper Eq. 5), one tensor per row.

        What the frame lists of rows share from their beginning is computed once, and all questions on the same frames
        share them. The result does not depend on how rows are packed.

        Args:
            features: (f, p, e·d) from `encode`; clips may be concatenated, rows then index into the whole.
            rows: (frame indices in the order shown, index into `questions`).
            questions: questions with at least two options each.
            times_s: (f,) the second of its video at which each frame is shown; families that show no time need none.
            batch_tokens: tokens held at once; the model's own where None.
        Returns:
            r tensors (o, v) on the CPU, float32 (float64 of such a model), in the order of `rows`.
        Raises:
            RefocusError: a question has fewer than two options or more than `max_options`, a single row does not
                fit into memory, or this family shows times and is given none.
        """
        if not rows:
            return []
        texts = {question: self._suffix(questions[question]) for question in dict.fromkeys(q for _, q in rows)}
        asked = [(tuple(int(index) for index in picked), question) for picked, question in rows]
        found = self._ends(features, {row: texts[row[1]] for row in asked}, times_s, batch_tokens)
        hidden = torch.stack(list(found.values())).to(self._letter_weight.dtype)
        logits = torch.nn.functional.linear(hidden, self._letter_weight, self._letter_bias)
        logits = logits.unflatten(-1, (self.max_options, -1)).cpu()  # (unique rows, letters, v)
        place = {row: number for number, row in enumerate(found)}
        return [logits[place[row], : len(questions[row[1]].options)] for row in asked]

    @torch.no_grad()
    def generate(
        self,
        features: Tensor,
        rows: Sequence[Row],
        questions: Sequence[Prompt],
        times_s: Sequence[float] | None = None,
        most: int = 16,
        batch_tokens: int | None = None,
    ) -> list[str]:
        """What the model writes after `Answer:`, the likeliest token each time, until it ends its turn.

        Every token is one pass over frames and question: exact for all families, and quick for replies of a letter.

        Args:
            features: as in `score`.
            rows: as in `score`.
            questions: as in `score`; they may have no options.
            times_s: as in `score`.
            most: tokens of a reply.
            batch_tokens: as in `score`.
        Returns:
            A reply per row, in their order.
        Raises:
            RefocusError: as `score`.
        """
        texts = {question: self._suffix(questions[question], True) for question in dict.fromkeys(q for _, q in rows)}
        asked = [(tuple(int(index) for index in picked), question) for picked, question in rows]
        replies: dict[tuple[Path, int], list[int]] = {row: [] for row in asked}
        open_rows, head = list(replies), self.model.get_output_embeddings()
        for _ in range(most):
            if not open_rows:
                break
            begun = {row: [*texts[row[1]], *replies[row]] for row in open_rows}
            found = self._ends(features, begun, times_s, batch_tokens)
            likeliest = head(torch.stack([found[row] for row in open_rows])).argmax(-1).tolist()
            for row, token in zip(open_rows, likeliest, strict=True):
                replies[row].append(token)
            open_rows = [row for row in open_rows if replies[row][-1] not in self._last_tokens]
        return [self.tokenizer.decode(replies[row], skip_special_tokens=True) for row in asked]

    def _ends(
        self,
        features: Tensor,
        texts: Mapping[tuple[Path, int], Sequence[int]],
        times_s: Sequence[float] | None,
        batch_tokens: int | None,
    ) -> dict[tuple[Path, int], Tensor]:
        """The hidden state (d,) behind the text of each row; `texts` holds token ids by frames and question."""
        if times_s is None and self.family.shows_time and len(features):
            raise RefocusError(f"{self.family.name} shows the seconds of frames, and these frames have none")
        seconds = [0.0] * len(features) if times_s is None else list(times_s)
        suffixes: dict[Path, dict[int, Sequence[int]]] = {}
        for (picked, question), ids in texts.items():
            suffixes.setdefault(picked, {})[question] = ids
        found = budget.retrying(
            lambda tokens: list(self._passes.run(features, seconds, suffixes, tokens)),
            batch_tokens or self.batch_tokens,
            self._passes.least(seconds, suffixes),
            self._lower,
        )
        return {(path, question): state for path, question, state in found}

    @property
    def _last_tokens(self) -> set[int]:
        """Tokens that end the model's turn."""
        ends = getattr(self.model.generation_config, "eos_token_id", None)
        known = ends if isinstance(ends, list) else [ends]
        return {*known, self.tokenizer.eos_token_id, self.tokenizer.convert_tokens_to_ids(END_OF_TURN)}

    def _encode(self, images: Tensor) -> Tensor:
        pixels = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        pixels = ((pixels.float() / 255 - self._mean) / self._std).to(self.dtype)  # (f, 3, s, s)
        return self.family.features(self.model, pixels)

    def _lower(self, tokens: int) -> None:
        self._limit = tokens

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _suffix(self, prompt: Prompt, open_too: bool = False) -> list[int]:
        if not (2 <= len(prompt.options) <= self.max_options or (open_too and not prompt.options)):
            raise RefocusError(
                f"'{prompt.question}' has {len(prompt.options)} options; this model scores 2 to {self.max_options}"
            )
        return self._tokens(self.family.suffix(prompt))


def load_lmm_entry(entry: LmmSettings, device: str, batch_tokens: int | None) -> Lmm:
    """Loads the model of an entry of `lmms`; see `load_lmm`."""
    return load_lmm(
        entry.path,
        device=device,
        dtype=entry.dtype,
        attention=entry.attention,
        family=entry.family,
        batch_tokens=batch_tokens,
    )


def load_lmm(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    dtype: str = "float32",
    attention: str = "auto",
    family: str = "auto",
    batch_tokens: int | None = None,
) -> Lmm:
    """Loads a frozen LMM from a folder or a hub id. Needs no torchvision and runs no code from the model's folder.

    Args:
        path: the folder or hub id.
        device: `cpu`, `cuda`, `cuda:1`.
        dtype: `float32`, `float16` or `bfloat16`.
        attention: transformers' name of an implementation; `auto`: the fastest that is installed.
        family: how it is prompted; `auto`: by its config's `model_type`.
        batch_tokens: None is what the device's free memory allows; on a CPU at most 16384, as more gains nothing.
    Raises:
        UsageError: nothing loadable there, or an unknown family or dtype.
        ResourceMissing: a GPU is asked for and none is here.
        RefocusError: weights or tokenizer are unusable.
    """
    place, kind = loading.find_device(device), loading.find_dtype(dtype)
    config = loading.load_config(find_folder(path, SMALL_FILES))
    chosen = find_family(family, config.model_type, os.fspath(path))
    folder = find_folder(path)  # the weights of a hub model are fetched only where it is of a known family
    model = loading.load_weights(
        folder, chosen.architecture, config, kind, loading.find_attention(attention, place, kind)
    )
    model = model.to(place)
    mean, std = loading.load_statistics(folder, chosen.statistics)
    return Lmm(model, loading.load_tokenizer(folder), chosen, mean, std, batch_tokens)
