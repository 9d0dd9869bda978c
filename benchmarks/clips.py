"""The clips the decoder is measured on: rendered once into a folder, the same bytes for the same encoder releases."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from refocus.core.progress import bar

RATE = 30


@dataclass(frozen=True)
class Recipe:
    """One clip: how long, how large, by which encoder."""

    seconds: int
    width: int
    height: int
    codec: str
    options: dict[str, str]
    calm: bool = False  # hardly anything moves, as in a lecture


REALTIME = {"deadline": "realtime", "cpu-used": "8"}
LAYERS = {  # as in a call: each frame of the upper layers is needed by none below
    "error-resilient": "1",
    "ts-parameters": "ts_number_layers=3:ts_target_bitrate=250,500,1000:ts_layering_mode=3",
}
X265 = "log-level=none:pools=none:frame-threads=1"
RECIPES = {
    "H.264 720p, GOP 30": Recipe(40, 1280, 720, "libx264", {"preset": "veryfast", "b": "2200k", "g": "30"}),
    "H.264 720p, GOP 250": Recipe(40, 1280, 720, "libx264", {"preset": "veryfast", "b": "2200k", "g": "250"}),
    "H.264 360p, GOP 150": Recipe(45, 640, 360, "libx264", {"preset": "veryfast", "b": "900k", "g": "150"}),
    "H.264 720p, 10 min": Recipe(600, 1280, 720, "libx264", {"preset": "veryfast", "crf": "28", "g": "250"}, calm=True),
    "HEVC 720p": Recipe(40, 1280, 720, "libx265", {"preset": "veryfast", "b": "1500k", "x265-params": X265}),
    "VP9 720p": Recipe(
        40, 1280, 720, "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "b": "1500k", "g": "128"}
    ),
    "AV1 720p": Recipe(40, 1280, 720, "libsvtav1", {"preset": "10", "crf": "38", "g": "160", "svtav1-params": "lp=1"}),
}
SMALL = (20, 640, 360)
DISCARD_RECIPES = {  # kinds of streams that differ in what a decoder may leave out
    "H.264": Recipe(*SMALL, "libx264", {"preset": "veryfast", "g": "250"}),
    "H.264 open GOP": Recipe(*SMALL, "libx264", {"x264-params": "open-gop=1:keyint=60:bframes=5:b-pyramid=normal"}),
    "H.264 interlaced": Recipe(*SMALL, "libx264", {"x264-params": "interlaced=1:tff=1:keyint=60:bframes=3"}),
    "HEVC open GOP": Recipe(*SMALL, "libx265", {"preset": "superfast", "x265-params": f"{X265}:keyint=60:bframes=4"}),
    "MPEG-2": Recipe(*SMALL, "mpeg2video", {"g": "15", "bf": "2", "b": "6M"}),
    "MPEG-4": Recipe(*SMALL, "mpeg4", {"g": "60", "bf": "2", "b": "3M"}),
    "VP8": Recipe(*SMALL, "libvpx", {**REALTIME, "g": "120", "b": "2M"}),
    "VP9": Recipe(*SMALL, "libvpx-vp9", {**REALTIME, "g": "120", "b": "1M"}),
    "VP9, layers in time": Recipe(*SMALL, "libvpx-vp9", {**REALTIME, "g": "120", "b": "1M", **LAYERS}),
    "AV1": Recipe(*SMALL, "libsvtav1", {"preset": "12", "crf": "38", "g": "120", "svtav1-params": "lp=1"}),
}

MINUTE = "H.264 720p, 1 min"  # what `long_video` repeats for questions about videos of any length
MINUTE_RECIPE = Recipe(60, 1280, 720, "libx264", {"preset": "veryfast", "b": "1500k", "g": "150"})


def rendered(name: str, folder: Path) -> Path:
    """The clip's file, rendered if it is not there yet."""
    recipe = {**RECIPES, **DISCARD_RECIPES, MINUTE: MINUTE_RECIPE}[name]
    extension = {"libvpx-vp9": "webm", "libvpx": "webm", "libsvtav1": "mkv"}.get(recipe.codec, "mp4")
    stem = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    path = folder / f"{stem}.{extension}"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    with av.open(str(draft), "w", format={"webm": "webm", "mkv": "matroska"}.get(extension, "mp4")) as container:
        stream = container.add_stream(recipe.codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        stream.options = recipe.options
        stream.codec_context.thread_count = 1
        count = recipe.seconds * RATE
        for pts, planes in enumerate(bar(_pictures(recipe, count), total=count, desc=name, unit="frame")):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = pts, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    draft.rename(path)
    return path


def long_video(source: Path, folder: Path, seconds: int) -> Path:
    """A video of minutes or hours: the packets of a short one, over and over."""
    path = folder / f"{source.stem}_for_{seconds}_s.mp4"
    if path.is_file():
        return path
    draft = path.with_name(f".{path.name}")
    with av.open(str(source)) as reading, av.open(str(draft), "w", format="mp4") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        packets = [(p.pts, p.dts, p.duration, p.is_keyframe, bytes(p)) for p in reading.demux(stream) if p.size]
        length = round(len(packets) / RATE / stream.time_base)
        for lap in bar(range(seconds * RATE // len(packets)), desc="long video", unit="lap"):
            for pts, dts, duration, key, data in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.duration = pts + lap * length, dts + lap * length, duration
                packet.time_base, packet.stream, packet.is_keyframe = stream.time_base, copied, key
                writing.mux(packet)
    draft.rename(path)
    return path


def _pictures(recipe: Recipe, count: int):
    """Planar 4:2:0 frames: a panning ground, boxes that move over it, some grain; or one box on a still ground."""
    rng = np.random.default_rng(7)
    width, height = recipe.width, recipe.height
    wide, high = width + 256, height + 256
    coarse = rng.integers(30, 220, (high // 32 + 1, wide // 32 + 1), np.uint8)
    luma = np.kron(coarse, np.ones((32, 32), np.uint8))[:high, :wide].astype(np.int16)
    luma += rng.integers(-12, 13, (high, wide), np.int16)
    luma = luma.clip(16, 235).astype(np.uint8)
    chroma = np.kron(
        rng.integers(70, 186, (2, high // 32 + 1, wide // 32 + 1), np.uint8), np.ones((1, 16, 16), np.uint8)
    )
    grain = rng.integers(0, 5, (4, height, width), np.uint8)
    for index in range(count):
        top, left = (0, 0) if recipe.calm else _pan(index)
        planes = np.empty((height * 3 // 2, width), np.uint8)
        planes[:height] = luma[top : top + height, left : left + width]
        if not recipe.calm:
            planes[:height] += grain[index % 4]
        flat = planes[height:].reshape(2, height // 2, width // 2)
        flat[:] = chroma[:, top // 2 : top // 2 + height // 2, left // 2 : left // 2 + width // 2]
        for box in range(1 if recipe.calm else 6):
            speed, side = 3 + 2 * box, height // 6
            x = (index * speed + box * 97) % (width - side) // 2 * 2
            y = (index * (box + 1) + box * 61) % (height - side) // 2 * 2
            planes[y : y + side, x : x + side] = 40 + 30 * box
            flat[:, y // 2 : (y + side) // 2, x // 2 : (x + side) // 2] = 90 + 12 * box
        yield planes


def _pan(index: int) -> tuple[int, int]:
    return int(128 + 100 * np.sin(index / 90)) // 2 * 2, int(128 + 100 * np.cos(index / 70)) // 2 * 2
