"""Policy folders: config.json, model.safetensors and the tokenizer's files."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.errors import UsageError
from pipeline.files import atomic, write_json
from pipeline.policy.config import PolicyConfig

if TYPE_CHECKING:
    from pipeline.policy.model import FramePolicy

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save(policy: "FramePolicy", folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
    """Writes the folder; every file is complete or absent, config.json last.

    Args:
        dtype: what floating-point tensors are stored as; float16 halves the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in policy.state_dict().items()
    }
    if policy.tokenizer is not None:
        policy.tokenizer.save_pretrained(folder)
    with atomic(folder / WEIGHTS) as draft:
        save_file(tensors, draft, metadata={"format": "pt"})
    write_json(folder / CONFIG, policy.config.to_dict())


def load(folder: str | os.PathLike[str]) -> "FramePolicy":
    """Reads the folder into a float32 model on the CPU.

    Raises:
        UsageError: a file is missing or unreadable, or its keys are not this model's.
    """
    from pipeline.policy.model import FramePolicy

    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} is not a policy folder: it has no {name}")
    config = PolicyConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    tokenizer = None
    if (folder / "tokenizer.json").is_file():
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    with torch.random.fork_rng():
        policy = FramePolicy(config, tokenizer)
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UsageError(f"{folder / WEIGHTS} cannot be read: {error}") from None
    expected = {name: tensor.shape for name, tensor in policy.state_dict().items()}
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise UsageError(f"{folder / WEIGHTS}: {'missing' if name in expected else 'unknown'} tensor {name}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name]:
            raise UsageError(f"{folder / WEIGHTS}: {name} is {tuple(tensor.shape)}, not {tuple(expected[name])}")
    policy.load_state_dict(tensors)
    return policy
