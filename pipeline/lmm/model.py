"""A video LMM that scores answer options: frames are encoded once, shared frame prefixes are computed once.

f frames · p tokens per frame · d width of the language model
r rows (frames, question) · o options · v letter variants
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import RefocusError
from pipeline.lmm import loading
from pipeline.lmm.families import Family, find_family
from pipeline.lmm.letters import letter_tokens
from pipeline.lmm.packing import PlainBatch, SharedBatch, pack
from pipeline.lmm.prompts import Prompt

Row = tuple[Sequence[int], int]
Frames = list[tuple[int, ...]]
HEAD_WORTH = 6  # the system message is cached where it is more than a sixth of a prefix


@dataclass
class Work:
    """What a model has computed so far: frames through the vision tower, tokens and passes of the language model."""

    frames: int = 0
    prefixes: int = 0
    prefix_tokens: int = 0
    suffix_tokens: int = 0
    passes: int = 0


@dataclass(frozen=True)
class _Prefix:
    """The tokenised prefix of n frames.

    length: all its tokens. head: KV cache of its first tokens, the same for every row, or None.
    embeddings: (m, d) of the tokens after the head. slots: where the n·p frame tokens stand among them.
    """

    length: int
    head: Any
    embeddings: Tensor
    slots: Tensor

    def cache(self, rows: int) -> Any:
        """The head's KV cache for a batch of `rows`; None without a head."""
        return None if self.head is None else _fork(self.head, lambda part: part.expand(rows, -1, -1, -1))


