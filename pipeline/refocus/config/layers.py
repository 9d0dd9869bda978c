"""Layers of plain values: reading YAML files and laying one over another."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from refocus.core.errors import UsageError
from refocus.core.project import overlay_file


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: mappings merge key by key, all else is replaced as a whole (as Snakemake does)."""
    merged = copy.deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def unshared(values: Any) -> Any:
    """A copy in which every mapping stands once, whatever YAML's anchors shared, and every key is text."""
    if isinstance(values, Mapping):
        return {str(key): unshared(value) for key, value in values.items()}
    return [unshared(value) for value in values] if isinstance(values, list) else copy.deepcopy(values)


def read(path: str | Path) -> dict[str, Any]:
    """One YAML file as plain values; `config/…` also names the overlays that come with the project.

    Raises:
        UsageError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        values = yaml.safe_load(overlay_file(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {error}") from None
    if not isinstance(values or {}, dict):
        raise UsageError(f"{path} must be a mapping of sections")
    return values or {}
