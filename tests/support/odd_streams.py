"""Sound pictures in streams that say less, or other things, than their packets: each maker is one kind."""

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.support.faulty_files import ENCODERS, FPS, SECONDS, TIME_S, Made, as_decoded, packets_of, remuxed, sound
from tests.support.videos import constant, level, write_video

COUNT = round(SECONDS * FPS)
VOP = b"\0\0\1\xb6"


def replaced(packet: av.Packet, data: bytes) -> av.Packet:
    """A packet with other contents."""
    new = av.Packet(data)
    new.pts, new.dts, new.duration, new.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    new.stream, new.is_keyframe = packet.stream, packet.is_keyframe
    return new


def not_coded(folder: Path, codec: str, kind: str) -> Made:
    """MPEG-4 as Xvid writes it: where a picture stays, a packet says that nothing is coded."""
    stays = [number for number in range(1, COUNT) if number % 5 == 3 and number % 25]
    shown = [number for number in range(COUNT) if number not in stays]
    pictures = [
        np.full((64, 96, 3), level(max(one for one in shown if one <= number)), np.uint8) for number in range(COUNT)
    ]
    encoder, options = ENCODERS[codec]
    base = write_video(
        folder / "base.mp4", constant(SECONDS, FPS), (64, 96), pictures, codec=encoder, options=options, rate=25
    )

    def emptied(number: int, packet: av.Packet) -> av.Packet | None:
        if number not in stays:
            return None
        head, _, content = bytes(packet).partition(VOP)
        bits = "".join(f"{byte:08b}" for byte in content[:4])
        begin = bits[: bits.index("0", 2) + 7]  # kind of picture, whole seconds, marker, ticks of 1/25 s
        bits = begin + "1" + "0" + "0"  # marker, not coded, and padding as the standard has it
        bits += "1" * (-len(bits) % 8)
        return replaced(packet, head + VOP + int(bits, 2).to_bytes(len(bits) // 8, "big"))

    path = remuxed(base, folder / f"a.{kind}", emptied)
    return Made(path, [number / FPS for number in shown], shown, ffmpeg_s=1.1 / FPS if kind == "avi" else TIME_S)


def spliced(broken: bool) -> Callable[[Path, str, str], Made]:
    """HEVC in which a sequence ends before the second key frame, or that is a broken link: what leads it is dropped."""

    def made(folder: Path, codec: str, kind: str) -> Made:
        base = sound(folder / f"base.{kind}", codec)
        second = [number for number, (_, _, key, _) in enumerate(packets_of(base)[0]) if key][1]
        before = b"\0\0\0\1" if kind == "ts" else b"\0\0\0\2"

        def changed(number: int, packet: av.Packet) -> av.Packet | None:
            if number == second - 1 and not broken:
                return replaced(packet, bytes(packet) + before + b"\x48\1")
            if number == second and broken:
                data = bytearray(packet)
                data[data.index(b"\x2a\1")] = 16 << 1  # CRA to BLA
                return replaced(packet, bytes(data))
            return None

        return as_decoded(remuxed(base, folder / f"a.{kind}", changed))

    return made


def borrowed_tables(folder: Path, codec: str, kind: str) -> Made:
    """Motion JPEG in which only pictures 0 and 40 bring the tables that those behind them need; 40 doubles contrast."""
    levels = [level(number) if number < 40 else 128 + (level(number) - 128) // 2 for number in range(COUNT)]
    pictures = [np.full((64, 96, 3), grey, np.uint8) for grey in levels]
    encoder, options = ENCODERS[codec]
    base = write_video(
        folder / "base.mkv",
        constant(SECONDS, FPS),
        (64, 96),
        pictures,
        codec=encoder,
        options={**options, "huffman": "default"},
        pix_fmt="yuvj420p",
        rate=25,
    )

    def told(number: int, packet: av.Packet) -> av.Packet | None:
        data = bytearray(packet)
        if number == 40:
            data[data.index(b"\xff\xdb") + 5] *= 2
        return replaced(packet, bytes(data) if number in (0, 40) else _without_tables(bytes(data)))

    return Made(remuxed(base, folder / f"a.{kind}", told))


def _without_tables(data: bytes) -> bytes:
    kept, at = b"\xff\xd8", 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += b"" if data[at + 1] in (0xDB, 0xC4) else data[at:end]
        at = end
    return kept + data[at:]


def cut_between(folder: Path, codec: str, kind: str) -> Made:
    """An mp4 with its index in front that lacks the last three pictures, and nothing of the others."""
    path = sound(folder / f"a.{kind}", codec, muxing={"movflags": "+faststart"})
    with av.open(str(path)) as container:
        places = sorted(packet.pos for packet in container.demux(video=0) if packet.size)
    path.write_bytes(path.read_bytes()[: places[-3]])
    return Made(path, statuses=("partial",), length_s=None)


def _retimed(folder: Path, codec: str, kind: str, change: Callable[[int], int]) -> Path:
    """A Matroska file or FLV in which `change` makes a cluster's or a tag's milliseconds others."""
    path = sound(folder / f"a.{kind}", codec, muxing={"cluster_time_limit": "1000"} if kind == "mkv" else {})
    data = bytearray(path.read_bytes())
    if kind == "mkv":
        at = data.find(b"\x1f\x43\xb6\x75")
        while at >= 0:
            place = data.index(b"\xe7\x82", at) + 2
            struct.pack_into(">H", data, place, change(struct.unpack_from(">H", data, place)[0]))
            at = data.find(b"\x1f\x43\xb6\x75", at + 4)
    at = 13 if kind == "flv" else len(data)
    while at + 11 < len(data):
        if data[at] == 9:
            time = change(int.from_bytes(data[at + 4 : at + 7], "big"))
            data[at + 4 : at + 8] = (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24])
        at += 15 + int.from_bytes(data[at + 1 : at + 4], "big")
    path.write_bytes(data.replace(b"duration\0", b"-uration\0").replace(b"filesize\0", b"-ilesize\0"))
    return path


def goes_back(folder: Path, codec: str, kind: str) -> Made:
    """From the middle on all times are 290 ms less: which picture is to be shown then, nobody knows."""
    path = _retimed(folder, codec, kind, lambda time: time - 290 if time >= 1000 else time)
    return Made(path, statuses=("partial",), length_s=None)


def wraps(folder: Path, codec: str, kind: str) -> Made:
    """A clock that begins at 300 s and is set to 0 in the middle: FFmpeg takes it to have gone on for 49 days."""
    path = _retimed(folder, codec, kind, lambda time: time + 300_000 if time < 1500 else time - 1500)
    return Made(
        path, ffmpeg_s=None if codec.startswith("h264") else TIME_S
    )  # ffmpeg 5.1 gives H.264's old times again, 9.0 goes on
