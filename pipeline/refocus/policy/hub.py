"""From a folder or a hub id to a folder with a model's files."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refocus.core.errors import UsageError

CONFIG = "config.json"
MODEL_FILES = ("*.json", "*.safetensors", "*.txt")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def is_hub_id(path: str | os.PathLike[str]) -> bool:
    """Whether it reads as OWNER/NAME and there is neither such a folder here nor an OWNER."""
    text = os.fspath(path)
    return text.count("/") == 1 and not text.startswith((".", "/", "~")) and not Path(text).parent.exists()


def find_folder(path: str | os.PathLike[str], files: Sequence[str] = MODEL_FILES, needs: str = CONFIG) -> Path:
    """The folder itself, or the hub model's snapshot, fetched where the local cache lacks it.

    Args:
        files: patterns of what is fetched; never pickles.
        needs: a file the folder must have.
    Raises:
        UsageError: it is neither a folder with `needs` nor a hub model that can be reached.
    """
    folder = fetch(os.fspath(path), files) if is_hub_id(path) else Path(path)
    if not (folder / needs).is_file():
        raise UsageError(f"{path} is not a model folder: it has no {needs}")
    return folder


def fetch(hub_id: str, files: Sequence[str]) -> Path:
    """The local snapshot of a hub model's files.

    Raises:
        UsageError: it cannot be fetched, with the reason.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(files)))
    except GatedRepoError:
        fix = f"accept its terms at https://huggingface.co/{hub_id} and log in with `hf auth login`"
        raise UsageError(f"{hub_id} is gated on the hub: {fix}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        fix = f"where there is no network, `hf download {hub_id}` before, or give a folder"
        raise UsageError(
            f"{hub_id} is neither a folder nor a hub model that can be fetched ({reason}); {fix}"
        ) from None


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UsageError: it is none.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"), object_hook=_special_float)
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{file} holds no JSON object")
    return values


def _special_float(values: dict[str, Any]) -> Any:
    """transformers 5 writes an infinity as an object."""
    return float(values["__float__"]) if values.keys() == {"__float__"} else values