class Lmm:
    """A frozen video LMM. Build it with `load_lmm`.

    Attributes:
        frame_size: side in pixels of the images the vision tower takes.
        tokens_per_frame: tokens one frame takes in the prompt.
        device, dtype: where the weights are and in what type they compute.
        batch_tokens: default token budget of one forward pass.
        work: counters of what was computed.
    """

    def __init__(
        self, model: Any, tokenizer: Any, family: Family, mean: Sequence[float], std: Sequence[float], batch_tokens: int
    ) -> None:
        weight = model.get_input_embeddings().weight
        self.model, self.tokenizer, self.family = model, tokenizer, family
        self.device, self.dtype = weight.device, weight.dtype
        self.frame_size = family.frame_size(model.config)
        self.tokens_per_frame = family.tokens_per_frame(model.config)
        self.batch_tokens = batch_tokens
        self.work = Work()
        self._mean, self._std = (torch.tensor(part, device=self.device).view(1, -1, 1, 1) for part in (mean, std))
        self._letters = letter_tokens(tokenizer)
        self._prefixes: dict[int, _Prefix] = {}
        head = model.get_output_embeddings()
        ids = torch.tensor(self._letters, device=self.device).flatten()
        self._letter_weight = head.weight[ids].float()  # (letters·v, d)
        self._letter_bias = head.bias[ids].float() if head.bias is not None else None

    @property
    def max_options(self) -> int:
        """The most options a question may have: letters the tokenizer knows."""
        return len(self._letters)

    @torch.no_grad()
    def encode(self, images: np.ndarray, batch_tokens: int | None = None) -> Tensor:
        """Vision tower and projector.

        Args:
            images: (f, h, w, 3) uint8 RGB of any size; squashed to `frame_size` where they differ.
        Returns:
            (f, p, d) in the model's dtype and on its device.
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(f"images must be (frames, height, width, 3) uint8, not {images.shape} {images.dtype}")
        if images.shape[1:3] != (self.frame_size, self.frame_size) and len(images):
            from pipeline.video.resize import resize

            images = resize(images, self.frame_size)
        step = max(1, (batch_tokens or self.batch_tokens) // self.family.patches_per_frame(self.model.config))
        parts = [self._encode(images[start : start + step]) for start in range(0, len(images), step)]
        self.work.frames += len(images)
        width = self._letter_weight.shape[1]
        return torch.cat(parts) if parts else self._mean.new_empty((0, self.tokens_per_frame, width), dtype=self.dtype)

    @torch.no_grad()
    def score(
        self, features: Tensor, rows: Sequence[Row], questions: Sequence[Prompt], batch_tokens: int | None = None
    ) -> list[Tensor]:
        """Raw logits of the option letters (the z of paper Eq. 5), one tensor per row.

        Rows with the same frames in the same order share one prefix and its KV cache; rows alone with their frames are
        plain batched passes; equal rows are computed once. The result does not depend on how rows are packed.

        Args:
            features: (f, p, d) from `encode`; clips may be concatenated, rows then index into the whole.
            rows: (frame indices in the order shown, index into `questions`).
            questions: questions with at least two options each.
            batch_tokens: token budget of one pass; the model's own where None.
        Returns:
            r tensors (o, v) float32 on the CPU, in the order of `rows`.
        Raises:
            RefocusError: a question has fewer than two options or more than `max_options`.
        """
        texts = {question: self._suffix(questions[question]) for question in dict.fromkeys(q for _, q in rows)}
        asked = [(tuple(int(index) for index in picked), question) for picked, question in rows]
        unique = list(dict.fromkeys(asked))
        frames, suffixes = [picked for picked, _ in unique], [texts[question] for _, question in unique]
        by_count: dict[int, list[int]] = {}
        for number, picked in enumerate(frames):
            by_count.setdefault(len(picked), []).append(number)
        hidden: list[Tensor] = []
        order: list[int] = []
        for count, members in by_count.items():
            prefix = self._prefix(count)
            lengths = [len(ids) for ids in suffixes]
            for batch in pack(frames, prefix.length, lengths, members, batch_tokens or self.batch_tokens):
                run = self._run_plain if isinstance(batch, PlainBatch) else self._run_shared
                for done, last in run(batch, prefix, features, frames, suffixes):
                    order.extend(done)
                    hidden.append(last)
        if not hidden:
            return []
        logits = torch.nn.functional.linear(torch.cat(hidden).float(), self._letter_weight, self._letter_bias)
        logits = logits.unflatten(-1, (self.max_options, -1)).cpu()  # (unique rows, letters, v)
        place = {unique[number]: position for position, number in enumerate(order)}
        return [logits[place[row], : len(questions[row[1]].options)] for row in asked]

    def _encode(self, images: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2)
        pixels = ((pixels.float() / 255 - self._mean) / self._std).to(self.dtype)  # (f, 3, s, s)
        return self.family.features(self.model, pixels)

    def _run_plain(
        self, batch: PlainBatch, prefix: _Prefix, features: Tensor, frames: Frames, suffixes: list[list[int]]
    ) -> list[tuple[list[int], Tensor]]:
        rows = list(batch.rows)
        x = self._embed_frames(prefix, features, [frames[row] for row in rows])
        text, last = self._embed_text([suffixes[row] for row in rows])
        output = self._decode(torch.cat([x, text], dim=1), prefix.cache(len(rows)))
        self._count(len(rows), x.shape[1], len(rows) * text.shape[1])
        return [(rows, self._gather(output, last + x.shape[1]))]

    def _run_shared(
        self, batch: SharedBatch, prefix: _Prefix, features: Tensor, frames: Frames, suffixes: list[list[int]]
    ) -> list[tuple[list[int], Tensor]]:
        x = self._embed_frames(prefix, features, [frames[row] for row in batch.leads])
        cache = prefix.cache(len(x)) or self._new_cache()
        if x.shape[1]:
            self._decode(x, cache)
        self._count(len(x), x.shape[1], 0)
        done = []
        for chunk in batch.chunks:
            rows = [row for row, _ in chunk]
            homes = torch.tensor([home for _, home in chunk], device=self.device)
            text, last = self._embed_text([suffixes[row] for row in rows])
            branch = _fork(cache, lambda part, homes=homes: part[homes])
            done.append((rows, self._gather(self._decode(text, branch), last)))
            self._count(0, 0, len(rows) * text.shape[1])
        return done

    def _decode(self, x: Tensor, cache: Any) -> Tensor:
        """Causal pass without a padding mask: rows are padded on the right, where no real token looks."""
        decoder = self.family.language_model(self.model)
        self.work.passes += 1
        return decoder(inputs_embeds=x, past_key_values=cache, use_cache=cache is not None).last_hidden_state

    def _gather(self, hidden: Tensor, last: Tensor) -> Tensor:
        return hidden[torch.arange(len(last), device=self.device), last]  # (r, d)

    def _embed_frames(self, prefix: _Prefix, features: Tensor, picked: list[tuple[int, ...]]) -> Tensor:
        x = prefix.embeddings.expand(len(picked), -1, -1).clone()  # (r, length, d)
        if picked[0]:
            index = torch.tensor(picked, device=features.device)  # (r, n)
            x[:, prefix.slots] = features[index].flatten(1, 2).to(x)
        return x

    def _embed_text(self, suffixes: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Right-padded embeddings (r, longest, d) and each row's last real position (r,)."""
        longest = max(len(ids) for ids in suffixes)
        padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in suffixes], device=self.device)
        last = torch.tensor([len(ids) - 1 for ids in suffixes], device=self.device)
        return self.model.get_input_embeddings()(padded), last

    def _prefix(self, n_frames: int) -> _Prefix:
        if n_frames not in self._prefixes:
            head, ids = (self._tokens(self.family.prefix(n, self.tokens_per_frame)) for n in (0, n_frames))
            found = ids.count(self.family.context_id(self.model.config))
            if found != n_frames * self.tokens_per_frame:
                raise RefocusError(
                    f"the tokenizer gives {found} frame tokens for {n_frames} frames of {self.tokens_per_frame}:"
                    " it does not belong to this model"
                )
            cache, skip = None, 0
            if ids[: len(head)] == head and len(ids) <= HEAD_WORTH * len(head):
                cache, skip = self._new_cache(), len(head)
                self._decode(self.model.get_input_embeddings()(torch.tensor([head], device=self.device)), cache)
            rest = torch.tensor(ids[skip:], device=self.device, dtype=torch.long)
            slots = (rest == self.family.context_id(self.model.config)).nonzero().flatten()
            self._prefixes[n_frames] = _Prefix(len(ids), cache, self.model.get_input_embeddings()(rest), slots)
        return self._prefixes[n_frames]

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _suffix(self, prompt: Prompt) -> list[int]:
        if not 2 <= len(prompt.options) <= self.max_options:
            raise RefocusError(
                f"'{prompt.question}' has {len(prompt.options)} options; this model scores 2 to {self.max_options}"
            )
        return self._tokens(self.family.suffix(prompt))

    def _count(self, prefixes: int, length: int, suffix_tokens: int) -> None:
        self.work.prefixes += prefixes
        self.work.prefix_tokens += prefixes * length
        self.work.suffix_tokens += suffix_tokens


