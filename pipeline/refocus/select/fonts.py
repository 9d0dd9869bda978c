"""A font that can write a text: of this machine, of matplotlib where it is installed, or Pillow's own (ASCII)."""

import functools
import importlib.util
import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

log = logging.getLogger(__name__)
FILES = (  # Pillow looks for them where the system keeps fonts
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "arialuni.ttf",
    "Arial.ttf",
    "LiberationSans-Regular.ttf",
    "FreeSans.ttf",
)
NO_LETTER = "\U0010fffe"  # in no font


def font_for(text: str, size: int) -> "tuple[Font, str]":
    """The first font that has every letter of a text, and the text.

    Where none has, the font with the most of them, and the text without accents, its other letters as `?`; the log
    says so.
    """
    letters = sorted({letter for letter in text if not letter.isspace()})
    best = min(_fonts(size), key=lambda font: len(_missing(font, letters)))
    missing = set(_missing(best, letters))
    if not missing:
        return best, text
    plain = "".join(_plain(letter) if letter in missing else letter for letter in text)
    log.warning("no font of this machine has %s: install one, such as Noto Sans CJK", " ".join(sorted(missing)[:8]))
    return best, plain


@functools.cache
def _fonts(size: int) -> "tuple[Font, ...]":
    from PIL import ImageFont

    found: list[Font] = []
    for file in (*FILES, *_of_matplotlib()):
        try:
            found.append(ImageFont.truetype(str(file), size))
        except OSError:
            continue
    return (*found, ImageFont.load_default(size))


def _of_matplotlib() -> Iterator[Path]:
    spec = importlib.util.find_spec("matplotlib")  # found, not imported
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def _missing(font: "Font", letters: list[str]) -> list[str]:
    box = bytes(font.getmask(NO_LETTER))
    return [letter for letter in letters if bytes(font.getmask(letter)) == box]


def _plain(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return base or "?"
