"""Command-line flags made from typed settings, so that a flag, its default and its help exist in one place."""

import argparse
import json
import typing
from collections.abc import Container
from pathlib import Path
from typing import Any, TypeVar

from refocus.config.base import Section, Strict
from refocus.config.lmm import LmmSettings
from refocus.config.parsing import parse, parse_json
from refocus.config.renamed import current_section
from refocus.config.root import section_name
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.addresses import ADVICE, is_address
from refocus.core.errors import UsageError
from refocus.core.project import default_config, default_overlays

S = TypeVar("S", bound=Section)
LMM_FLAGS = ("family", "dtype", "attention")


def local_path(text: str) -> Path:
    """A path as a flag's type; an address on the net is refused, which `Path` would take for a folder."""
    if is_address(text):
        raise argparse.ArgumentTypeError(f"{text!r} {ADVICE}")
    return Path(text)


def add_base(parser: argparse.ArgumentParser) -> None:
    """Adds `--base`, the configuration that overlays are laid over."""
    parser.add_argument(
        "--base",
        metavar="CONFIG.yaml",
        type=Path,
        default=default_config(),
        help="the default configuration (default: %(default)s)",
    )


def add_configuration(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Adds `--base` and `--configfile`, which together say what `snakemake --configfile` runs with."""
    add_base(parser)
    parser.add_argument(
        "--configfile",
        metavar="YAML",
        nargs="+" if required else "*",
        type=Path,
        default=default_overlays(),
        required=required,
        help="overlays, each laid over the ones before it (default: config.yaml of this folder, where it is another)",
    )


def add_settings(
    parser: argparse.ArgumentParser,
    model: type[Section],
    only: Container[str] | None = None,
    without: Container[str] = (),
) -> None:
    """Adds `--settings JSON`, `--runtime JSON` and one flag per plain field of `model` and of its `runtime`.

    Args:
        only: fields that get a flag; None: all of them.
        without: fields that get none.
    """
    group = parser.add_argument_group("settings", "each also a key of this stage's section in config.yaml")
    group.add_argument("--settings", metavar="JSON", help="the section as JSON; single flags win over it")
    group.add_argument("--runtime", metavar="JSON", help="the section's runtime part as JSON")
    for name, field in _plain_fields(model):
        if name in without or (only is not None and name not in only):
            continue
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


def add_lmm(parser: argparse.ArgumentParser) -> None:
    """Adds `--lmm-settings JSON` and a flag for each of its fields but the path, which is the stage's own `--model`."""
    parser.add_argument("--lmm-settings", metavar="JSON", help="an `lmms` entry as JSON; --model is then only its name")
    for name in LMM_FLAGS:
        field = LmmSettings.model_fields[name]
        parser.add_argument(f"--{name}", metavar=name.upper(), help=f"{field.description} (default: {field.default})")


def read_lmm(args: argparse.Namespace, model: str) -> LmmSettings:
    """The LMM: an entry given as JSON, else the folder or hub id given as `--model`, with single flags on top.

    Raises:
        UsageError: neither is given, or a value does not fit.
    """
    if args.lmm_settings:
        values = parse_json(args.lmm_settings, "--lmm-settings")
    elif args.model is not None:
        values = {"path": model}
    else:
        raise UsageError("which LMM? Give --model DIR_OR_ID, or --lmm-settings JSON")
    given = {name: getattr(args, name) for name in LMM_FLAGS if getattr(args, name) is not None}
    return parse(LmmSettings, {**values, **given})


def add_training_free(parser: argparse.ArgumentParser) -> None:
    """Adds `--training-free-settings JSON`."""
    parser.add_argument(
        "--training-free-settings",
        metavar="JSON",
        help="the section training_free: numbers of aks, bolt, mdp3, uniform-seen",
    )


def read_training_free(args: argparse.Namespace) -> TrainingFreeSettings:
    """What `add_training_free` reads."""
    return parse(TrainingFreeSettings, parse_json(args.training_free_settings, "--training-free-settings"))


def read_settings(args: argparse.Namespace, model: type[S]) -> S:
    """The settings a command runs with: the section as JSON first, then single flags.

    Raises:
        UsageError: a value does not fit, naming the key.
    """
    runtime_model = _runtime_model(model)
    section = section_name(model)
    values = current_section(section, parse_json(args.settings, "--settings"))
    runtime = current_section(section, {"runtime": parse_json(args.runtime, "--runtime")})["runtime"]
    for name, _ in _plain_fields(model):
        given = getattr(args, name, None)
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
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Strict) else None


def _loosen(value: Any) -> Any:
    """A flag's text as the JSON value it spells, so that numbers, null and lists reach the typed settings as such."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