def _fork(cache: Any, pick: Callable[[Tensor], Tensor]) -> Any:
    """A KV cache with `pick` applied to every (rows, heads, tokens, width) part; the original stays as it is."""
    fork = copy.copy(cache)
    fork.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in fork.layers:
        layer.keys, layer.values = pick(layer.keys), pick(layer.values)
    return fork


def option_logits(raw: Tensor) -> Tensor:
    """(…, o, v) raw letter logits to (…, o): logsumexp over the ways to spell a letter."""
    return raw.logsumexp(-1)


def load_lmm(
    path: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    attention: str = "auto",
    family: str = "auto",
    batch_tokens: int | None = None,
) -> Lmm:
    """Loads a frozen LMM from a folder or a hub id. Needs no torchvision and runs no code from the model's folder.

    `batch_tokens` None is what measured well: 4096 on a CPU, where larger passes leave its caches, 65536 on a GPU.

    Raises:
        UsageError: nothing loadable there, or an unknown family or dtype.
        ResourceMissing: a GPU is asked for and none is here.
        RefocusError: weights or tokenizer are unusable.
    """
    path = str(path)
    place, kind = loading.find_device(device), loading.find_dtype(dtype)
    budget = batch_tokens or (4096 if place.type == "cpu" else 65536)
    config = loading.load_config(path)
    chosen = find_family(family, config.model_type, path)
    model = loading.load_weights(
        path, chosen.architecture, config, kind, loading.find_attention(attention, place, kind)
    )
    return Lmm(model.to(place), loading.load_tokenizer(path), chosen, *loading.load_statistics(path), budget)
