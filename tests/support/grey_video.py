"""A video whose frames tell their number by their grey."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np


def write_greys(path: Path, numbers: Iterable[int], width: int = 64, height: int = 48, rate: int = 10) -> Path:
    """Frame by frame the grey 8 · number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in numbers:
            image = np.full((height, width, 3), 8 * number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path
