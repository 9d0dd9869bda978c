"""Which runs are one setting with several seeds, and what tells settings apart: for tables and figures."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from refocus.config.base import Strict
from refocus.config.root import Root
from refocus.core.errors import UsageError
from refocus.core.files import canonical

SYMBOLS = {"picks": "T'", "entropy_weight": "β", "candidates": "N"}
LENGTH = ("picks", "curriculum")  # what T' is made of: shown as one


class Variant(Strict):
    """Runs that differ in nothing but their seed."""

    label: str = Field("", description="what tells them from the other runs: `T' = 8, β = 0`; empty if there are none")
    trained: str = Field("", description="frames per subset in training: `8`, with a curriculum `2→4→8`")
    runs: tuple[str, ...] = Field((), description="their names")


def variants(root: Root) -> list[Variant]:
    """The runs in use, grouped by everything but their seed, in the order of `use.runs`."""
    groups: dict[str, list[str]] = {}
    for run in root.use.runs:
        groups.setdefault(canonical(_settings(root, run)), []).append(run)
    settings = [_settings(root, runs[0]) for runs in groups.values()]
    keys = list(dict.fromkeys(key for values in settings for key in values))
    varying = [key for key in keys if len({canonical(values.get(key)) for values in settings}) > 1]
    default = {**root.policy.identity(), **root.train.identity()}
    made = []
    for values, runs in zip(settings, groups.values(), strict=True):
        shown = [key for key in varying if key in LENGTH or values.get(key) != default.get(key)] or varying
        made.append(Variant(label=_label(values, shown), trained=trained(values), runs=tuple(runs)))
    return made


def trained(values: dict[str, Any]) -> str:
    """T' of training settings as plain values: `8`, or the stages of a curriculum `2→4→8`."""
    return "→".join(map(str, stages(values)))


def stages(values: dict[str, Any]) -> list[int]:
    """T' over training, first to last."""
    return [frames for _, frames in values.get("curriculum") or [(0.0, values["picks"])]]


def to_json(made: Sequence[Variant]) -> str:
    """Variants as the text of the flag `--variants`."""
    return canonical([variant.model_dump(mode="json") for variant in made])


def from_json(text: str | None) -> list[Variant]:
    """The inverse of `to_json`; none for no text.

    Raises:
        UsageError: the text is no list of variants.
    """
    try:
        return [Variant.model_validate(entry) for entry in json.loads(text or "[]")]
    except ValueError as error:
        raise UsageError(f"--variants: {error}") from None


def _settings(root: Root, run: str) -> dict[str, Any]:
    values = {**root.run_policy(run).identity(), **root.run_train(run).identity()}
    return {key: value for key, value in values.items() if key != "seed"}


def _label(values: dict[str, Any], keys: Sequence[str]) -> str:
    parts = [f"T' = {trained(values)}"] if set(keys) & set(LENGTH) else []
    parts += [f"{SYMBOLS.get(key, key)} = {spell(values.get(key))}" for key in keys if key not in LENGTH]
    return ", ".join(parts)


def spell(value: Any) -> str:
    """A setting's value for readers: 0.05, not 0.050; 0, not 0.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)
