"""How much of somebody else's file is taken at its word: more ends with one line that names the limit.

No published data set comes near them. Where yours does, the variable in the message raises one, for all that runs below
that shell: what is accepted changes, never what a result is.
"""

import os
from dataclasses import dataclass

from refocus.core.errors import UsageError


@dataclass(frozen=True)
class Limit:
    """variable: of the environment. of: what is limited, in words."""

    variable: str
    default: int
    of: str

    def value(self) -> int:
        """The number in force.

        Raises:
            UsageError: the variable holds no positive whole number.
        """
        text = os.environ.get(self.variable)
        if text is None:
            return self.default
        if not text.isascii() or not text.isdigit() or not 0 < len(text) < 16 or not int(text):
            raise UsageError(f"{self.variable}={text!r:.40}: a whole number above 0, please: the limit of {self.of}")
        return int(text)

    def refusal(self, found: str) -> str:
        """What a message says of something beyond it, such as `a line of 70000000 characters`."""
        return f"{found}, where {self.value()} is the limit; if it is meant so, raise {self.variable}"


JSON_DEPTH = Limit("REFOCUS_MAX_JSON_DEPTH", 64, "lists and objects inside each other in JSON")
LINE_CHARS = Limit("REFOCUS_MAX_LINE_CHARS", 1 << 26, "the characters of a line of a JSON lines or CSV file")
CELL_CHARS = Limit("REFOCUS_MAX_CELL_CHARS", 1 << 24, "the characters of a CSV cell")
TEXT_CHARS = Limit(
    "REFOCUS_MAX_TEXT_CHARS", 1 << 16, "the characters of a question, an option or another text of a row"
)
BATCH_BYTES = Limit("REFOCUS_MAX_BATCH_BYTES", 1 << 30, "the bytes that 4096 rows of a parquet file unpack to")
TAR_MEMBERS = Limit("REFOCUS_MAX_TAR_MEMBERS", 1 << 20, "the files in a tar")
YAML_VALUES = Limit("REFOCUS_MAX_YAML_VALUES", 1 << 18, "the values of a YAML file once its anchors are written out")
PICTURE_PIXELS = Limit("REFOCUS_MAX_PICTURE_PIXELS", 1 << 27, "the pixels of a picture")  # 8K has a quarter of them
LIMITS = (JSON_DEPTH, LINE_CHARS, CELL_CHARS, TEXT_CHARS, BATCH_BYTES, TAR_MEMBERS, YAML_VALUES, PICTURE_PIXELS)
