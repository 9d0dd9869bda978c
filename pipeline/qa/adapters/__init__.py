"""One module per annotation format, found by its name.

An adapter module has `FILES`, what `--annotations` takes, and `read(paths, options)`, which yields one `Draft` or
`Reject` per input row in file order. A format that is listed here needs nothing else to be known everywhere.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.errors import UsageError
from pipeline.qa.draft import Draft
from pipeline.qa.records import Reject

FORMATS = {
    "llava_video": "pipeline.qa.adapters.llava_video",
    "longvideobench": "pipeline.qa.adapters.longvideobench",
    "mlvu": "pipeline.qa.adapters.mlvu",
    "nextqa": "pipeline.qa.adapters.nextqa",
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
