"""Draws scenes as pictures: the same code renders the video files and the endless training stream.

Shapes are signed distance functions on coordinates in [0, 1]², so a picture drawn at 64×64 is the squashed picture of
one drawn at 320×240, up to antialiasing.

n pictures · h height · w width
"""

import functools
from collections.abc import Sequence

import numpy as np

from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, SHAPES, Event, Moment, Scene

EDGE = 0.07  # width of the border shown during an event
DOT = 0.055  # radius of the corner dot
DOT_COLOR = (245, 245, 245)
TILE = 128  # side of a background texture
TEXTURES = 32


def draw(moments: Sequence[Moment], height: int, width: int) -> np.ndarray:
    """Pictures of scenes at given times.

    Args:
        moments: n pairs of a scene and a time in seconds.
    Returns:
        (n, h, w, 3) uint8 RGB.
    """
    pictures = np.empty((len(moments), height, width, 3), np.uint8)
    for picture, (scene, time_s) in zip(pictures, moments, strict=True):
        canvas = _background(scene, time_s, height, width)
        event = scene.event_at(time_s)
        if event is not None:
            _draw_edge(canvas, event.edge)
            _draw_shape(canvas, event, time_s)
        if (corner := CORNERS[scene.corner]) is not None:
            _paint(canvas, corner, DOT, 0.0, DOT_COLOR, "circle")
        np.clip(canvas, 0, 255, out=canvas)
        picture[...] = canvas
    return pictures


def _background(scene: Scene, time_s: float, height: int, width: int) -> np.ndarray:
    down, right = (int(speed * time_s * TILE) for speed in scene.scroll)
    tile = _textures()[scene.texture % TEXTURES]
    rows = (np.arange(height) * TILE // height + down) % TILE
    columns = (np.arange(width) * TILE // width + right) % TILE
    shade = 1.0 + scene.contrast * tile[rows[:, None], columns[None, :]]
    return shade[..., None] * np.asarray(BACKGROUNDS[scene.background], np.float32)


@functools.cache
def _textures() -> np.ndarray:
    """(TEXTURES, TILE, TILE) smooth tileable noise with zero mean and unit deviation, clipped to ±2."""
    rng = np.random.default_rng(20250602)
    frequency = np.fft.fftfreq(TILE) * TILE
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    tiles = []
    for index in range(TEXTURES):
        reach = 3.0 + 9.0 * index / TEXTURES
        spectrum = np.fft.fft2(rng.standard_normal((TILE, TILE))) * np.exp(-((radius / reach) ** 2))
        tile = np.fft.ifft2(spectrum).real
        tiles.append(np.clip((tile - tile.mean()) / tile.std(), -2, 2))
    return np.asarray(tiles, np.float32)


def _draw_edge(picture: np.ndarray, color: str) -> None:
    height, width = picture.shape[:2]
    rows, columns = max(1, round(EDGE * height)), max(1, round(EDGE * width))
    fill = np.asarray(COLORS[color], np.float32)
    picture[:rows] = picture[-rows:] = fill
    picture[:, :columns] = picture[:, -columns:] = fill


def _draw_shape(canvas: np.ndarray, event: Event, time_s: float) -> None:
    progress = (time_s - event.start_s) / (event.end_s - event.start_s) - 0.5
    center = tuple(at + step * progress for at, step in zip(event.center, event.drift, strict=True))
    _paint(canvas, center, event.size, event.tilt, COLORS[event.color], event.shape)


def _paint(
    canvas: np.ndarray, center: tuple[float, ...], size: float, tilt: float, color: tuple[int, ...], shape: str
) -> None:
    """Paints one antialiased shape; only the pixels around it are touched."""
    height, width = canvas.shape[:2]
    soft = 1.0 / min(height, width)  # width of the outline
    reach = 1.5 * size + 2 * soft
    top, left = max(0, int((center[1] - reach) * height)), max(0, int((center[0] - reach) * width))
    patch = canvas[top : int((center[1] + reach) * height) + 1, left : int((center[0] + reach) * width) + 1]
    dy = ((np.arange(patch.shape[0], dtype=np.float32) + (top + 0.5)) / height - center[1])[:, None] / size
    dx = ((np.arange(patch.shape[1], dtype=np.float32) + (left + 0.5)) / width - center[0])[None, :] / size
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    distance = _distance(shape, dx * cos + dy * sin, dy * cos - dx * sin) * (size / soft)
    alpha = np.clip(0.5 - distance, 0, 1)[..., None]
    patch += alpha * (np.asarray(color, np.float32) - patch)


def _distance(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Signed distance to a shape of radius 1, negative inside; exact near the outline is enough."""
    if shape not in SHAPES:
        raise ValueError(f"no shape is called {shape!r}")
    across, along = np.abs(u), np.abs(v)
    if shape == "square":
        return np.maximum(across, along) - 0.85
    if shape == "triangle":
        return np.maximum(v - 0.8, (1.8 * across - 0.95 * (v + 1)) / 2.035)
    if shape == "diamond":
        return (across / 0.75 + along - 1) * 0.6
    if shape == "cross":
        return np.minimum(np.maximum(across - 0.3, along - 1), np.maximum(across - 1, along - 0.3))
    if shape == "bar":
        return np.maximum(across - 1, along - 0.33)
    if shape == "hourglass":
        return np.maximum(along - 0.95, (across - 0.1 - 0.85 * along) / 1.31)
    radius = np.hypot(u, v)
    if shape == "circle":
        return radius - 0.95
    if shape == "ring":
        return np.abs(radius - 0.75) - 0.25
    if shape == "moon":
        return np.maximum(radius - 1, 0.8 - np.hypot(u - 0.5, v))
    fifth = np.arctan2(u, -v) / (2 * np.pi) * 5  # star: the outline runs straight from tip to valley in angle
    return (radius - (0.42 + 0.62 * np.abs(2 * (fifth - np.floor(fifth)) - 1))) * 0.6
