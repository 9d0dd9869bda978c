"""Templates and scripts. What comes from question files is text on a page and nothing else, wherever it stands."""

import functools
import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

SCRIPT_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}  # no `</script>`, `<!--` or `]]>` in any string


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("refocus.report.pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render(template: str, **values: Any) -> str:
    """A template of this folder, filled in; every value is escaped."""
    return _environment().get_template(template).render(**values)


def asset(name: str) -> str:
    """A style sheet or script of this folder, as it is."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def as_script(name: str, value: Any) -> str:
    """A script that sets `window.NAME`: pages opened from a disk may load scripts, but no JSON.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for plain, safe in SCRIPT_ESCAPES.items():
        text = text.replace(plain, safe)
    return f"window.{name} = {text};\n"
