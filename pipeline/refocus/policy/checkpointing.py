"""Multi-axis gradient checkpointing: a pass in cells of layers x steps (Video-Ma2mba, arXiv 2411.19460, section 3.3).

b rows · S steps in chunks of s · L layers in groups of l · d width

A cell is one group of layers over one chunk of steps. It keeps what enters it, the chunk between two layers and those
layers' states before the chunk; its inside is computed once more when the backward pass reaches it. Chunks are the
outer loop, so the backward pass holds gradients of one chunk only.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from refocus.lmm.token_budget import free_bytes

log = logging.getLogger(__name__)

Mode = Literal["auto", "none", "layers", "grid"]
SHARE = 0.5  # of the free memory; the rest is for questions, candidates and the reward LMM beside the frames' graph
SMALL = 2**30  # bytes that are kept without a look at the free memory, so that small runs repeat to the bit
WORKING = 0.5  # of what a layer keeps, that its backward pass needs beside it; measured: 0.1 to 0.4 (tests/policy)
SLACK = 1.2  # times the least memory, where that is what is asked for: the last bytes cost many short chunks


class Layer(Protocol):
    """A layer that can be checkpointed: called with (x, conv, ssm, lengths, want_state), see `refocus.policy.stack`."""

    @property
    def backend(self) -> str:
        """What runs it; another back end keeps other tensors."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """As of any module."""

    def __call__(self, *args: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Cells:
    """How a pass is cut: at most this many layers and steps in a cell."""

    layers: int
    steps: int


@dataclasses.dataclass(frozen=True)
class Costs:
    """Bytes of one pass over all its rows and steps."""

    layers: int
    steps: int
    boundary: float  # the activations between two layers
    state: float  # one layer's state
    inside: float  # what autograd keeps of one layer

    def none(self) -> float:
        """Peak bytes when everything is kept."""
        return (self.layers + WORKING) * self.inside

    def peak(self, layers: Any, steps: Any) -> Any:
        """Peak bytes in cells of `layers` x `steps`, numbers or arrays.

        Where a token of a boundary, a state and a token of an inside cost the same, it is the paper's LS/l + LS/s + ls.
        """
        groups, chunks = np.ceil(self.layers / layers), np.ceil(self.steps / steps)
        cell = (layers + WORKING) * self.inside * np.minimum(steps / self.steps, 1)
        return groups * self.boundary + (chunks - 1) * self.layers * self.state + cell

    def best(self, multiple: int, budget: float | None = None) -> Cells:
        """The cells of fewest chunks within a budget, since each chunk runs every layer's kernels again.

        Without a budget, or where nothing fits it, a little more than the least memory there is takes its place. The
        steps of a cell are a multiple of the scan's own chunk.
        """
        layers = np.arange(1, self.layers + 1)[:, None]
        steps = np.minimum(np.arange(1, math.ceil(self.steps / multiple) + 1) * multiple, self.steps)[None]
        peaks = self.peak(layers, steps)
        if budget is None or peaks.min() > budget:
            budget = SLACK * peaks.min()
        chunks = np.broadcast_to(np.ceil(self.steps / steps), peaks.shape)
        fits = peaks <= budget
        peaks = np.where(fits & (chunks == chunks[fits].min()), peaks, np.inf)
        row, column = np.unravel_index(peaks.argmin(), peaks.shape)
        return Cells(int(layers[row, 0]), int(steps[0, column]))


class Checkpointing:
    """What is kept for the backward pass: the setting, and what it means for a pass of given size."""

    def __init__(self, mode: Mode = "none", memory_gb: float | None = None, cells: Cells | None = None):
        """
        Args:
            mode: keep everything (`none`), what enters each layer (`layers`) or each cell, these cut for nearly the
                least memory (`grid`), or the first of the three that fits (`auto`).
            memory_gb: GiB that one pass may hold under `auto`; None for a share of what is free on the device.
            cells: cut passes like this, whatever the mode.
        """
        self.mode, self.memory_gb, self.cells = mode, memory_gb, cells
        self._measured: dict[Any, tuple[float, float]] = {}

    def choose(self, layers: Sequence[Layer], x: Tensor, multiple: int) -> Cells | None:
        """How to cut the pass of x (b, S, d) through all layers; None to keep everything.

        Args:
            multiple: steps of the scan's own chunk.
        """
        if self.cells is not None:
            return self.cells
        if self.mode == "none":
            return None
        if self.mode == "layers":
            return Cells(1, x.shape[1])
        costs = self.costs(layers, x, multiple)
        if self.mode == "grid":
            return costs.best(multiple)
        return self._fitting(costs, layers, x, multiple)

    def costs(self, layers: Sequence[Layer], x: Tensor, multiple: int) -> Costs:
        """The bytes of a pass, from what a layer keeps of a short one as things are (autocast, back end)."""
        b, s, _ = x.shape
        probe = min(2 ** math.ceil(math.log2(s)), 2 * multiple)  # beyond the scan's chunk, bytes are linear in steps
        cast = torch.is_autocast_enabled(x.device.type) and torch.get_autocast_dtype(x.device.type)
        key = (probe, x.dtype, x.device, cast, layers[0].backend)
        if key not in self._measured:
            self._measured[key] = _measure(layers[0], x, probe)
        inside, state = self._measured[key]
        return Costs(len(layers), s, _nbytes(x), b * state, b * s * inside)

    def _fitting(self, costs: Costs, layers: Sequence[Layer], x: Tensor, multiple: int) -> Cells | None:
        if self.memory_gb is None and costs.none() <= SMALL:
            return None
        budget = self._budget(layers, x.device)
        if costs.none() <= budget:
            return None
        whole = Cells(1, costs.steps)
        chosen = whole if costs.peak(1, costs.steps) <= budget else costs.best(multiple, budget)
        need = costs.peak(chosen.layers, chosen.steps)
        log.log(
            logging.DEBUG if need <= budget else logging.WARNING,
            "%d steps of %d rows in cells of %d layers x %d steps: %.1f of %.1f GiB",
            costs.steps, len(x), chosen.layers, chosen.steps, need / 2**30, budget / 2**30,
        )  # fmt: skip
        return chosen

    def _budget(self, layers: Sequence[Layer], device: torch.device) -> float:
        if self.memory_gb is not None:
            return self.memory_gb * 2**30
        trained = (p for layer in layers for p in layer.parameters() if p.requires_grad and p.grad is None)
        return SHARE * (free_bytes(device) - sum(map(_nbytes, trained)))

    def by_rows(self, run: Callable[[Tensor], Tensor], x: Tensor, rows: int) -> Tensor:
        """run(x) for a function that treats every row alone; `rows` at a time, each run again in the backward pass.

        Where everything is kept, and for a small x under `auto`, it is run(x).
        """
        if self.cells is None and self.mode == "auto":
            kept = _nbytes(x) <= SMALL / 4
        else:
            kept = self.cells is None and self.mode == "none"
        if kept or not torch.is_grad_enabled():
            return run(x)
        return torch.cat([_once_more(run, part) for part in x.split(rows)])


def run_cells(
    cell: Callable[..., tuple[Tensor, tuple[Any, ...], tuple[Any, ...]]],
    cells: Cells,
    x: Tensor,
    conv: Sequence[Tensor | None],
    ssm: Sequence[Tensor | None],
    lengths: Tensor | None,
    want_state: bool,
    at: slice,
) -> tuple[Tensor, tuple[Any, ...], tuple[Any, ...]]:
    """A pass in cells, equal to `cell(slice(0, L), x, conv, ssm, lengths, want_state, at)`, which is a pass in one.

    Args:
        cell: runs a slice of the layers over a chunk from those layers' states; gives the chunk's output (of the last
            layer only the steps `at`) and the states after it.
        conv, ssm: every layer's states before x (b, S, d), None for none.
    """
    s, n = x.shape[1], len(conv)
    shortest = s if lengths is None else int(lengths.min())
    conv, ssm, outs, start = list(conv), list(ssm), [], 0
    for part in x.split(cells.steps, 1):
        stop = start + part.shape[1]
        valid = None if lengths is None or shortest >= stop else (lengths - start).clamp(0, stop - start)
        carry = want_state or stop < s
        for first in range(0, n, cells.layers):
            group = slice(first, min(first + cells.layers, n))
            part, conv[group], ssm[group] = _once_more(
                cell, group, part, tuple(conv[group]), tuple(ssm[group]), valid, carry, _within(at, s, start, stop)
            )
        outs.append(part)
        start = stop
    return torch.cat(outs, 1), tuple(conv), tuple(ssm)


def _once_more(run: Callable[..., Any], *args: Any) -> Any:
    return checkpoint(run, *args, use_reentrant=False, preserve_rng_state=False)


def _within(at: slice, s: int, start: int, stop: int) -> slice:
    """The part of `at`, a slice of s steps, that lies in [start, stop), counted from there."""
    first, last, step = at.indices(s)
    first = max(first, start + (first - start) % step)
    return slice(first - start, max(0, min(last, stop) - start), step)


def _measure(layer: Layer, x: Tensor, steps: int) -> tuple[float, float]:
    """Bytes that autograd keeps of a layer per row and step, and bytes of a row's state."""

    def kept(rows: int) -> tuple[int, int]:
        held: dict[int, Tensor] = {}
        probe = x.new_zeros(rows, steps, x.shape[2]).requires_grad_()

        def pack(tensor: Tensor) -> Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            _, *states = layer(probe, None, None, None, True)
        return sum(tensor.untyped_storage().nbytes() for tensor in held.values()), sum(map(_nbytes, states))

    (two, _), (one, state) = kept(2), kept(1)  # the difference leaves weights out
    return (two - one) / steps, state


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
