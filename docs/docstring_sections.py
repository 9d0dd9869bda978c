"""Our docstrings have no empty line between `Args:`, `Returns:` and `Raises:`; griffe knows a section by one."""

import re
from typing import Any

import griffe

TITLES = re.compile(r"(?<!\n)\n(?=(?:Args|Attributes|Examples|Returns|Raises):\n)")


class Sections(griffe.Extension):
    """Puts the empty lines there while the API pages are made."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """See `griffe.Extension.on_object`."""
        if obj.docstring:
            obj.docstring.value = TITLES.sub("\n\n", obj.docstring.value)
