"""JSON of other people: whatever is wrong with it is a ValueError, and nothing in it is nested without end."""

import json
from collections.abc import Callable
from typing import Any

from refocus.core.limits import JSON_DEPTH


def loads(
    text: str | bytes,
    *,
    as_object: Callable[[list[tuple[str, Any]]], Any] | None = None,
    constant: Callable[[str], Any] | None = None,
) -> Any:
    """What a JSON text holds.

    Args:
        as_object: makes an object of its entries, else it is a dict. constant: makes a value of NaN and the infinities,
            else they are floats.
    Raises:
        ValueError: it is no JSON, not UTF-8, has a number of thousands of digits, or is nested too deep.
    """
    try:
        value = json.loads(text, object_pairs_hook=as_object, parse_constant=constant)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    if _opened(text) > JSON_DEPTH.default and _depth(value) > JSON_DEPTH.value():
        raise ValueError(_too_deep())
    return value


def _opened(text: str | bytes) -> int:
    """How many brackets open in a text: no row of a few can be deep, and most rows have a few."""
    return text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")


def _depth(value: Any) -> int:
    """Levels inside each other, counted layer by layer: code that recurses comes later."""
    layer, depth = [value], -1
    while layer:
        layer, depth = [inner for one in layer for inner in _inside(one)], depth + 1
    return depth


def _inside(value: Any) -> list[Any]:
    """The lists and objects right inside of a value."""
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in found if isinstance(inner, dict | list)]


def _too_deep() -> str:
    return JSON_DEPTH.refusal("more lists or objects inside each other")
