"""The configuration of a run for readers: what differs from the default, and all of it as YAML."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from refocus.config.root import Root
from refocus.core.files import canonical

ABSENT = "–"


@dataclass(frozen=True)
class Change:
    """A key by its dots, its value in the default configuration and in this one; ABSENT where it is in one alone."""

    key: str
    before: str
    now: str


def changes(default: Root, root: Root) -> list[Change]:
    """The keys of one configuration that another sets otherwise, in the order of their sections."""
    old, new = (dict(flat(one.model_dump(mode="json"))) for one in (default, root))
    keys = [key for key in {**old, **new} if old.get(key, ABSENT) != new.get(key, ABSENT)]
    return [Change(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in keys]


def as_yaml(root: Root) -> dict[str, str]:
    """Every section as YAML, by its name."""
    return {
        name: yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=120)
        for name, value in root.model_dump(mode="json").items()
    }


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Plain values by their keys with dots, each as text; empty mappings are none."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value if isinstance(value, str) else canonical(value)
