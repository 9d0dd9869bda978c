"""Which models a configuration uses, as what, and whether its folders can be that."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from refocus.config.lmm import MODEL_TYPES, unsupported
from refocus.config.root import Root
from refocus.config.selectors import SelectorName
from refocus.core.errors import UsageError
from refocus.core.model_folder import CONFIG, local_folder, no_such_folder, read_json

Role = Literal["lmm", "policy", "vision", "scorer"]


@dataclass(frozen=True)
class ModelUse:
    """A model that an entry in use names.

    Attributes:
        key: of the configuration, such as `lmms.internvl3-8b` or `runs.t32: policy.start`.
        family: of an LMM; `auto` means that its own config.json has to say what it is.
    """

    path: str
    key: str
    role: Role
    family: str = ""


def models_in_use(root: Root) -> Iterator[ModelUse]:
    """Every model that the entries in use need, once for each key that names it."""

    def lmm(name: str, key: str) -> ModelUse:
        return ModelUse(root.lmms[name].path, key, "lmm", root.lmms[name].family)

    for name in root.use.lmms:
        yield lmm(name, f"lmms.{name}")
    if root.use.datasets:
        yield lmm(root.reward.model, "reward.model")
    needs = {SelectorName.parse(selector).needs for selector in root.use.selectors}
    if "embeddings" in needs:
        yield ModelUse(root.scorers[root.embed.model].path, "embed.model", "scorer")
    if "certainty" in needs:
        yield lmm(root.certainty.model, "certainty.model")
    for run in root.use.runs:
        yield lmm(root.run_train(run).reward_model, f"runs.{run}: train.reward_model")
        policy = root.run_policy(run)
        yield ModelUse(policy.start, f"runs.{run}: policy.start", "policy")
        if policy.vision is not None:
            yield ModelUse(policy.vision, f"runs.{run}: policy.vision", "vision")


def check_models(root: Root) -> None:
    """Refuses folders that are not there, and models of the wrong kind; what the hub has is not asked.

    Snakemake alone would not miss a folder whose results are finished. Folders below the results are left to the rules
    that make them.

    Raises:
        UsageError: names the key, the folder, and folders that may have been meant.
    """
    for use in models_in_use(root):
        try:
            folder = local_folder(use.path)
        except UsageError as error:
            raise UsageError(f"{use.key}: {error}") from None
        if folder is None or Path(root.results).absolute() in folder.absolute().parents:
            continue
        if not folder.is_dir():
            raise UsageError(f"{use.key}: {no_such_folder(use.path)}")
        if problem := wrong_kind(folder / CONFIG, use.role, use.family):
            raise UsageError(f"{use.key}: {use.path}: {problem}")


def wrong_kind(config: Path, role: Role, family: str = "") -> str:
    """Why a model cannot be what it is used as, by its config.json; empty if it may be, or if it does not say."""
    if not config.is_file():
        return ""
    try:
        kind = read_json(config).get("model_type")
        kind = kind if kind is None or isinstance(kind, str) else str(kind)
    except UsageError as error:
        return str(error)
    if role == "lmm" and family == "auto" and kind is not None and kind not in MODEL_TYPES:
        return unsupported(kind)
    if role == "policy" and kind in MODEL_TYPES:
        return f"this is an LMM ({kind}), not a policy"
    return ""
