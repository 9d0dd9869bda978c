"""Layers of plain values: reading YAML files and laying one over another."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from refocus.core.errors import UsageError
from refocus.core.limits import YAML_VALUES
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
        size = _written_out(values, {})
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {_in_one_line(error)}") from None
    except (ValueError, RecursionError) as error:  # a date that is none, brackets or anchors inside each other
        raise UsageError(f"{path} is not YAML that can be read: {error}") from None
    if size > YAML_VALUES.value():
        raise UsageError(f"{path}: {YAML_VALUES.refusal('anchors that stand for more values')}")
    if not isinstance(values or {}, dict):
        raise UsageError(f"{path} must be a mapping of sections")
    return values or {}


def _written_out(value: Any, known: dict[int, int]) -> int:
    """How many values there are if what anchors share is counted wherever it stands; each is looked at once.

    Raises:
        RecursionError: a value holds itself.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_written_out(one, known) for one in inner)
    return known[id(value)]


def _in_one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"{getattr(error, 'problem', None) or 'unreadable'} in line {mark.line + 1}, column {mark.column + 1}"
