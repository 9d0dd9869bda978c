"""A contact sheet: the picked frames side by side with their times, under the question and its options."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refocus.core.files import atomic
from refocus.select.fonts import font_for

if TYPE_CHECKING:
    from PIL.Image import Image

    from refocus.select.fonts import Font

TILE, GAP, LINE, FONT = 240, 8, 22, 15  # pixels: the longer side of a frame, between frames, a line, its letters
NARROWEST = 480  # pixels a title has at least


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss.s, shorter where it can be: 7.25 -> '0:07.2', 3725 -> '1:02:05.0'."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def write_sheet(path: Path, images: Sequence[np.ndarray], timestamps_s: Sequence[float], title: Sequence[str]) -> None:
    """Writes a PNG of the frames in rows, at their aspect, each with its time, under the title's lines.

    Args:
        images: (h, w, 3) uint8 RGB each, of any sizes.
        title: paragraphs above the frames, wrapped to the sheet's width.
    """
    from PIL import Image, ImageDraw

    small = [_fitted(Image.fromarray(image)) for image in images]
    wide, high = max(image.width for image in small), max(image.height for image in small)
    most = max(1, min(len(small), math.ceil(math.sqrt(len(small) * 1.6 * high / wide))))
    rows = math.ceil(len(small) / most)
    columns = math.ceil(len(small) / rows)  # rows of equal length, if there are such
    width = max(NARROWEST, GAP + columns * (wide + GAP))
    font, text = font_for("\n".join(title), FONT)
    lines = [part for paragraph in text.split("\n") for part in _wrap(paragraph, font, width - 2 * GAP)]
    head = GAP + LINE * len(lines)
    sheet = Image.new("RGB", (width, head + rows * (high + LINE + GAP) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((GAP, GAP + number * LINE), line, fill="black", font=font)
    for number, (image, time_s) in enumerate(zip(small, timestamps_s, strict=True)):
        x = GAP + (number % columns) * (wide + GAP)
        y = head + GAP + (number // columns) * (high + LINE + GAP)
        sheet.paste(image, (x, y))
        draw.text((x, y + image.height + 2), clock(time_s), fill="black", font=font)
    with atomic(path) as draft:
        sheet.save(draft, format="PNG")


def _fitted(image: "Image") -> "Image":
    """At its aspect, its longer side TILE pixels."""
    scale = TILE / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _wrap(text: str, font: "Font", width: int) -> list[str]:
    """Words broken into lines no wider than so many pixels; a longer word is cut, as one of Chinese is."""
    lines: list[str] = [""]
    for word in text.split():
        for part in _cut(word, font, width):
            longer = f"{lines[-1]} {part}" if lines[-1] else part
            if lines[-1] and font.getlength(longer) > width:
                lines.append(part)
            else:
                lines[-1] = longer
    return lines


def _cut(word: str, font: "Font", width: int) -> list[str]:
    parts = [""]
    for letter in word:
        if parts[-1] and font.getlength(parts[-1] + letter) > width:
            parts.append("")
        parts[-1] += letter
    return parts
