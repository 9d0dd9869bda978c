"""Command-line flags made from typed settings, so that a flag, its default and its help exist in one place."""

import argparse
import json
import typing
from typing import Any, TypeVar

from refocus.config.base import Section, Strict
from refocus.config.parsing import parse, parse_json

S = TypeVar("S", bound=Section)


def add_settings(parser: argparse.ArgumentParser, model: type[Section]) -> None:
    """Adds `--settings JSON`, `--runtime JSON` and one flag per plain field of `model` and of its `runtime`."""
    group = parser.add_argument_group("settings", "each also a key of this stage's section in config.yaml")
    group.add_argument("--settings", metavar="JSON", help="the section as JSON; single flags win over it")
    group.add_argument("--runtime", metavar="JSON", help="the section's runtime part as JSON")
    for name, field in _plain_fields(model):
        default = "off" if field.default is False else field.default
        kwargs: dict[str, Any] = {
            "default": None,
            "help": f"{field.description} (default: {default})".replace("%", "%%"),
        }
        if field.annotation is bool:
            kwargs["action"] = argparse.BooleanOptionalAction
        else:
            kwargs["metavar"] = name.upper()
        group.add_argument("--" + name.replace("_", "-"), dest=name, **kwargs)


def read_settings(args: argparse.Namespace, model: type[S]) -> S:
    """The settings a command runs with: the section as JSON first, then single flags.

    Raises:
        UsageError: a value does not fit, naming the key.
    """
    runtime_model = _runtime_model(model)
    values = parse_json(args.settings, "--settings")
    runtime = parse_json(args.runtime, "--runtime")
    for name, _ in _plain_fields(model):
        given = getattr(args, name)
        if given is None:
            continue
        target = values if name in model.model_fields else runtime
        target[name] = _loosen(given)
    if runtime and runtime_model is not None:
        values["runtime"] = runtime
    return parse(model, values)


def _plain_fields(model: type[Strict]) -> list[tuple[str, Any]]:
    fields = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Strict):
            if name == "runtime":
                fields += _plain_fields(field.annotation)
        elif typing.get_origin(field.annotation) is not dict:
            fields.append((name, field))
    return fields


def _runtime_model(model: type[Section]) -> type[Strict] | None:
    field = model.model_fields.get("runtime")
    return field.annotation if field else None


def _loosen(value: Any) -> Any:
    """A flag's text as the JSON value it spells, so that numbers, null and lists reach the typed settings as such."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
