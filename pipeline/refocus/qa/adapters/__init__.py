"""One module per annotation format, found by its name.

An adapter module has `FILES`, what `--annotations` takes, and `read(paths, options)`, which yields one `RawQuestion` or
`Reject` per input row in file order; `OPTION_TYPE` too, if it has options of its own. A name in
`refocus.config.ingest.Format` and a module of that name are all a new format needs.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from refocus.config.ingest import Format
from refocus.config.parsing import parse
from refocus.core.errors import UsageError
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.raw_question import RawQuestion
from refocus.qa.records import Reject

FORMATS = {name: f"refocus.qa.adapters.{name}" for name in get_args(Format)}


@runtime_checkable
class Adapter(Protocol):
    """What an adapter module offers."""

    FILES: str

    def read(self, paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
        """Raw questions and rejects of annotation files, one per input row."""
        ...


def adapter(name: str) -> Adapter:
    """The adapter of a format.

    Raises:
        UsageError: there is none of this name.
        TypeError: its module lacks `FILES` or `read`.
    """
    if name not in FORMATS:
        raise UsageError(f"unknown format '{name}'; known: {', '.join(FORMATS)}")
    module = importlib.import_module(FORMATS[name])
    if not isinstance(module, Adapter):
        raise TypeError(f"{FORMATS[name]} is no adapter: it needs FILES and read")
    return module


def checked_options(name: str, options: Mapping[str, Any]) -> AdapterOptions:
    """The options of a format, what is not given at its default.

    Raises:
        UsageError: the format has no such option, or the value does not fit; says which there are.
    """
    model = getattr(adapter(name), "OPTION_TYPE", AdapterOptions)
    try:
        return parse(model, dict(options))
    except UsageError as error:
        raise UsageError(f"adapter_options: {error}; {name} knows {', '.join(model.model_fields)}") from None
