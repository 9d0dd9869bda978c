"""Whether others depend on a packet, read from the first bytes of its pictures.

Container flags are no help: the mp4 muxer marks no packet as disposable, and a keyframe flag does not say whether
decoding may begin there. A codec that is not known here has no reader, and its files are decoded in order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from av.packet import Packet

from refocus.video.bits import Bits

RASL, RADL = "rasl", "radl"  # HEVC's leading pictures: those that need the GOP before theirs, and those that do not
INTRA = {"mjpeg", "prores", "dnxhd", "png", "rawvideo", "v210", "jpeg2000"}
HEVC_REFERENCE_FROM = 16  # below it, even types are not predicted from within their sub-layer
_PARAMETERS_H264, _PARAMETERS_HEVC = (7, 8), (32, 33, 34)


@dataclass(frozen=True)
class Role:
    """One packet's place among the others.

    `restart`: decoding may begin here, and every picture presented later comes out exact. `reference`: pictures of the
    same `level` (temporal sub-layer) may be predicted from it; no picture is predicted from a higher level. `leading`:
    RASL, RADL or None, where the presentation time tells. `shown`: a picture comes out of it.
    """

    restart: bool = False
    reference: bool = True
    level: int = 0
    leading: str | None = None
    shown: bool = True


role = cache(Role)  # a video has a handful of different roles and many packets
Reader = Callable[[Packet], Role | None]  # None: not one whole picture


def reader(codec: str, extradata: bytes | None) -> Reader | None:
    """What reads the roles of a codec's packets, None for codecs that are decoded in order."""
    if codec in INTRA:
        return lambda packet: role(restart=True, reference=False)
    makers: dict[str, Callable[[bytes], Reader]] = {
        "h264": _H264,
        "hevc": _Hevc,
        "vp8": lambda _: _vp8,
        "vp9": lambda _: _vp9,
        "libdav1d": lambda _: _av1,
        "av1": lambda _: _av1,
        "mpeg4": _Mpeg4,
        "mpeg2video": lambda _: _mpeg2,
        "mpeg1video": lambda _: _mpeg2,
    }
    maker = makers.get(codec)
    return maker(extradata or b"") if maker else None


class _Parameters:
    """Which parameter sets are in force, so that decoding never begins behind one it would miss."""

    def __init__(self, known: set[bytes]) -> None:
        self.in_force = known
        self.changed = False

    def take(self, sets: list[bytes]) -> bool:
        """Notes a packet's parameter sets; whether they say something new."""
        if not sets or all(one in self.in_force for one in sets):
            return False
        self.changed = True
        self.in_force = set(sets)
        return True


class _H264:
    """H.264, length-prefixed or Annex B, progressive: fields may come in packets of their own."""

    def __init__(self, extradata: bytes) -> None:
        self.prefix = extradata[4] % 4 + 1 if extradata[:1] == b"\1" and len(extradata) > 6 else 0
        sets = [one.rstrip(b"\0") for one in (_avcc_sets(extradata) if self.prefix else _pieces(extradata))]
        self.parameters = _Parameters({one for one in sets if one and one[0] & 31 in _PARAMETERS_H264})
        self.progressive = all(_frames_only(one) for one in sets if one and one[0] & 31 == 7)

    def __call__(self, packet: Packet) -> Role | None:
        data = bytes(packet)
        pictures = idr = referenced = 0
        intra = recovers = False
        sets: list[bytes] = []
        for start, end in _units(data, self.prefix):
            kind = data[start] & 31
            if kind in (1, 5):
                pictures += data[start + 1] >> 7  # first_mb_in_slice = 0
                idr |= kind == 5
                referenced |= data[start] & 0x60
                intra = intra or (recovers and _intra_slice(data[start + 1 : start + 12]))
            elif kind in _PARAMETERS_H264:
                sets.append(data[start:end].rstrip(b"\0"))
                self.progressive = self.progressive and (kind == 8 or _frames_only(sets[-1]))
            elif kind == 6:
                recovers = recovers or _recovers(data[start + 1 : end])
            elif kind in (2, 3, 4):
                return None
        if pictures != 1 or not self.progressive:
            return None
        news = self.parameters.take(sets)
        complete = not self.parameters.changed or {one[0] & 31 for one in sets} == set(_PARAMETERS_H264)
        return role(restart=bool(idr or intra) and complete, reference=bool(referenced or news))


