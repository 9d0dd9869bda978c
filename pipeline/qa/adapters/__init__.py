"""One module per annotation format, found by its name.

An adapter module has `FILES`, what `--annotations` takes, and `read(paths, options)`, which yields one `Draft` or
`Reject` per input row in file order; `Options` too, if it can be told more than every format. A format that is listed
here needs nothing else to be known everywhere.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.config.flags import parse
from pipeline.errors import UsageError
from pipeline.qa.adapters.options import AdapterOptions
from pipeline.qa.draft import Draft
from pipeline.qa.records import Reject

FORMATS = {
    "activitynetqa": "pipeline.qa.adapters.activitynetqa",
    "cinepile": "pipeline.qa.adapters.cinepile",
    "llava_video": "pipeline.qa.adapters.llava_video",
    "longvideobench": "pipeline.qa.adapters.longvideobench",
    "mlvu": "pipeline.qa.adapters.mlvu",
    "nextqa": "pipeline.qa.adapters.nextqa",
    "perceptiontest": "pipeline.qa.adapters.perceptiontest",
    "videomme": "pipeline.qa.adapters.videomme",
    "videommmu": "pipeline.qa.adapters.videommmu",
    "vista": "pipeline.qa.adapters.vista",
}


class Adapter(Protocol):
    """What an adapter module offers."""

    FILES: str

    def read(self, paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[Draft | Reject]:
        """Drafts and rejects of annotation files, one per input row."""
        ...


def adapter(name: str) -> Adapter:
    """The adapter of a format.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in FORMATS:
        raise UsageError(f"unknown format '{name}'; known: {', '.join(FORMATS)}")
    return cast(Adapter, importlib.import_module(FORMATS[name]))


def checked_options(name: str, options: Mapping[str, Any]) -> AdapterOptions:
    """The options of a format, what is not given at its default.

    Raises:
        UsageError: the format has no such option, or the value does not fit; says which there are.
    """
    model = getattr(adapter(name), "Options", AdapterOptions)
    try:
        return parse(model, dict(options))
    except UsageError as error:
        raise UsageError(f"options: {error}; {name} knows {', '.join(model.model_fields)}") from None
