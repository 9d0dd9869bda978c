"""Policy folders: config.json, safetensors weights and the tokenizer's files; our own and public ones."""

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from refocus.config.policy import PolicySettings
from refocus.core.checksums import SUMS, check_sums, write_sums
from refocus.core.errors import UsageError
from refocus.core.files import atomic, write_json
from refocus.core.model_folder import (
    AS_LOGGED_IN,
    CONFIG,
    TOKENIZER_FILES,
    WEIGHTS,
    WEIGHTS_INDEX,
    HubAccess,
    find_folder,
    read_json,
)
from refocus.policy.config import PolicyConfig
from refocus.policy.heads import SelectionHeads
from refocus.policy.network import PolicyNetwork
from refocus.policy.public_checkpoints import TOKENIZER, Public, is_public, our_name, our_tower_name, read_public
from refocus.policy.vision import Connector

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

START = "<|startofframe|>"
EMBEDDING = "backbone.embedding.weight"
SHOWN = 8  # names in an error

P = TypeVar("P", bound=PolicyNetwork)


def save(policy: PolicyNetwork, folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
    """Writes the folder; every file is complete or absent, config.json after the others and their digests at the end.

    Args:
        dtype: what floating-point tensors are stored as; float16 halves the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMS).unlink(missing_ok=True)
    tensors = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in policy.state_dict().items()
    }
    if policy.has_tokenizer:
        policy.tokenizer.save_pretrained(folder)
    with atomic(folder / WEIGHTS) as draft:
        save_file(tensors, draft, metadata={"format": "pt"})
    write_json(folder / CONFIG, policy.config.to_dict())
    write_sums(folder)


def load(
    kind: type[P],
    path: str | os.PathLike[str],
    settings: PolicySettings | None = None,
    access: HubAccess = AS_LOGGED_IN,
) -> P:
    """Reads a folder or hub model into a float32 model on the CPU, whatever type its tensors are stored as.

    Args:
        kind: the class of the model.
        path: our own layout or one of `refocus.policy.public_checkpoints`.
        settings: `vision`, `variant` and `prompt` of it are applied; without its `initialise` there must be heads.
        access: how a hub model is fetched; its tower and tokenizer, where they are other models, are the newest.
    Raises:
        UsageError: a file is missing or unreadable, or keys or shapes are not this model's.
        RefocusError: a file is not what `save` wrote.
    """
    folder = find_folder(path, access=access)
    check_sums(folder)
    values = read_json(folder / CONFIG)
    public = None
    tokenizer = read_tokenizer(folder)
    if is_public(values):
        if tokenizer is None:
            tokenizer = _tokenizer_of(find_folder(TOKENIZER, TOKENIZER_FILES, "tokenizer.json"))
        vision = None if settings is None else settings.vision
        public = read_public(values, str(path), vision=vision, start_of_frame=_start(tokenizer))
        config = public.config
    elif (of := values.get("model_type", "refocus")) != "refocus":
        raise UsageError(
            f"{path}: a model of type '{of!s:.80}' is no policy; without training, `topk` and the like ask a CLIP or "
            "SigLIP, `confidence` an LMM"
        )
    else:
        config = PolicyConfig.from_dict(values)
    if settings is not None and settings.variant is not None:
        config = config.with_variant(settings.variant)
    if settings is not None and settings.prompt is not None:
        config = dataclasses.replace(config, prompt=settings.prompt)
    if public is not None and not public.has_heads and settings is not None and not settings.initialise:
        raise UsageError(f"{path} has no selection heads to go on with: set `policy.initialise`")
    policy = _empty(kind, config, tokenizer)
    _fill(policy, Shards(folder, str(path)), public)
    return policy


def read_tokenizer(folder: Path) -> "PreTrainedTokenizerBase | None":
    """The tokenizer in a folder, None without its files."""
    return _tokenizer_of(folder) if (folder / "tokenizer.json").is_file() else None


def _tokenizer_of(folder: Path) -> "PreTrainedTokenizerBase":
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)


class Shards:
    """The tensors of a folder, in one safetensors file or several with an index; read one at a time.

    Attributes:
        shapes: of every tensor, by name.
    """

    def __init__(self, folder: Path, where: str):
        """where: names the model in errors.

        Raises:
            UsageError: there are none, a file is missing or unreadable, or the index names other tensors.
        """
        self.where = where
        listed: dict[str, str] | None = None
        if (folder / WEIGHTS_INDEX).is_file():
            listed = read_json(folder / WEIGHTS_INDEX).get("weight_map") or {}
            if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
                raise UsageError(f"{where}: {WEIGHTS_INDEX} does not say which file has which tensor")
        names = [WEIGHTS] if listed is None else sorted(set(listed.values()))
        if listed is None and not (folder / WEIGHTS).is_file():
            raise UsageError(
                f"{where} has no {WEIGHTS}; pickled weights (pytorch_model.bin) are never read: take a conversion to "
                "safetensors such as AntonV/mamba2-*-hf, or make one at https://huggingface.co/spaces/safetensors/convert"
            )
        self.files = {name: self._open(folder, name) for name in names}
        self.place = {tensor: name for name, file in self.files.items() for tensor in file.keys()}  # noqa: SIM118
        if listed is not None and listed != self.place:
            wrong = {name for name, _ in listed.items() ^ self.place.items()}
            raise UsageError(f"{where}: {WEIGHTS_INDEX} and the files disagree about {_names(sorted(wrong))}")
        self.shapes = {name: tuple(self.files[file].get_slice(name).get_shape()) for name, file in self.place.items()}

    def read(self, name: str) -> Tensor:
        """One tensor in float32, its own memory."""
        return self.files[self.place[name]].get_tensor(name).to(torch.float32, copy=True)

    def _open(self, folder: Path, name: str) -> safe_open:
        if Path(name).name != name:
            raise UsageError(f"{self.where}: {WEIGHTS_INDEX} names the file {name!r} outside of the folder")
        try:
            return safe_open(folder / name, framework="pt")
        except FileNotFoundError:
            raise UsageError(f"{self.where}: {name} is missing, which {WEIGHTS_INDEX} names") from None
        except (SafetensorError, OSError, UnicodeEncodeError) as error:
            raise UsageError(f"{folder / name} cannot be read: {error}") from None


def _empty(kind: type[P], config: PolicyConfig, tokenizer: "PreTrainedTokenizerBase | None") -> P:
    """A model without memory for its weights: each is only ever held once in float32."""
    with torch.device("meta"):
        policy = kind(config, tokenizer)
    policy.vision.place_positions()
    return policy


def _fill(policy: PolicyNetwork, shards: Shards, public: Public | None) -> None:
    """Gives a model from `_empty` its weights: the checkpoint's, the tower's own, and new ones where there are none."""
    expected = {name: tuple(tensor.shape) for name, tensor in policy.state_dict().items()}
    if public is None:
        _take(policy, shards, lambda name: name, expected)
        return
    config = policy.config
    found = {our_name(name, config) for name in shards.shapes}
    new = () if public.has_vision else ("connector.",)
    new = new if public.has_heads else (*new, "heads.")
    towerless = not any(name is not None and name.startswith("vision.") for name in found)
    elsewhere = (*new, "vision.") if towerless else new
    _take(policy, shards, lambda name: our_name(name, config), _without(expected, elsewhere))
    if towerless:
        tower = Shards(find_folder(public.tower), public.tower)
        _take(policy, tower, lambda name: our_tower_name(name, config), _only(expected, "vision."))
    _renew(policy, new)
    if new:
        log.warning("%s has no %s: new ones, which pick by chance until they are trained", shards.where, _names(new))


def _take(
    policy: PolicyNetwork, shards: Shards, rename: Callable[[str], str | None], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Moves the expected tensors into the model.

    Raises:
        UsageError: one is missing, unknown or of another shape.
    """
    theirs = {rename(name): name for name in shards.shapes}
    theirs.pop(None, None)
    problems = [
        f"{kind} tensors {_names(names)}"
        for kind, names in (
            ("missing", sorted(expected.keys() - theirs.keys())),
            ("unknown", sorted(theirs[name] for name in theirs.keys() - expected.keys())),
        )
        if names
    ]
    if problems:
        raise UsageError(f"{shards.where}: {'; '.join(problems)}")
    tensors = {}
    for name, shape in expected.items():
        stored = shards.shapes[theirs[name]]
        grown = name == EMBEDDING and stored[0] < shape[0] and stored[1:] == shape[1:]
        if stored != shape and not grown:
            raise UsageError(f"{shards.where}: {theirs[name]} is {stored}, not {shape}")
        tensor = shards.read(theirs[name])
        tensors[name] = torch.cat([tensor, tensor.new_zeros(shape[0] - stored[0], shape[1])]) if grown else tensor
    policy.load_state_dict(tensors, strict=False, assign=True)


def _renew(policy: PolicyNetwork, parts: Iterable[str]) -> None:
    """New connector or heads, the same for everyone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if "connector." in parts:
            policy.connector = Connector(policy.config)
        if "heads." in parts:
            policy.heads = SelectionHeads(policy.config)


def _start(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The row of `<start_of_frame>`: the tokenizer's own, else the first that it does not use."""
    return tokenizer.get_vocab().get(START, len(tokenizer))


def _only(expected: Mapping[str, tuple[int, ...]], part: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in expected.items() if name.startswith(part)}


def _without(expected: Mapping[str, tuple[int, ...]], parts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in expected.items() if not name.startswith(parts)}


def _names(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"{name.rstrip('.'):.80}" for name in names[:SHOWN]) + more
