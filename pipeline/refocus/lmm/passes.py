"""Forward passes of the decoder: trunks and packs of the prefix tree, then questions as packed suffixes.

Rows of a pass are equally long. Where a frame's text depends on its second, paths share a pack only if their frames
have equally many tokens place by place.

r rows · n new tokens · f frames · p tokens per frame · d width · e embeddings per token of a frame
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import torch
from torch import Tensor

from refocus.core.errors import RefocusError
from refocus.lmm.family import Family, Mrope
from refocus.lmm.forkable_cache import ForkableCache
from refocus.lmm.frame_text import FrameText, FrameTokens
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
        config = model.config
        self._text = FrameText(family, tokens, family.tokens_per_frame(config), family.context_id(config), self._device)
        self._head: ForkableCache | None = None
        self._held = 0
        if set(getattr(self._decoder.config, "layer_types", None) or ["full_attention"]) != {"full_attention"}:
            raise RefocusError("models with sliding-window attention cannot share frame prefixes")

    def run(self, features: Tensor, times_s: Sequence[float], suffixes: Suffixes, budget: int) -> Ends:
        """The hidden state at the end of every question of every path.

        Args:
            features: (f, p, e·d) frames that the paths index. times_s: (f,) their seconds.
            suffixes: paths with the token ids of their questions.
            budget: tokens that may be held at once; a single path may need more.
        Yields:
            (path, number of the question, (d,)).
        """
        if not suffixes:
            return
        self._features, self._times_s = features, times_s
        lengths = {path: self._text.lengths([times_s[frame] for frame in path]) for path in suffixes}
        needs = self._needs(lengths, suffixes)

        def fits(paths: Sequence[Path]) -> bool:
            if len(paths) == 1:
                return True
            return len(paths) * max(needs[path] for path in paths) <= budget and _level([lengths[p] for p in paths])

        yield from self._parts(grow(list(suffixes), fits), self._system(), needs, suffixes)

    def least(self, times_s: Sequence[float], suffixes: Suffixes) -> int:
        """Tokens that are held when one path is computed at a time: no budget can make that less."""
        lengths = {path: self._text.lengths([times_s[frame] for frame in path]) for path in suffixes}
        return max(self._needs(lengths, suffixes).values())

    def _needs(self, lengths: Mapping[Path, Sequence[int]], suffixes: Suffixes) -> Needs:
        opening = len(self._text.opening)
        return {path: opening + sum(lengths[path]) + _longest([*asked.items()]) for path, asked in suffixes.items()}

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
        length, position = cache.length, cache.next_position
        self._show(trunk.depth, [trunk.frames], cache)
        yield from self._parts(trunk.parts, cache, needs, suffixes)
        cache.drop(cache.length - length)
        cache.next_position = position

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
        owner = torch.repeat_interleave(torch.arange(len(lengths), device=self._device), lengths)  # (n,)
        places = torch.arange(len(owner), device=self._device)
        order = self._question_positions(places - (ends - lengths)[owner], cache)
        if len(lengths) == 1:
            hidden = self._decode(x, cache, position_ids=None if self._family.mrope is None else order)
        else:
            seen = (owner[:, None] == owner) & (places[:, None] >= places)  # (n, n)
            mask = x.new_zeros((1, 1, len(owner), cache.length + len(owner)))
            mask[..., cache.length :].masked_fill_(~seen, torch.finfo(x.dtype).min)
            with self._masks_allowed():
                hidden = self._decode(x, cache, attention_mask=mask, position_ids=order)
        cache.drop(x.shape[1])
        self._work.suffix_tokens += x.shape[0] * x.shape[1]
        return hidden[:, ends - 1]

    def _question_positions(self, places: Tensor, cache: ForkableCache) -> Tensor:
        """Positions of questions that all follow the frames: (1, n), with M-RoPE (3, r, n); places: (n,) in each."""
        if self._family.mrope is None:
            return cache.length + places[None]
        return (cache.next_position.to(self._device)[:, None] + places).expand(3, -1, -1)

    def _decode(self, x: Tensor, cache: ForkableCache, **kwargs: Tensor | list[Tensor] | None) -> Tensor:
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
            ids = self._text.opening
            head = ForkableCache(self._layers, 1, len(ids))
            self._decode(self._embed(torch.tensor([ids], device=self._device)), head)
            head.next_position += len(ids)
            self._work.prefix_tokens += len(ids)
            self._head = head
        return self._head

    def _show(self, start: int, frames: Sequence[Path], cache: ForkableCache) -> None:
        """Adds to every row of the cache its frames (r, k), which stand from place `start` on in its prompt."""
        if not frames[0]:
            return
        rows = [
            [self._text.frame(place, self._times_s[frame]) for place, frame in enumerate(row, start)] for row in frames
        ]
        ids = torch.stack([torch.cat([frame.ids for frame in row]) for row in rows])  # (r, n)
        ends = list(accumulate(len(frame.ids) for frame in rows[0]))
        slots = torch.cat([frame.slots + end - len(frame.ids) for frame, end in zip(rows[0], ends, strict=True)])
        x = self._embed(ids)  # (r, n, d)
        shown = self._features[torch.tensor(frames, device=self._features.device)].flatten(1, 2)  # (r, k·p, e·d)
        first, *deeper = shown.to(x).split(x.shape[-1], dim=-1)
        x[:, slots.to(self._device)] = first
        kwargs: dict[str, Any] = {}
        if deeper:  # DeepStack: added to the same tokens after the decoder's first layers
            visual = torch.zeros(ids.shape, dtype=torch.bool, device=self._device)
            visual[:, slots.to(self._device)] = True
            kwargs = {"visual_pos_masks": visual, "deepstack_visual_embeds": [part.flatten(0, 1) for part in deeper]}
        if (mrope := self._family.mrope) is not None:
            kwargs["position_ids"] = self._frame_positions(mrope, rows[0], frames, cache)
        self._decode(x, cache, **kwargs)
        self._work.slots += len(frames) * len(frames[0])
        self._work.prefix_tokens += ids.numel()

    def _frame_positions(
        self, mrope: Mrope, row: Sequence[FrameTokens], frames: Sequence[Path], cache: ForkableCache
    ) -> Tensor:
        """(3, r, n) of the frames that are added, whose tokens are where those of `row` are; moves the cache on."""
        config, opening, parts = self._model.config, len(self._text.opening), []
        for tokens, shown in zip(row, zip(*frames, strict=True), strict=True):
            times_s = torch.tensor([self._times_s[frame] for frame in shown], dtype=torch.float64)
            before = cache.next_position
            new = mrope.frame_positions(config, before, opening, times_s, tokens.lead, tokens.tail)
            cache.next_position = torch.maximum(before, new.amax(dim=(0, 2)) + 1)
            parts.append(new)
        return torch.cat(parts, dim=-1).to(self._device)


def _chunks(asks: Ask) -> list[Ask]:
    """Questions cut into passes of at most `PACKED` tokens."""
    chunks: list[Ask] = []
    for ask in asks:
        if chunks and sum(len(tokens) for _, tokens in chunks[-1]) + len(ask[1]) <= PACKED:
            chunks[-1].append(ask)
        else:
            chunks.append([ask])
    return chunks


def _level(lengths: Sequence[Sequence[int]]) -> bool:
    """Whether the frames of these paths have equally many tokens place by place, as far as each path goes."""
    longest = max(lengths, key=len)
    return all(longest[: len(own)] == own for own in lengths)


def _by_length(ask: tuple[int, Tokens]) -> int:
    return len(ask[1])


def _longest(asks: Ask) -> int:
    """Tokens of the longest pass over these questions."""
    return max(sum(len(tokens) for _, tokens in chunk) for chunk in _chunks(sorted(asks, key=_by_length)))


def _longest_of(lengths: Sequence[int]) -> int:
    return _longest([(0, range(length)) for length in lengths])
