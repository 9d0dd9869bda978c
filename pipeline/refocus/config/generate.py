"""The configuration as people read it: commented YAML, JSON schema and settings page, all from the types."""

import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from refocus.config.base import Strict
from refocus.config.layers import read
from refocus.config.renamed import current_names
from refocus.config.root import Root

WIDTH = 120
HEAD = """\
# The embedded default: the synthetic world on a CPU. Everything a run does is written here; what it shall do otherwise
# goes into an overlay (`snakemake --configfile config/paper.yaml`), which is merged key by key.
# The comments come from the types in pipeline/refocus/config; `python -m refocus config --write` renders them and keeps
# the values.
"""


def rendered(base: Path) -> dict[Path, str]:
    """Every generated file with the text it should have; `base` is the config.yaml whose values are kept."""
    root = base.parent
    return {
        base: config_yaml(current_names(read(base))),
        root / "workflow/schemas/config.schema.yaml": schema_yaml(),
        root / "docs/settings.md": settings_md(),
    }


def config_yaml(values: Mapping[str, Any]) -> str:
    """`values` as the commented config.yaml: every key of every section, one description each.

    Args:
        values: checked plain values; keys that are missing are written with their defaults.
    """
    return HEAD + "\n" + "\n".join(_mapping(Root, values, indent=0, blank=True)) + "\n"


def schema_yaml() -> str:
    """The JSON schema that Snakemake validates the merged configuration with."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Root.model_json_schema()}
    head = "# Made from the types in pipeline/refocus/config by `python -m refocus config --write`; do not edit.\n"
    return head + yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=WIDTH)


def settings_md() -> str:
    """The page `docs/settings.md`: every key with its type, default and effect."""
    lines = [
        "# What does this setting do?",
        "",
        "Made from the types in `pipeline/refocus/config` by `python -m refocus config --write`; do not edit.",
        "The defaults are the paper's, or ours where it is silent (docs/paper_notes.md). `config.yaml` sets the values",
        "of the demo; overlays in `config/` change them. Keys under `runtime` change how a stage runs, never what it",
        "computes: changing one reruns nothing.",
        "",
    ]
    for name, field in Root.model_fields.items():
        lines += [f"## `{name}`", "", _sentence(field), ""]
        rows = list(_rows(field, ""))
        if rows:
            lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
            lines += [f"| `{key}` | {kind} | {default} | {text} |" for key, kind, default, text in rows] + [""]
        else:
            lines += [f"Type: {_kind(field.annotation)}; default: {_default(field)}.", ""]
    return "\n".join(lines)


def _mapping(model: type[Strict], values: Mapping[str, Any], indent: int, blank: bool = False) -> Iterator[str]:
    pad = "  " * indent
    for position, (name, field) in enumerate(model.model_fields.items()):
        if blank and position:
            yield ""
        value = values[name] if name in values else _plain_default(field)
        inner = _model(field.annotation)
        if inner and isinstance(value, Mapping) and not _is_dict(field.annotation):
            yield from _titled(pad, f"{name}:", field)
            yield from _mapping(inner, value, indent + 1)
        elif inner and isinstance(value, Mapping) and value:
            yield from _titled(pad, f"{name}:", field)
            for position_of_entry, (entry, settings) in enumerate(value.items()):
                yield f"{pad}  {entry}:"
                yield from _entry(inner, settings, indent + 2, commented=position_of_entry == 0)
        else:
            yield from _titled(pad, f"{name}: {_scalar(value)}", field)


def _entry(model: type[Strict], values: Mapping[str, Any], indent: int, commented: bool) -> Iterator[str]:
    """One entry of a mapping of entries: described in full the first time, only what it sets afterwards."""
    if commented:
        yield from _mapping(model, values, indent)
        return
    for name, value in values.items():
        if value != _plain_default(model.model_fields[name]):
            yield f"{'  ' * indent}{name}: {_scalar(value)}"


def _titled(pad: str, line: str, field: FieldInfo) -> Iterator[str]:
    """The key with its description behind it where that fits, above it where not."""
    one_line = f"{pad}{line}  # {field.description}"
    if len(one_line) <= WIDTH:
        yield one_line
    else:
        yield from (f"{pad}# {part}" for part in textwrap.wrap(field.description or "", WIDTH - len(pad) - 2))
        yield f"{pad}{line}"


def _scalar(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain_default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Strict):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def _rows(field: FieldInfo, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    model = _model(field.annotation)
    if model is None:
        return
    inside = f"{prefix}<name>." if _is_dict(field.annotation) else prefix
    for name, inner in model.model_fields.items():
        if _model(inner.annotation):
            yield from _rows(inner, f"{inside}{name}.")
        else:
            text = (inner.description or "").replace("|", "\\|").replace("<", "&lt;")
            yield f"{inside}{name}", _kind(inner.annotation), _default(inner), text


def _default(field: FieldInfo) -> str:
    return f"`{_scalar(_plain_default(field))}`".replace("|", "\\|")


def _sentence(field: FieldInfo) -> str:
    text = field.description or ""
    return text[:1].upper() + text[1:] + "."


def _arms(annotation: Any) -> list[Any]:
    """The types of a union, without None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [arm for arm in typing.get_args(annotation) if arm is not type(None)]
    return [annotation]


def _is_dict(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict


def _model(annotation: Any) -> type[Strict] | None:
    """The settings class a field holds, directly, optionally, or as the values of a mapping."""
    for arm in _arms(annotation):
        inner = typing.get_args(arm)[1] if _is_dict(arm) else arm
        if isinstance(inner, type) and issubclass(inner, Strict):
            return inner
    return None


def _kind(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    optional = " or null" if type(None) in typing.get_args(annotation) else ""
    if origin is typing.Literal:
        return " \\| ".join(f"`{choice}`" for choice in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(arm) for arm in _arms(annotation)) + optional
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if origin in (tuple, list):
        return f"list of {_kind(typing.get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(annotation, "any")
