"""Whether the models are there: folders with whole weight files, hub ids in the local cache, LMMs of a known family."""

import json
import os
import struct
from collections import defaultdict
from pathlib import Path

from refocus.config.lmm import MODEL_TYPES, LmmSettings, unsupported
from refocus.config.root import Root
from refocus.config.selectors import SelectorName
from refocus.core.errors import UsageError
from refocus.core.model_folder import (
    CONFIG,
    WEIGHTS,
    WEIGHTS_INDEX,
    cached_folder,
    local_folder,
    no_such_folder,
    read_json,
)
from refocus.doctor.findings import Finding
from refocus.policy.public_checkpoints import TOKENIZER as POLICY_TOKENIZER

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")


def examine_models(root: Root) -> list[Finding]:
    """Findings for every model that the entries in use need."""
    users: dict[str, list[str]] = defaultdict(list)
    guessed: set[str] = set()  # LMMs whose own config.json has to say what they are

    def asked(lmm: LmmSettings, key: str) -> None:
        users[lmm.path].append(key)
        if lmm.family == "auto":
            guessed.add(lmm.path)

    for name in root.use.lmms:
        asked(root.lmms[name], f"lmms.{name}")
    if root.use.datasets:
        asked(root.lmms[root.reward.model], "reward.model")
    needs = {SelectorName.parse(selector).needs for selector in root.use.selectors}
    if "embeddings" in needs:
        users[root.scorers[root.embed.model].path].append("embed.model")
    if "certainty" in needs:
        asked(root.lmms[root.certainty.model], "certainty.model")
    for run in root.use.runs:
        asked(root.lmms[root.run_train(run).reward_model], f"runs.{run}: train.reward_model")
        policy = root.run_policy(run)
        users[policy.start].append(f"runs.{run}: policy.start")
        if policy.vision is not None:
            users[policy.vision].append(f"runs.{run}: policy.vision")
    return [
        found
        for path, keys in users.items()
        for found in _model(path, ", ".join(dict.fromkeys(keys)), guessed=path in guessed)
    ]


def _model(path: str, keys: str, guessed: bool) -> list[Finding]:
    try:
        folder = local_folder(path)
    except UsageError as error:
        return [Finding("error", "model", f"{keys}: {error}", "correct it")]
    if folder is not None:
        if not folder.is_dir():
            return [Finding("error", "model", f"{keys}: {no_such_folder(path)}", "fix the path, or give a hub id")]
        return _folder(folder, keys, guessed)
    cached = cached_folder(path)
    if cached is not None:
        return _folder(cached, f"{keys}, in the Hugging Face cache", guessed)
    text = f"{path} ({keys}): is neither a folder nor in the Hugging Face cache"
    fix = f"run `hf download {path}` where there is a network"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return [Finding("error", "model", text + ", and HF_HUB_OFFLINE forbids to fetch it", fix)]
    return [Finding("warning", "model", text + "; it is fetched when it is first needed", fix)]


def _folder(folder: Path, keys: str, guessed: bool) -> list[Finding]:
    """What is wrong with a model's folder; `guessed`: it is an LMM whose config.json names its family."""
    findings = []

    def wrong(what: str, fix: str) -> None:
        findings.append(Finding("error", "model", f"{folder} ({keys}): {what}", fix))

    if not (folder / CONFIG).is_file():
        wrong("has no config.json", "is it the right folder?")
    elif guessed and (problem := _no_family(folder / CONFIG)):
        wrong(problem, "name a model of one of these kinds")
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


def _no_family(config: Path) -> str:
    """Why the model cannot be an LMM, by its configuration; empty if it may be one."""
    try:
        kind = read_json(config).get("model_type")
    except UsageError as error:
        return str(error)
    return "" if kind is None or kind in MODEL_TYPES else unsupported(kind)


def _weight_files(folder: Path) -> list[str] | None:
    """Names of the weight files there should be; None if there are none."""
    if (folder / WEIGHTS_INDEX).is_file():
        try:
            return sorted(set(json.loads((folder / WEIGHTS_INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError):
            return [WEIGHTS_INDEX]
    return [WEIGHTS] if (folder / WEIGHTS).exists() else None


def _safetensors(path: Path) -> str:
    """What is wrong with a weight file, by its header: its tensors must end where the file does."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            tensors = json.loads(file.read(length)) if length < size else {}
        end = max(int(tensor["data_offsets"][1]) for key, tensor in tensors.items() if key != "__metadata__")
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, struct.error):
        return "is no safetensors file"
    return "" if size == 8 + length + end else f"has {size:,} bytes and should have {8 + length + end:,}"
