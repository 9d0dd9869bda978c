"""The KV cache of a pack: memory for all its rows and tokens is allocated once; rows fork and end in place.

r rows · h heads · n tokens · w width of a head
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class ForkableCache(Cache):
    """Keys and values of rows that are equally long.

    Args:
        layers: layers of the decoder.
        rows: the most rows it will hold.
        room: the most tokens a row will have.
    Attributes:
        next_position: (rows,) int64 on the CPU, the rotary position at which each row goes on where that is not the
            number of its tokens (M-RoPE); set by whoever adds tokens, kept in the order of the rows.
    """

    def __init__(self, layers: int, rows: int, room: int) -> None:
        self._layers = [_Layer(rows, room) for _ in range(layers)]
        super().__init__(layers=[*self._layers])
        self.rows, self.room = rows, room
        self.next_position = torch.zeros(rows, dtype=torch.int64)

    @property
    def live_rows(self) -> int:
        """Rows it holds now."""
        return self._layers[0].keys.shape[0]

    @property
    def length(self) -> int:
        """Tokens per row so far."""
        return self.get_seq_length()

    @torch.no_grad()
    def fork(self, rows: Sequence[int], room: int) -> "ForkableCache":
        """A new cache with these rows of this one, any of them more than once."""
        other = ForkableCache(len(self._layers), len(rows), room)
        for old, new in zip(self._layers, other._layers, strict=True):
            index = torch.tensor(rows, device=old.keys.device)
            new.update(old.keys[index], old.values[index])
        other.next_position = self.next_position[list(rows)]
        return other

    @torch.no_grad()
    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows only, in this order, any of them more than once."""
        if list(rows) != list(range(self.live_rows)):
            for layer in self._layers:
                layer.keep(torch.tensor(rows, device=layer.keys.device))
            self.next_position = self.next_position[list(rows)]

    def drop(self, tokens: int) -> None:
        """Forgets each row's last tokens."""
        self.crop(-tokens)


class _Layer(DynamicLayer):
    """One layer: `keys` and `values` are views (r, h, n, w) of buffers taken at the first update."""

    keys: Tensor
    values: Tensor

    def __init__(self, rows: int, room: int) -> None:
        super().__init__()
        self._rows, self._room = rows, room

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        rows, heads, _, width = key_states.shape
        shape = (self._rows, heads, self._room, width)
        self._buffers = key_states.new_empty(shape), value_states.new_empty(shape)
        self.keys, self.values = (buffer[:rows, :, :0] for buffer in self._buffers)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, length = len(key_states), self.keys.shape[2] + key_states.shape[2]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:rows, :, self.keys.shape[2] : length] = new
        self.keys, self.values = (buffer[:rows, :, :length] for buffer in self._buffers)
        return self.keys, self.values

    def keep(self, rows: Tensor) -> None:
        length = self.keys.shape[2]
        for buffer in self._buffers:
            buffer[: len(rows), :, :length] = buffer[rows, :, :length]
        self.keys, self.values = (buffer[: len(rows), :, :length] for buffer in self._buffers)
