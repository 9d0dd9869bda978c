"""How near stored frames are to their source, straight from its planes and over RGB. Run with `make bench-store`.

The source is resampled in double precision: swscale's cubic (0, 0.6), widened where it shrinks, chroma from where the
stream has it, then to RGB, unrounded.
"""

import itertools
import os
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
from refocus.frames.encoding import jpeg
from refocus.video.rgb import RgbConverter
from refocus.video.yuv import YuvScaler, siting

SIZE, QUALITY, EVERY = 384, 90, 12
SHARES = {1: (0.2126, 0.0722)}  # of red and blue in luma; else BT.601
NAMES = ["nasa_13013.mp4", "flipping_a_pancake.mkv", "rotated_90.mov", "av1_video.mkv"]


def cubic(distance):
    x = np.abs(distance)
    near, far = 1.4 * x**3 - 2.4 * x**2 + 1, -0.6 * x**3 + 3 * x**2 - 4.8 * x + 2.4
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def spread(samples, centers, scale):
    """(len(centers), samples) weights of a row of samples, the edges repeated."""
    weights = np.zeros((len(centers), samples))
    reach = int(np.ceil(2 * max(1.0, scale))) + 1
    for row, center in zip(weights, centers, strict=True):
        near = np.arange(int(center) - reach, int(center) + reach + 2)
        value = cubic((near - center) / max(1.0, scale))
        np.add.at(row, near.clip(0, samples - 1), value / value.sum())
    return weights


def exact(frame):
    """(SIZE, SIZE, 3) float RGB of an 8-bit 4:2:0 frame in limited range."""
    place = siting(frame)
    across = 0.0 if "left" in place else 0.5
    down = 0.0 if "top" in place else 1.0 if "bottom" in place else 0.5
    x, y = ((np.arange(SIZE) + 0.5) * side / SIZE - 0.5 for side in (frame.width, frame.height))
    steps = frame.width / SIZE, frame.height / SIZE
    scaled = []
    for number, plane in enumerate(frame.planes):
        pixels = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].astype(float)
        half = 2 if number else 1
        columns = spread(plane.width, (x - across) / 2 if number else x, steps[0] / half)
        rows = spread(plane.height, (y - down) / 2 if number else y, steps[1] / half)
        scaled.append(rows @ pixels @ columns.T)
    luma, u, v = (scaled[0] - 16) * 255 / 219, (scaled[1] - 128) * 255 / 224, (scaled[2] - 128) * 255 / 224
    of_red, of_blue = SHARES.get(frame.colorspace, (0.299, 0.114))
    red, blue = luma + 2 * (1 - of_red) * v, luma + 2 * (1 - of_blue) * u
    green = (luma - of_red * red - of_blue * blue) / (1 - of_red - of_blue)
    return np.clip(np.stack([red, green, blue], -1), 0, 255)


@pytest.mark.parametrize("name", NAMES)
def test_stored_frames_and_their_source(name):
    path = Path(os.environ.get("REFOCUS_TEST_DATA", "")) / "videos" / name
    if not path.is_file():
        pytest.skip("no real data (set REFOCUS_TEST_DATA)")
    with av.open(str(path)) as container:
        frames = list(itertools.islice(container.decode(video=0), 0, 400, EVERY))
    turns = round(frames[0].rotation / 90)
    truth = [np.rot90(exact(frame), turns) for frame in frames]
    lines = [f"\n{name}: {len(frames)} frames", f"{'':8}{'PSNR':>8}{'bytes':>8}{'scale ms':>10}{'JPEG ms':>9}"]
    quality = {}
    for way, convert in {"RGB": RgbConverter(SIZE), "planes": YuvScaler(SIZE)}.items():
        spent, sizes, errors = [], [], []
        for frame, wanted in zip(frames, truth, strict=True):
            begin = time.process_time()
            image = convert(frame)
            middle = time.process_time()
            file = jpeg(image, QUALITY)
            spent.append((middle - begin, time.process_time() - middle))
            sizes.append(len(file))
            errors.append(np.mean((simplejpeg.decode_jpeg(file, "RGB") - wanted) ** 2))
        quality[way] = 10 * np.log10(255**2 / np.mean(errors))
        scaling, encoding = (1e3 * np.median(part) for part in zip(*spent, strict=True))
        lines.append(f"{way:8}{quality[way]:8.2f}{np.mean(sizes):8.0f}{scaling:10.2f}{encoding:9.2f}")
    sys.stdout.write("\n".join(lines) + "\n")
    assert quality["planes"] > quality["RGB"] - 0.6
