"""One module per annotation format; packages and scripts bring their own (docs/extend.md).

An adapter is a function `read(paths, options)` that yields one `RawQuestion` or `Reject` per input row in file order,
or whatever has such a function of that name, as the modules here have. Beside it may stand `FILES`, what
`--annotations` takes, and `OPTION_TYPE`, if it has options of its own.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from refocus.config.formats import adapter_place
from refocus.config.parsing import parse
from refocus.core.errors import RefocusError, UsageError
from refocus.core.extras import advice
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.raw_question import RawQuestion
from refocus.qa.records import Reject


@dataclass(frozen=True)
class Adapter:
    """The adapter of one format. `files` says what it takes and `about` what it is, for messages."""

    name: str
    function: Callable[[Sequence[Path], Mapping[str, Any]], Iterator[RawQuestion | Reject]]
    option_type: type[AdapterOptions]
    files: str = ""
    about: str = ""

    def read(self, paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
        """Raw questions and rejects of annotation files, one per input row.

        Raises:
            RefocusError: a file cannot be read at all, or the adapter itself fails; says behind which row.
        """
        count = 0
        try:
            for row in self.function(paths, options):
                if not isinstance(row, RawQuestion | Reject):
                    raise TypeError(f"yields {row!r}, which is neither a RawQuestion nor a Reject")
                yield row
                count += 1
        except RefocusError:
            raise
        except Exception as error:  # somebody else's code may raise anything
            what = f"{type(error).__name__}: {error}"
            raise RefocusError(
                f"the adapter {self.name} failed behind row {count} ({what}); mend it, or let it reject such rows with "
                "refocus.qa.adapters.annotation_files.each; --debug shows the trace"
            ) from error


def adapter(name: str) -> Adapter:
    """The adapter of a format.

    Raises:
        UsageError: there is none of this name, it cannot be imported, or it is no adapter.
    """
    module, _, attribute = adapter_place(name).partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        if advice(error.name or ""):
            raise  # the command says which extra brings it
        fix = "install it, or put its folder on PYTHONPATH"
        if module.endswith(".py"):
            fix = "write module:attribute, without .py"
        raise UsageError(f"format {name}: there is no module '{error.name}'; {fix}") from error
    except AttributeError as error:
        raise UsageError(f"format {name}: {error}") from error
    except Exception as error:  # somebody else's module may raise anything
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"format {name}: {module} cannot be imported ({what}); --debug shows the trace") from error
    read = getattr(found, "read", found)
    if not callable(read):
        raise UsageError(f"format {name}: {found!r} is neither a function nor has it one called read")
    about = inspect.getdoc(found if inspect.ismodule(found) else importlib.import_module(module)) or ""
    return Adapter(name, read, getattr(found, "OPTION_TYPE", AdapterOptions), getattr(found, "FILES", ""), about)


def checked_options(name: str, options: Mapping[str, Any]) -> AdapterOptions:
    """The options of a format, what is not given at its default.

    Raises:
        UsageError: the format has no such option, or the value does not fit; says which there are.
    """
    model = adapter(name).option_type
    try:
        return parse(model, dict(options))
    except UsageError as error:
        raise UsageError(f"adapter_options: {error}; {name} knows {_names(model)}") from None


def _names(model: type[BaseModel]) -> str:
    """The options there are, those inside an option in brackets behind it."""
    inner = {name: field.annotation for name, field in model.model_fields.items()}
    return ", ".join(
        f"{name} ({_names(kind)})" if isinstance(kind, type) and issubclass(kind, BaseModel) else name
        for name, kind in inner.items()
    )
