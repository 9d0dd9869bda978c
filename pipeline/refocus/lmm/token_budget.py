"""How many tokens fit into memory at once, and what to do when memory runs out anyway."""

import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from refocus.core.errors import RefocusError

log = logging.getLogger(__name__)

CPU_TOKENS = 16384  # more gained nothing on a CPU
SHARE = 0.7  # of the free memory; the rest is for features, masks and the allocator's gaps
Result = TypeVar("Result")


def token_bytes(config: Any, itemsize: int) -> int:
    """What one token of a pass costs in the decoder: its keys and values in all layers and one layer's activations.

    Keys and values count twice, for rows that end before the others are copied out of the cache.
    """
    text = config.get_text_config(decoder=True)
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    cached = 2 * text.num_hidden_layers * text.num_key_value_heads * width
    heads = (2 * text.num_attention_heads + 2 * text.num_key_value_heads) * width  # q, k, v, and k, v spread over heads
    active = 6 * text.hidden_size + heads + 2 * text.num_attention_heads * width + 3 * text.intermediate_size
    return itemsize * (2 * cached + active)


def patch_bytes(config: Any, itemsize: int) -> int:
    """What one token costs in the vision tower, which keeps the hidden states of all its layers."""
    vision = config.vision_config
    return itemsize * ((vision.num_hidden_layers + 12) * vision.hidden_size + 2 * vision.intermediate_size)


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device: what the driver has and what torch keeps unused, or free RAM."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    free = _fields(Path("/proc/meminfo")).get("MemAvailable:", 0) * 1024
    free = free or os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    group = Path("/sys/fs/cgroup")
    limit, used = (_fields(group / name).get("") for name in ("memory.max", "memory.current"))
    if limit is None or used is None:
        return free
    return min(free, max(0, limit - used + _fields(group / "memory.stat").get("inactive_file", 0)))


def automatic(config: Any, itemsize: int, device: torch.device) -> int:
    """The token budget that the device's free memory allows; on a CPU never more than what gains time."""
    costly = max(token_bytes(config, itemsize), patch_bytes(config, itemsize))
    found = max(1, int(SHARE * free_bytes(device)) // costly)
    return min(found, CPU_TOKENS) if device.type == "cpu" else found


def retrying(run: Callable[[int], Result], budget: int, least: int, lower: Callable[[int], None]) -> Result:
    """Runs with a token budget, and again with half of it whenever memory runs out.

    Args:
        run: what to do within a budget.
        least: the budget below which a pass cannot get any smaller.
        lower: called with every budget that is tried after the first.
    Raises:
        RefocusError: the smallest pass does not fit either.
    """
    while True:
        try:
            return run(budget)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            if budget <= least:
                raise RefocusError(
                    "out of memory with one subset at a time: use a GPU with more memory, a smaller model, dtype"
                    " bfloat16, or fewer frames per subset"
                ) from None
        budget = max(least, budget // 2)
        log.warning("out of memory: going on with %d tokens at a time", budget)
        lower(budget)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _out_of_memory(error: Exception) -> bool:
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "not enough memory" in str(error) or "CUDA out of memory" in str(error)


def _fields(file: Path) -> dict[str, int]:
    """The numbers of a file of the kernel by the word before them; none where it does not exist."""
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return {}
    named = [["", *words] if len(words) == 1 else words for words in lines]
    return {words[0]: int(words[1]) for words in named if len(words) > 1 and words[1].isdigit()}
