"""A setting that nothing reads promises what it does not do."""

import ast
import re
import typing
from collections.abc import Iterator

import pytest
from refocus.config.base import Section, Strict
from refocus.config.root import Root


def leaves(model: type[Strict], path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting as its dotted key and its name, entries of mappings included."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *typing.get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Strict)]
        if inner:
            yield from leaves(inner[0], f"{path}{name}.")
        else:
            yield path + name, name


@pytest.fixture(scope="module")
def read(repository) -> set[str]:
    """The attributes that the package or the rules look up, and the names of settings that its code gives as text."""
    found: set[str] = set()
    for file in (repository / "pipeline/refocus").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for file in (repository / "workflow/rules").glob("*.smk"):
        found |= set(re.findall(r"\.(\w+)", file.read_text()))
    return found


@pytest.mark.parametrize(("key", "name"), sorted(leaves(Root)))
def test_every_setting_is_read(read, key, name):
    """`version` decides by being part of its section's identity, which fingerprints and parameters hold."""
    assert name in read or name == "version", f"nothing reads {key}"


def test_a_version_is_part_of_what_a_rule_compares():
    versioned = [
        field.annotation
        for field in Root.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        if "version" in field.annotation.model_fields
    ]
    assert len(versioned) >= 5
    for section in versioned:
        assert section(version=98).canonical() != section(version=99).canonical()
