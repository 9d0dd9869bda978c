"""Whether the models are there: folders with whole weight files, hub ids in the local cache, LMMs of a known family."""

import os
import struct
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from refocus.config.models_in_use import ModelUse, models_in_use, wrong_kind
from refocus.config.root import Root
from refocus.core.errors import UsageError
from refocus.core.json_text import loads
from refocus.core.model_folder import (
    CONFIG,
    WEIGHTS,
    WEIGHTS_INDEX,
    cached_folder,
    hf_download,
    local_folder,
    no_such_folder,
)
from refocus.doctor.findings import Finding
from refocus.policy.public_checkpoints import TOKENIZER as POLICY_TOKENIZER

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")


def examine_models(root: Root) -> list[Finding]:
    """Findings for every model that the entries in use need."""
    users: dict[str, list[ModelUse]] = defaultdict(list)
    for use in models_in_use(root):
        users[use.path].append(use)
    return [found for path, uses in users.items() for found in _model(path, uses)]


def _model(path: str, uses: Sequence[ModelUse]) -> list[Finding]:
    keys = ", ".join(dict.fromkeys(use.key for use in uses))
    try:
        folder = local_folder(path)
    except UsageError as error:
        return [Finding("error", "model", f"{keys}: {error}", "correct it")]
    if folder is not None:
        if not folder.is_dir():
            return [Finding("error", "model", f"{keys}: {no_such_folder(path)}", "fix the path, or give a hub id")]
        return _folder(folder, keys, uses)
    cached = cached_folder(path)
    if cached is not None:
        return _folder(cached, f"{keys}, in the Hugging Face cache", uses)
    text = f"{path} ({keys}): is neither a folder nor in the Hugging Face cache"
    fix = f"run `{hf_download(path)}` where there is a network"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return [Finding("error", "model", text + ", and HF_HUB_OFFLINE forbids to fetch it", fix)]
    return [Finding("warning", "model", text + "; it is fetched when it is first needed", fix)]


def _folder(folder: Path, keys: str, uses: Sequence[ModelUse]) -> list[Finding]:
    """What is wrong with a model's folder for those that use it."""
    findings = []

    def wrong(what: str, fix: str) -> None:
        findings.append(Finding("error", "model", f"{folder} ({keys}): {what}", fix))

    if not (folder / CONFIG).is_file():
        wrong("has no config.json", "is it the right folder?")
    for problem in dict.fromkeys(wrong_kind(folder / CONFIG, use.role, use.family) for use in uses):
        if problem:
            wrong(problem, "name a model of another kind")
    names = _weight_files(folder)
    if names is None:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        wrong(
            "has no weights as safetensors" + (", only pickled ones, which are not loaded" if pickled else ""),
            "convert them with transformers' `save_pretrained`" if pickled else "download them",
        )
    for name in names or []:
        if problem := _safetensors(folder / name):
            wrong(f"{name} {problem}", "download it again")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        if "policy.start" in keys:
            text = f"{folder} ({keys}): has no tokenizer; that of {POLICY_TOKENIZER} is taken"
            fix = f"where there is no network, `hf download {POLICY_TOKENIZER} tokenizer.json` before"
            findings.append(Finding("warning", "model", text, fix))
        elif "policy.vision" not in keys:
            wrong("has no tokenizer", "download tokenizer.json beside the weights")
    return findings


def _weight_files(folder: Path) -> list[str] | None:
    """Names of the weight files there should be; None if there are none."""
    if (folder / WEIGHTS_INDEX).is_file():
        try:
            return sorted(set(loads((folder / WEIGHTS_INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return [WEIGHTS_INDEX]
    return [WEIGHTS] if (folder / WEIGHTS).exists() else None


def _safetensors(path: Path) -> str:
    """What is wrong with a weight file, by its header: its tensors must end where the file does."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            tensors = loads(file.read(length)) if length < size else {}
        end = max(int(tensor["data_offsets"][1]) for key, tensor in tensors.items() if key != "__metadata__")
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error):
        return "is no safetensors file"
    return "" if size == 8 + length + end else f"has {size:,} bytes and should have {8 + length + end:,}"
