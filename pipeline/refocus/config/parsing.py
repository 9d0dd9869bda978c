"""Plain values as typed settings, with errors that name the key."""

from typing import Any, TypeVar

from pydantic import ValidationError

from refocus.config.base import Strict
from refocus.core.errors import UsageError
from refocus.core.json_text import loads

S = TypeVar("S", bound=Strict)


def parse(model: type[S], values: dict[str, Any]) -> S:
    """Builds settings from plain values; the error of a wrong or unknown key names it."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_explain(item) for item in error.errors())) from None
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object!a:.80}: not valid Unicode") from None


def parse_json(text: str | None, flag: str) -> dict[str, Any]:
    """The JSON object given to a flag; nothing is an empty one.

    Raises:
        UsageError: it is not JSON, or no object.
    """
    if not text:
        return {}
    try:
        value = loads(text)
    except ValueError as error:
        raise UsageError(f"{flag} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{flag} must be a JSON object")
    return value


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key '{key}'"
    if item["type"] == "value_error":  # raised by our own validators, which say where and what
        return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
    if item["type"] in ("tuple_type", "list_type"):
        return f"{key}: must be a list, such as [{item['input']!s:.200}] (got {item['input']!r:.200})"
    return f"{key}: {item['msg']} (got {item['input']!r:.200})"
