"""Sound files with what real files have: mirrored, timed in decoding order, cut off, outlasted by their sound.

Every frame is a grey of `level(index)`, so that what comes out says which frame it is. Each maker takes a folder, a
codec and a container, and says what is right.
"""

import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.videos import constant, level, write_video

FPS, SECONDS = 25.0, 3.0
LEVELS = 3  # of 255: what compression changes; frames next to each other are 7 apart
TIME_S = 0.0015  # a millisecond of the container's clock, and rounding
QUIET = "log-level=none:pools=none:frame-threads=1:scenecut=0:keyint=25"
ENCODERS = {  # with B-frames where the codec has them, a key frame every second
    "h264": ("libx264", {"g": "25", "bf": "2", "crf": "6"}),
    "h264 pyramid": ("libx264", {"x264-params": "keyint=25:bframes=5:b-adapt=0:b-pyramid=normal:scenecut=0"}),
    "h264 open": ("libx264", {"x264-params": "keyint=25:bframes=3:b-adapt=0:open-gop=1:scenecut=0"}),
    "h264 no b": ("libx264", {"g": "25", "bf": "0", "crf": "6"}),
    "hevc": ("libx265", {"x265-params": f"{QUIET}:bframes=3:b-adapt=0"}),
    "hevc open": ("libx265", {"x265-params": f"{QUIET}:keyint=24:bframes=4:b-adapt=0:open-gop=1"}),
    "hevc no b": ("libx265", {"x265-params": f"{QUIET}:bframes=0"}),
    "hevc radl": ("libx265", {"x265-params": f"{QUIET}:bframes=3:b-adapt=0:open-gop=0:radl=2"}),
    "mpeg4": ("mpeg4", {"g": "25", "bf": "2", "qmin": "2", "qmax": "2"}),
    "mpeg4 no b": ("mpeg4", {"g": "25", "qmin": "2", "qmax": "2"}),
    "mpeg4 interlaced": ("mpeg4", {"g": "25", "bf": "2", "qmin": "2", "qmax": "2", "flags": "+ilme+ildct"}),
    "mpeg2": ("mpeg2video", {"g": "25", "bf": "2", "qmin": "2", "qmax": "2"}),
    "mpeg2 interlaced": ("mpeg2video", {"g": "25", "bf": "2", "qmin": "2", "qmax": "2", "flags": "+ilme+ildct"}),
    "h264 interlaced": ("libx264", {"g": "25", "bf": "2", "crf": "6", "x264-params": "interlaced=1"}),
    "mpeg1": ("mpeg1video", {"g": "25", "bf": "2", "qmin": "2", "qmax": "2"}),
    "vp8": ("libvpx", {"g": "25", "deadline": "realtime", "cpu-used": "8", "b": "2M"}),
    "vp9": ("libvpx-vp9", {"g": "25", "deadline": "realtime", "cpu-used": "8", "b": "2M"}),
    "av1": ("libsvtav1", {"preset": "12", "g": "25", "svtav1-params": "lp=1"}),
    "wmv2": ("wmv2", {"g": "25", "qmin": "2", "qmax": "2"}),
    "msmpeg4": ("msmpeg4", {"g": "25", "qmin": "2", "qmax": "2"}),
    "flv1": ("flv", {"g": "25", "qmin": "2", "qmax": "2"}),
    "mjpeg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    "ffv1": ("ffv1", {}),
    "gif": ("gif", {}),
    "apng": ("apng", {}),
    "rv10": ("rv10", {"g": "25", "qmin": "2", "qmax": "2"}),
    "raw": ("rawvideo", {}),
}
PIXELS = {"mjpeg": "yuvj420p", "gif": "rgb8", "apng": "rgb24"}
MATRICES = {  # a, b, c, d of the display matrix, and what it does to a picture
    "as stored": ((1, 0, 0, 1), lambda image: image),
    "turned right": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "turned round": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "turned left": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    "antitransposed": ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
}


@dataclass(frozen=True)
class Made:
    """A file and what is right for it: when each frame is shown, and its number by its grey level."""

    path: Path
    times_s: Sequence[float] = field(default_factory=lambda: constant(SECONDS, FPS))
    numbers: Sequence[int] = tuple(range(round(SECONDS * FPS)))
    statuses: tuple[str, ...] = ("ok",)
    length_s: float | None = SECONDS  # None: not known
    ffmpeg_s: float | None = TIME_S  # by how much ffmpeg's times may differ; None: versions show other frames


def sound(path: Path, codec: str, seconds: float = SECONDS, **how) -> Path:
    """A sound file of grey frames."""
    encoder, options = ENCODERS[codec]
    pix_fmt = PIXELS.get(codec, "yuv420p")
    return write_video(
        path, constant(seconds, FPS), (64, 96), codec=encoder, options=options, pix_fmt=pix_fmt, rate=25, **how
    )


