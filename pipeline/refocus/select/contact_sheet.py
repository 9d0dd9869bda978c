"""A contact sheet: the picked frames side by side with their times."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refocus.core.files import atomic

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss.s, shorter where it can be: 7.25 -> '0:07.2', 3725 -> '1:02:05.0'."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def write_sheet(
    path: Path, images: np.ndarray, timestamps_s: Sequence[float], title: Sequence[str], tile: int = 192
) -> None:
    """Writes a PNG of the frames in rows, each with its time, under the title's lines.

    Args:
        images: uint8 (n, h, w, 3).
        title: paragraphs above the frames, wrapped to the sheet's width.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = max(1, min(len(images), math.ceil(math.sqrt(len(images) * 1.6))))
    rows = math.ceil(len(images) / columns)
    font, gap, line = ImageFont.load_default(15), 8, 22
    width = max(480, gap + columns * (tile + gap))
    lines = [part for text in title for part in _wrap(text, font, width - 2 * gap)]
    head = gap + line * len(lines)
    sheet = Image.new("RGB", (width, head + rows * (tile + line + gap) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(lines):
        draw.text((gap, gap + number * line), text, fill="black", font=font)
    for number, (image, time) in enumerate(zip(images, timestamps_s, strict=True)):
        x = gap + (number % columns) * (tile + gap)
        y = head + gap + (number // columns) * (tile + line + gap)
        sheet.paste(Image.fromarray(image).resize((tile, tile), Image.Resampling.BICUBIC), (x, y))
        draw.text((x, y + tile + 2), clock(time), fill="black", font=font)
    with atomic(path) as draft:
        sheet.save(draft, format="PNG")


def _wrap(text: str, font: "FreeTypeFont | ImageFont", width: int) -> list[str]:
    """Words broken into lines no wider than so many pixels; a longer word has its own line."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1:] = [longer]
    return lines
