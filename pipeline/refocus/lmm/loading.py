"""Reading a model's parts from its folder: config, weights, tokenizer, image statistics.

Code that lies in the folder (`auto_map`) is never run, and nobody is asked whether it should be: left to itself,
transformers would ask on the standard input.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from refocus.core.errors import RefocusError, ResourceMissing, UsageError
from refocus.core.model_folder import CONFIG, read_json

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation per colour
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def find_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one, else the CPU.

    Raises:
        ResourceMissing: a GPU is asked for and none is here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ResourceMissing("device 'cuda' is asked for, but torch sees no GPU here")
    return torch.device(name)


def find_dtype(name: str) -> torch.dtype:
    """The torch type of a name such as `bfloat16`.

    Raises:
        UsageError: not one of float32, bfloat16, float16.
    """
    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}': one of {', '.join(DTYPES)}")
    return DTYPES[name]


def find_attention(name: str, device: torch.device, dtype: torch.dtype) -> str:
    """`auto` is flash_attention_2 where it is installed and can run (a GPU, 16-bit weights), else sdpa."""
    if name != "auto":
        return name
    from transformers.utils.import_utils import is_flash_attn_2_available

    fits = device.type == "cuda" and dtype != torch.float32
    return "flash_attention_2" if fits and is_flash_attn_2_available() else "sdpa"


def load_config(folder: Path) -> Any:
    """The model's configuration.

    Raises:
        UsageError: transformers does not know such a model, or it is a policy.
    """
    from transformers import AutoConfig

    if (folder / CONFIG).is_file() and read_json(folder / CONFIG).get("model_type") == "refocus":
        raise UsageError(f"{folder} is a frame-selection policy, no LMM, CLIP or SigLIP; it picks by itself")

    try:
        with _quiet_about_defaults():
            return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}: no model found there ({_first_line(error)})") from None


@contextmanager
def _quiet_about_defaults() -> Iterator[None]:
    """transformers compares every SigLIP with a default text encoder of its own, and warns of that one's token ids."""
    source = logging.getLogger("transformers.configuration_utils")
    source.addFilter(_about_the_model)
    try:
        yield
    finally:
        source.removeFilter(_about_the_model)


def _about_the_model(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return "between 0 and 31999" not in text or not any(f"got {default}" in text for default in (49406, 49407))


def load_weights(folder: Path, architecture: str, config: Any, dtype: torch.dtype, attention: str) -> Any:
    """The model in evaluation mode, frozen, in the asked type whatever type its file has.

    Raises:
        RefocusError: the weights cannot be read.
    """
    import transformers

    try:
        model = getattr(transformers, architecture).from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise RefocusError(f"{folder}: the weights cannot be loaded ({_first_line(error)})") from None
    return model.eval().requires_grad_(False)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer that belongs to the model; a folder with `tokenizer.json` alone is enough.

    Raises:
        RefocusError: there is none.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        kind = _values(folder / "tokenizer_config.json").get("tokenizer_class", "PreTrainedTokenizerFast")
        own = kind in ("PreTrainedTokenizerFast", "TokenizersBackend")
        return (PreTrainedTokenizerFast if own else AutoTokenizer).from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise RefocusError(f"{folder}: no usable tokenizer ({_first_line(error)})") from None


def load_statistics(folder: Path, usual: Statistics) -> Statistics:
    """Mean and standard deviation per colour from `preprocessor_config.json`; the family's usual where it is absent."""
    values = _values(folder / "preprocessor_config.json")
    return tuple(values.get("image_mean", usual[0])), tuple(values.get("image_std", usual[1]))


def _values(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