def packets_of(path: Path) -> tuple[list[tuple[int, int, bool, bytes]], Fraction]:
    """(pts, dts, key, data) of a file's video packets, and their time base."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [(one.pts, one.dts, one.is_keyframe, bytes(one)) for one in container.demux(stream) if one.size]
        return packets, stream.time_base


def remuxed(base: Path, path: Path, change: Callable[[int, av.Packet], av.Packet | None], begin: int = 0) -> Path:
    """The packets of a file from number `begin` on in another one; `change(number, packet)` may change each."""
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        for number, packet in enumerate(one for one in reading.demux(stream) if one.size):
            if number >= begin:
                packet.stream = copied
                writing.mux(change(number, packet) or packet)
    return path


def timed_by_decoding(folder: Path, codec: str, kind: str) -> Made:
    """Every packet is presented when it is decoded, by what the container says."""
    base = sound(folder / "base.mkv", codec)
    clock = itertools.count()

    def retimed(_: int, packet: av.Packet) -> None:
        packet.pts = packet.dts = round(next(clock) / FPS / packet.time_base)

    return Made(remuxed(base, folder / f"a.{kind}", retimed), ffmpeg_s=SECONDS)  # it shifts frames until it finds out


def in_avi(folder: Path, codec: str, kind: str) -> Made:
    """A container without presentation times."""
    return Made(sound(folder / f"a.{kind}", codec), ffmpeg_s=2.1 / FPS)  # it shifts the last frames


def cover_first(folder: Path, codec: str, kind: str) -> Made:
    """A small picture is the first of two video streams."""
    base, path = sound(folder / "base.mp4", codec), folder / f"a.{kind}"
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        picture = writing.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 48, 32, "yuvj420p"
        copied = writing.add_stream_from_template(stream)
        copied.disposition = av.stream.Disposition.default
        image = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 5, np.uint8), format="rgb24")
        image.pts, image.time_base = 0, Fraction(1, 1)
        for packet in picture.encode(image) + picture.encode(None):
            writing.mux(packet)
        for packet in reading.demux(stream):
            if packet.size:
                packet.stream = copied
                writing.mux(packet)
    return Made(path, ffmpeg_s=1.1 / FPS if kind == "avi" else TIME_S)


def clock_anew(folder: Path, codec: str, kind: str, later_s: float = 0.0) -> Made:
    """Two recordings in one file: behind the first, the clock begins again, or goes on much later."""
    parts = [sound(folder / f"0.{kind}", codec)]
    parts.append(sound(folder / f"1.{kind}", codec, muxing={"output_ts_offset": str(later_s)} if later_s else {}))
    path = folder / f"a.{kind}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    count = round(SECONDS * FPS)
    return Made(path, constant(2 * SECONDS, FPS), tuple(range(count)) * 2, length_s=2 * SECONDS, ffmpeg_s=1.1 / FPS)


def clock_jumps(folder: Path, codec: str, kind: str) -> Made:
    """The clock goes on an hour later."""
    return clock_anew(folder, codec, kind, 3600.0)


def late(folder: Path, codec: str, kind: str) -> Made:
    """Everything begins five minutes into the container's clock; an mp4 is in fragments of a longer recording."""
    if kind not in ("mp4", "mov"):
        return Made(sound(folder / f"a.{kind}", codec, muxing={"output_ts_offset": "300"}))
    path = sound(folder / f"a.{kind}", codec, muxing={"movflags": "frag_keyframe+empty_moov"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        ticks = round(300 / container.streams.video[0].time_base)
    at = data.find(b"tfdt")
    while at >= 0:
        struct.pack_into(">Q", data, at + 8, struct.unpack_from(">Q", data, at + 8)[0] + ticks)
        at = data.find(b"tfdt", at + 4)
    path.write_bytes(data)
    return Made(path)


def outlasted(folder: Path, codec: str, kind: str) -> Made:
    """Silence goes on for a minute behind the last frame."""
    base = sound(folder / ("base.nut" if codec in ("vp8", "wmv2", "flv1") else "base.mp4"), codec)
    path, rate = folder / f"a.{kind}", 48000 if kind == "webm" else 44100
    sounds = {"webm": "libopus", "wmv": "wmav2", "avi": "mp2", "mpg": "mp2"}
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        audio = writing.add_stream(sounds.get(kind, "aac"), rate=rate)
        audio.layout, audio.bit_rate = "stereo", 64_000
        audio.codec_context.open()
        size = audio.codec_context.frame_size or 1024
        shape = (1, 2 * size) if audio.format.is_packed else (2, size)
        kinds = {"fltp": np.float32, "s16": np.int16, "s16p": np.int16}
        silence = np.zeros(shape, kinds[audio.format.name])
        packets = [packet for packet in reading.demux(stream) if packet.size]
        for packet in packets:
            packet.stream = copied
        for number in range(round(60 * rate / size)):
            frame = av.AudioFrame.from_ndarray(silence, format=audio.format.name, layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, number * size, Fraction(1, rate)
            while packets and packets[0].dts * packets[0].time_base <= number * size / rate:
                writing.mux(packets.pop(0))
            writing.mux(audio.encode(frame))
        writing.mux(audio.encode(None))
    return Made(path, ffmpeg_s=1.1 / FPS if kind == "avi" else TIME_S)


def cut(share: float) -> Callable[[Path, str, str], Made]:
    """The first part of a file. Whatever is left of it, it is never `ok`."""

    def made(folder: Path, codec: str, kind: str) -> Made:
        path = sound(folder / f"a.{kind}", codec)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share) // 188 * 188 + 101])
        return Made(path, statuses=("partial", "failed"), length_s=None)

    return made


def begins_early(folder: Path, codec: str, kind: str) -> Made:
    """A stream cut out of another: it begins with the second key frame, and with what leads that."""
    packets, _ = packets_of(base := sound(folder / "base.ts", codec))
    keys = [number for number, (_, _, key, _) in enumerate(packets) if key]
    path = folder / f"a.{kind}"
    remuxed(base, path, lambda number, packet: None, begin=keys[1])
    return as_decoded(path)


def tuned_into(folder: Path, codec: str, kind: str) -> Made:
    """A recording that begins in the middle of a GOP."""
    path = sound(folder / f"a.{kind}", codec)
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 4 // 188 * 188 :])
    return as_decoded(path)


def as_decoded(path: Path) -> Made:
    """By a plain loop over all frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        frames = [
            (frame.pts * stream.time_base, frame.to_ndarray(format="rgb24").mean())
            for frame in container.decode(stream)
        ]
    times = [float(time - frames[0][0]) for time, _ in frames]
    numbers = [min(range(30), key=lambda index: abs(level(index) - grey)) for _, grey in frames]
    return Made(path, times, numbers, length_s=times[-1] + 1 / FPS, ffmpeg_s=None)


def edited(first: int, count: int) -> Callable[[Path, str, str], Made]:
    """An edit list that shows `count` frames from number `first` on."""

    def made(folder: Path, codec: str, kind: str) -> Made:
        path = sound(folder / f"a.{kind}", codec)
        data = bytearray(path.read_bytes())
        at = data.index(b"elst")
        _, _, _, begin = struct.unpack_from(">IIIi", data, at + 4)
        with av.open(str(path)) as container:
            tick = container.streams.video[0].time_base
        struct.pack_into(">Ii", data, at + 12, round(1000 * count / FPS), begin + round(first / FPS / tick))
        path.write_bytes(data)
        numbers = range(first, first + count)
        return Made(
            path, constant(count / FPS, FPS), numbers, length_s=count / FPS, ffmpeg_s=None if codec == "av1" else 0.0015
        )

    return made


def edited_without_key(folder: Path, codec: str, kind: str) -> Made:
    """An edit list that begins behind a first frame which is called no key frame: what leads up to the next is lost."""
    path = edited(5, 60)(folder, codec, kind).path
    data = bytearray(path.read_bytes())
    at = data.index(b"stss")
    struct.pack_into(">I", data, at + 12, struct.unpack_from(">I", data, at + 16)[0])
    path.write_bytes(data)
    return as_decoded(path)


def odd_message(folder: Path, codec: str, kind: str) -> Made:
    """Before some pictures an SEI message that is longer than it is: FFmpeg logs an error, no pixel depends on it."""
    unit = b"\x06\x05\x40" + bytes(20) + b"\x80" if codec == "h264" else b"\x4e\x01\x05\x40" + bytes(20) + b"\x80"

    prefix = b"\0\0\0\1" if kind == "ts" else len(unit).to_bytes(4, "big")

    def told(number: int, packet: av.Packet) -> av.Packet | None:
        if number % 7 != 3:
            return None
        new = av.Packet(prefix + unit + bytes(packet))
        new.pts, new.dts, new.time_base, new.duration = packet.pts, packet.dts, packet.time_base, packet.duration
        new.stream, new.is_keyframe = packet.stream, packet.is_keyframe
        return new

    return Made(remuxed(sound(folder / f"base.{kind}", codec), folder / f"a.{kind}", told))


def without_container(folder: Path, codec: str, kind: str) -> Made:
    """The packets alone, one behind the other: neither times nor an end, so it may be whole and is not known to be."""
    return Made(sound(folder / f"a.{kind}", codec), statuses=("partial",), length_s=None)


def held(folder: Path, codec: str, kind: str) -> Made:
    """The last frame stays on screen for four seconds."""
    base = sound(folder / "base.mkv", codec)
    presented = [pts for pts, _, _, _ in packets_of(base)[0]]
    last = presented.index(max(presented))

    def stays(number: int, packet: av.Packet) -> None:
        if number == last:
            packet.duration = round(4 / packet.time_base)

    path = remuxed(base, folder / f"a.{kind}", stays)
    return Made(path, length_s=SECONDS - 1 / FPS + 4)


def encrypted(folder: Path, codec: str, kind: str) -> Made:
    """Common encryption, without the key."""
    how = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00112233445566778899aabbccddeeff"}
    path = sound(folder / f"a.{kind}", codec, muxing={**how, "encryption_kid": "ffeeddccbbaa99887766554433221100"})
    return Made(path, statuses=("failed",), length_s=None)


def unchanged(folder: Path, codec: str, kind: str) -> Made:
    """Nothing is wrong with it."""
    return Made(sound(folder / f"a.{kind}", codec), ffmpeg_s=2.1 / FPS if kind == "avi" else TIME_S)
