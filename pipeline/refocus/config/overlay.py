"""Checked configurations: files and plain values as typed settings."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from refocus.config.layers import merge, read
from refocus.config.parsing import parse
from refocus.config.root import Root


def check(values: Mapping[str, Any]) -> Root:
    """Typed settings of a merged configuration.

    Raises:
        UsageError: names the first wrong keys, e.g. `unknown key 'filter.tua'`.
    """
    return parse(Root, dict(values))


def load(paths: Iterable[str | Path]) -> Root:
    """Typed settings of several files, each laid over the ones before it; config.yaml comes first."""
    values: dict[str, Any] = {}
    for path in paths:
        values = merge(values, read(path))
    return check(values)