class _Hevc:
    """HEVC, length-prefixed or Annex B; only the base layer counts."""

    def __init__(self, extradata: bytes) -> None:
        boxed = len(extradata) > 22 and extradata[:3] not in (b"\0\0\1", b"\0\0\0")
        self.prefix = extradata[21] % 4 + 1 if boxed else 0
        sets = [one.rstrip(b"\0") for one in (_hvcc_sets(extradata) if boxed else _pieces(extradata))]
        self.parameters = _Parameters({one for one in sets if one and one[0] >> 1 & 63 in _PARAMETERS_HEVC})

    def __call__(self, packet: Packet) -> Role | None:
        data = bytes(packet)
        pictures, picture, level = 0, -1, 0
        sets: list[bytes] = []
        for start, end in _units(data, self.prefix):
            kind, layer = data[start] >> 1 & 63, (data[start] & 1) << 5 | data[start + 1] >> 3
            if layer:
                continue
            if kind < 32 and end - start > 2:
                pictures += data[start + 2] >> 7  # first_slice_segment_in_pic_flag
                picture, level = kind, (data[start + 1] & 7) - 1
            elif kind in _PARAMETERS_HEVC:
                sets.append(data[start:end].rstrip(b"\0"))
            elif kind == 36:  # end of sequence: what leads the next picture is dropped
                return None
        if pictures != 1:
            return None
        news = self.parameters.take(sets)
        complete = not self.parameters.changed or {one[0] >> 1 & 63 for one in sets} >= {33, 34}
        return role(
            restart=16 <= picture <= 21 and complete,
            reference=picture >= HEVC_REFERENCE_FROM or picture % 2 == 1 or news,
            level=0 if news else level,
            leading=RADL if picture in (6, 7) else RASL if picture in (8, 9) else None,
        )


class _Mpeg4:
    """MPEG-4 part 2. B-VOPs are never referenced; a packet with two VOPs (packed B-frames) is not one picture."""

    def __init__(self, extradata: bytes) -> None:
        self.inband = False

    def __call__(self, packet: Packet) -> Role | None:
        data = bytes(packet)
        start = data.find(b"\0\0\1\xb6")
        if start < 0 or start + 4 >= len(data) or data.find(b"\0\0\1\xb6", start + 4) >= 0:
            return None
        layer = any(0x20 <= data[unit] < 0x30 for unit, _ in _annex_b(data[:start]))
        self.inband = self.inband or layer
        kind = data[start + 4] >> 6  # I, P, B, S
        return role(restart=kind == 0 and (layer or not self.inband), reference=kind != 2 or layer)


def _mpeg2(packet: Packet) -> Role | None:
    data = bytes(packet)
    pictures, kind, sequence, matrices = 0, 0, False, False
    for start, end in _annex_b(data):
        code = data[start]
        if code == 0 and end - start > 2:
            pictures += 1
            kind = data[start + 2] >> 3 & 7
        elif code == 0xB3:
            sequence = True
        elif code == 0xB5 and end - start > 3:
            extension = data[start + 1] >> 4
            matrices = matrices or extension == 3
            if extension == 8 and data[start + 3] & 3 != 3:  # a field, not a frame
                return None
    if pictures != 1:
        return None
    return role(restart=kind == 1 and sequence, reference=kind != 3 or matrices)


def _vp8(packet: Packet) -> Role | None:
    head = bytes(memoryview(packet)[:1])
    return role(restart=not head[0] & 1, shown=bool(head[0] & 16)) if head else None


