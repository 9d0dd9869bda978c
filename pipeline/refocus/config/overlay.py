"""Checked configurations: files and plain values as typed settings."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from refocus.config.layers import merge, read
from refocus.config.parsing import parse
from refocus.config.renamed import current_names
from refocus.config.root import Root


def check(values: Mapping[str, Any]) -> Root:
    """Typed settings of a merged configuration.

    Raises:
        UsageError: names the first wrong keys, e.g. `unknown key 'filter.tua'`.
    """
    return parse(Root, dict(values))


def load(paths: Iterable[str | Path]) -> Root:
    """Typed settings of config.yaml, the first path, with overlays laid over it in their order."""
    return check(layered(paths))


def layered(paths: Iterable[str | Path]) -> dict[str, Any]:
    """The plain values of several files laid over each other as Snakemake does: overlays first, then over config.yaml.

    Raises:
        UsageError: a file cannot be read, or sets an old name beside the new one.
    """
    base, *overlays = map(read, paths)
    return merge(current_names(base), current_names(functools.reduce(merge, overlays, {})))
