"""Forward passes of the decoder: trunks and packs of the prefix tree, then questions as packed suffixes.

r rows · n new tokens · p tokens per frame · d width
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from refocus.core.errors import RefocusError
from refocus.lmm.families import Family
from refocus.lmm.forkable_cache import ForkableCache
from refocus.lmm.prefix_tree import Pack, Path, Trunk, grow

PACKED = 1024  # tokens of questions that share a pass; more only widens the mask

Tokens = Sequence[int]
Suffixes = Mapping[Path, Mapping[int, Tokens]]  # of every path its questions by their numbers
Needs = Mapping[Path, int]  # tokens of every path with its longest pass of questions
Ask = list[tuple[int, Tokens]]
Ends = Iterator[tuple[Path, int, Tensor]]  # path, number of a question, hidden state (d,) at its end


@dataclass
class PassCounts:
    """What a model has computed since it was loaded.

    frames: images through the vision tower. slots: frames through the decoder. prefix_tokens: decoder tokens up to the
    last frame, the system message included. suffix_tokens: decoder tokens of questions. passes: calls of the decoder.
    peak_tokens: most tokens whose keys and values were held at once.
    """

    frames: int = 0
    slots: int = 0
    prefix_tokens: int = 0
    suffix_tokens: int = 0
    passes: int = 0
    peak_tokens: int = 0


class Passes:
    """The decoder of one model, fed with frame features.

    Args:
        model: the whole model. family: its kind. tokens: text to token ids. work: counters to keep.
    """

    def __init__(self, model: Any, family: Family, tokens: Callable[[str], list[int]], work: PassCounts) -> None:
        self._model, self._family, self._tokens, self._work = model, family, tokens, work
        self._decoder = family.language_model(model)
        self._embed = model.get_input_embeddings()
        self._device = self._embed.weight.device
        self._layers = self._decoder.config.num_hidden_layers
        self._per_frame = family.tokens_per_frame(model.config)
        self._frames: list[tuple[Tensor, Tensor]] = []
        self._opening = tokens(family.prefix(0, self._per_frame))  # the system message opens every prompt
        self._head: ForkableCache | None = None
        self._held = 0
        if set(getattr(self._decoder.config, "layer_types", None) or ["full_attention"]) != {"full_attention"}:
            raise RefocusError("models with sliding-window attention cannot share frame prefixes")

    def run(self, features: Tensor, suffixes: Suffixes, budget: int) -> Ends:
        """The hidden state at the end of every question of every path.

        Args:
            features: (f, p, d) frames that the paths index.
            suffixes: paths with the token ids of their questions.
            budget: tokens that may be held at once; a single path may need more.
        Yields:
            (path, number of the question, (d,)).
        """
        if not suffixes:
            return
        self._tokenise_frames(max(map(len, suffixes)))
        self._features = features
        needs = {path: self._length(len(path)) + _longest(list(asked.items())) for path, asked in suffixes.items()}

        def fits(paths: Sequence[Path]) -> bool:
            return len(paths) == 1 or len(paths) * max(needs[path] for path in paths) <= budget

        yield from self._parts(grow(list(suffixes), fits), self._system(), needs, suffixes)

    def least(self, suffixes: Suffixes) -> int:
        """Tokens that are held when one path is computed at a time: no budget can make that less."""
        self._tokenise_frames(max(map(len, suffixes)))
        return max(self._length(len(path)) + _longest(list(asked.items())) for path, asked in suffixes.items())

    def _parts(self, parts: Sequence[Trunk | Pack], cache: ForkableCache, needs: Needs, suffixes: Suffixes) -> Ends:
        """Everything that grows from a one-row cache, which is as it was afterwards."""
        for part in parts:
            if isinstance(part, Pack):
                yield from self._pack(part, cache, needs, suffixes)
            elif cache is self._head:
                room = max(needs.values())
                with self._holding(1, room):
                    yield from self._trunk(part, cache.fork([0], room), needs, suffixes)
            else:
                yield from self._trunk(part, cache, needs, suffixes)

    def _trunk(self, trunk: Trunk, cache: ForkableCache, needs: Needs, suffixes: Suffixes) -> Ends:
        length = cache.length
        self._show(trunk.depth, [trunk.frames], cache)
        yield from self._parts(trunk.parts, cache, needs, suffixes)
        cache.drop(cache.length - length)

    def _pack(self, pack: Pack, trunk: ForkableCache, needs: Needs, suffixes: Suffixes) -> Ends:
        room = max(needs[path] for path in pack.paths)
        with self._holding(len(pack.paths), room):
            cache = trunk.fork([0] * len(pack.paths), room)
            for step in pack.steps():
                cache.keep(step.parents)
                self._show(step.start, step.frames, cache)
                done = [row for row, ended in enumerate(step.ended) if ended]
                if done:
                    paths = [path for path in pack.paths if len(path) == step.stop]
                    yield from self._questions(paths, done, cache, suffixes)

    def _questions(self, paths: list[Path], rows: list[int], cache: ForkableCache, suffixes: Suffixes) -> Ends:
        """The questions of paths that end now, at these rows; rows whose questions are equally long share a pass."""
        live = cache.live_rows

        def shape(place: int) -> tuple[int, ...]:
            return tuple(sorted(len(ids) for ids in suffixes[paths[place]].values()))

        for lengths, members in groupby(sorted(range(len(paths)), key=shape), key=shape):
            places = list(members)
            whole = len(places) == live
            with self._holding(0 if whole else len(places), cache.length + _longest_of(lengths)):
                picked = [rows[place] for place in places]
                branch = cache if whole else cache.fork(picked, cache.length + _longest_of(lengths))
                chunks = [_chunks(sorted(suffixes[paths[place]].items(), key=_by_length)) for place in places]
                for asks in zip(*chunks, strict=True):
                    last = self._suffix(asks, branch)  # (r, questions, d)
                    for place, ask, hidden in zip(places, asks, last, strict=True):
                        for (number, _), state in zip(ask, hidden, strict=True):
                            yield paths[place], number, state

    def _suffix(self, asks: Sequence[Ask], cache: ForkableCache) -> Tensor:
        """One pass over the questions of each row, side by side: each sees the frames and itself. (r, questions, d)."""
        ids = torch.tensor([[token for _, tokens in ask for token in tokens] for ask in asks], device=self._device)
        lengths = torch.tensor([len(tokens) for _, tokens in asks[0]], device=self._device)
        x = self._family.suffix_embeddings(self._model, ids, self._embed(ids))
        ends = lengths.cumsum(0)
        if len(lengths) == 1:
            hidden = self._decode(x, cache)
        else:
            owner = torch.repeat_interleave(torch.arange(len(lengths), device=self._device), lengths)  # (n,)
            places = torch.arange(len(owner), device=self._device)
            seen = (owner[:, None] == owner) & (places[:, None] >= places)  # (n, n)
            mask = x.new_zeros((1, 1, len(owner), cache.length + len(owner)))
            mask[..., cache.length :].masked_fill_(~seen, torch.finfo(x.dtype).min)
            order = cache.length + places - (ends - lengths)[owner]
            with self._masks_allowed():
                hidden = self._decode(x, cache, attention_mask=mask, position_ids=order[None])
        cache.drop(x.shape[1])
        self._work.suffix_tokens += x.shape[0] * x.shape[1]
        return hidden[:, ends - 1]

    def _decode(self, x: Tensor, cache: ForkableCache, **kwargs: Tensor) -> Tensor:
        """Adds (r, n, d) embeddings to the cache; rows are equally long, so causal attention needs no padding mask."""
        self._work.passes += 1
        return self._decoder(inputs_embeds=x, past_key_values=cache, use_cache=True, **kwargs).last_hidden_state

    @contextmanager
    def _masks_allowed(self) -> Iterator[None]:
        """Flash attention takes no mask of our own: packed questions go through torch's attention instead."""
        config = self._decoder.config
        usual = config._attn_implementation
        try:
            if "flash" in usual:
                config._attn_implementation = "sdpa"
            yield
        finally:
            config._attn_implementation = usual

    @contextmanager
    def _holding(self, rows: int, tokens: int) -> Iterator[None]:
        self._held += rows * tokens
        self._work.peak_tokens = max(self._work.peak_tokens, self._held)
        try:
            yield
        finally:
            self._held -= rows * tokens

    def _system(self) -> ForkableCache:
        """The cache of the opening, computed once."""
        if self._head is None:
            head = ForkableCache(self._layers, 1, len(self._opening))
            self._decode(self._embed(torch.tensor([self._opening], device=self._device)), head)
            self._work.prefix_tokens += len(self._opening)
            self._head = head
        return self._head

    def _tokenise_frames(self, count: int) -> None:
        """Tokenises frames up to `count`: text around and places of their features, the same for every video."""
        context = self._family.context_id(self._model.config)
        known = len(self._frames)
        for number in range(known, count):
            shorter, longer = (self._family.prefix(n, self._per_frame) for n in (number, number + 1))
            ids = torch.tensor(self._tokens(longer[len(shorter) :]), device=self._device)
            slots = (ids == context).nonzero().flatten()
            if len(slots) != self._per_frame:
                raise RefocusError(
                    f"the tokenizer gives {len(slots)} frame tokens for a frame of {self._per_frame}:"
                    " it does not belong to this model"
                )
            self._frames.append((self._embed(ids), slots))
        if known < count:
            self._check(count)

    def _check(self, count: int) -> None:
        """The pieces must be what the whole prefix would be, or sharing them would change the result."""
        if len(self._tokens(self._family.prefix(count, self._per_frame))) != self._length(count):
            raise RefocusError("the tokenizer merges frames with their neighbours: their prefixes cannot be shared")

    def _length(self, frames: int) -> int:
        return len(self._opening) + sum(len(text) for text, _ in self._frames[:frames])

    def _show(self, start: int, frames: Sequence[Path], cache: ForkableCache) -> None:
        """Adds to every row of the cache its frames (r, k), which stand from place `start` on in its prompt."""
        parts = []
        for place, shown in enumerate(zip(*frames, strict=True), start):
            text, slots = self._frames[place]
            x = text.expand(len(frames), -1, -1).clone()  # (r, n, d)
            x[:, slots] = self._features[torch.tensor(shown, device=self._features.device)].to(x)
            parts.append(x)
        if parts:
            x = torch.cat(parts, dim=1)
            self._decode(x, cache)
            self._work.slots += len(frames) * len(parts)
            self._work.prefix_tokens += x.shape[0] * x.shape[1]


def _chunks(asks: Ask) -> list[Ask]:
    """Questions cut into passes of at most `PACKED` tokens."""
    chunks: list[Ask] = []
    for ask in asks:
        if chunks and sum(len(tokens) for _, tokens in chunks[-1]) + len(ask[1]) <= PACKED:
            chunks[-1].append(ask)
        else:
            chunks.append([ask])
    return chunks


def _by_length(ask: tuple[int, Tokens]) -> int:
    return len(ask[1])


def _longest(asks: Ask) -> int:
    """Tokens of the longest pass over these questions."""
    return max(sum(len(tokens) for _, tokens in chunk) for chunk in _chunks(sorted(asks, key=_by_length)))


def _longest_of(lengths: Sequence[int]) -> int:
    return _longest([(0, range(length)) for length in lengths])