def _vp9(packet: Packet) -> Role | None:
    bits = Bits(bytes(memoryview(packet)[:2]))
    if bits.read(2) != 2:
        return None
    profile = bits.read(1) | bits.read(1) << 1
    if profile == 3:
        bits.read(1)
    again = bits.read(1)
    return role(restart=not again and not bits.read(1))


def _av1(packet: Packet) -> Role | None:
    data = bytes(memoryview(packet)[:4096])
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size, shift = 0, 0
        while sized:
            if at >= len(data):
                return None
            size |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 128:
                break
        if kind in (3, 6):  # a frame header
            return role(restart=at < len(data) and data[at] >> 4 == 1)  # new, a key frame, shown
        if not sized:
            return None
        at += size
    return None


def _units(data: bytes, prefix: int) -> Iterator[tuple[int, int]]:
    """(start, end) of the NAL units of a packet; nothing if the lengths do not add up."""
    if not prefix:
        yield from _annex_b(data)
        return
    at = 0
    while at + prefix < len(data):
        start = at + prefix
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            return
        if at - start >= 2:
            yield start, at


def _annex_b(data: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of what lies between start codes; units too short to mean something are left out."""
    start = data.find(b"\0\0\1") + 3
    while start >= 3:
        after = data.find(b"\0\0\1", start)
        end = len(data) if after < 0 else after
        if end - start >= 2:
            yield start, end
        start = after + 3


def _pieces(extradata: bytes) -> Iterator[bytes]:
    return (extradata[start:end] for start, end in _annex_b(extradata))


def _avcc_sets(extradata: bytes) -> Iterator[bytes]:
    at = 5
    for mask in (31, 255):
        if at >= len(extradata):
            return
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            yield extradata[at + 2 : at + 2 + size]
            at += 2 + size


def _hvcc_sets(extradata: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(extradata[22]):
        count = int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            yield extradata[at + 2 : at + 2 + size]
            at += 2 + size
            if at > len(extradata):
                return


def _intra_slice(head: bytes) -> bool:
    bits = Bits(head.replace(b"\0\0\3", b"\0\0"))
    bits.golomb()
    return bits.golomb() in (2, 7)


def _recovers(sei: bytes) -> bool:
    """Whether a recovery point promises exact pictures from its own picture on."""
    sei = sei.replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(sei):
        kind = size = 0
        while at < len(sei) and sei[at] == 255:
            kind, at = kind + 255, at + 1
        if at >= len(sei):
            return False
        kind, at = kind + sei[at], at + 1
        while at < len(sei) and sei[at] == 255:
            size, at = size + 255, at + 1
        if at >= len(sei):
            return False
        size, at = size + sei[at], at + 1
        if kind == 6:
            bits = Bits(sei[at : at + size])
            return bits.golomb() == 0 and bits.read(1) == 1
        at += size
    return False


def _frames_only(sps: bytes) -> bool:
    """frame_mbs_only_flag of an H.264 sequence parameter set."""
    bits = Bits(sps.replace(b"\0\0\3", b"\0\0"), 32)
    profile = sps[1] if len(sps) > 1 else 0
    bits.golomb()  # its number
    if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
        chroma = bits.golomb()
        if chroma == 3:
            bits.read(1)
        bits.golomb(), bits.golomb(), bits.read(1)
        if bits.read(1):
            for index in range(8 if chroma != 3 else 12):
                if bits.read(1):
                    _skip_scaling(bits, 16 if index < 6 else 64)
    bits.golomb()  # log2_max_frame_num
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.read(1), bits.golomb(), bits.golomb()
        for _ in range(min(255, bits.golomb())):
            bits.golomb()
    bits.golomb(), bits.read(1), bits.golomb(), bits.golomb()  # references, gaps, width, height
    return bits.read(1) == 1


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (code + 1) // 2 * (1 if code % 2 else -1)) % 256
        last = following or last
