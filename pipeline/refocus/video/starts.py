"""What FFmpeg does not say of a packet: whether decoding may begin at it, and whether it gives exactly one frame.

A key frame flag is not enough. In H.264 it is also set on recovery points, which may promise pictures that are only
nearly right; and a stream may go on with parameter sets or tables that were sent once, in a packet that is skipped.
"""

from collections.abc import Iterator

from av.packet import Packet

_INTER = {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg1video", "mpeg2video", "mpeg4", "flv", "wmv1", "wmv2"}
_OLDER_INTER = {"msmpeg4", "theora", "rv20", "snow", "gif", "apng"}
_INTRA = {"mjpeg", "prores", "dnxhd", "png", "rawvideo", "v210", "jpeg2000", "ffv1"}
_OLDER_INTRA = {"dvvideo", "huffyuv", "utvideo", "asv2"}
# From a key packet on, with unreferenced frames discarded, they gave the frames that a decode of the whole file gives.
SELECTIVE_CODECS = _INTER | _OLDER_INTER | _INTRA | _OLDER_INTRA
_H264_SETS, _HEVC_SETS = {7, 8}, {33, 34}  # SPS and PPS
_HEVC_BROKEN, _HEVC_ENDS = {16, 17, 18}, {36, 37}  # BLA pictures; end of sequence, of bitstream
_HEVC_END_UNITS = tuple(before + end for before in (b"\0\0\1", b"\0\0\2") for end in (b"\x48\1", b"\x4a\1"))
_HEVC_DROPS_EARLIER = 0x40  # no_output_of_prior_pics_flag of a picture at which decoding may begin
_START_CODE = b"\0\0\1"
_JPEG_QUANTISERS, _JPEG_CODES, _JPEG_SCAN = 0xDB, 0xC4, 0xDA  # segments of a JPEG picture
_EMPTY_VOP = 6  # bytes behind the start code of a picture that is not coded, at most
_MPEG4_VOP, _MPEG_PICTURE, _MPEG_SEQUENCE = b"\0\0\1\xb6", b"\0\0\1\0", b"\0\0\1\xb3"


def is_hidden(codec: str, packet: Packet) -> bool:
    """Whether a packet is only a reference (VP8's alternate reference frames): no frame comes out of it."""
    return codec == "vp8" and not memoryview(packet)[0] & 16


def is_packed(codec: str, packet: Packet) -> bool:
    """Whether a packet holds two pictures (MPEG-4 with packed B-frames, as in AVI): its time is not theirs."""
    return codec == "mpeg4" and bytes(packet).count(_MPEG4_VOP) > 1


def is_empty(codec: str, packet: Packet) -> bool:
    """Whether a packet holds a picture that is not coded (MPEG-4, as Xvid writes it where nothing moves).

    No frame comes out of it, and those around it may come out at other times than their packets'.
    """
    return codec == "mpeg4" and packet.size < 64 and 0 < len(bytes(packet).partition(_MPEG4_VOP)[2]) <= _EMPTY_VOP


class CleanStarts:
    """Says of every packet, in decoding order, whether decoding may begin at it and all later frames come out exact."""

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        """
        Args:
            codec: FFmpeg's name of the decoder.
            extradata: the container's, with the parameter sets that are in force at the beginning.
        """
        self.codec = codec
        self.extradata = extradata or b""
        self.changed = False  # headers came that extradata does not have
        self.spliced = False  # pictures may be dropped here, so that packets do not say which frames come out
        self._begun = self._ended = False  # HEVC: a picture was met; its sequence has ended
        self._size: bytes | None = None  # MPEG: what the last sequence header says of it
        self._codes = False  # MJPEG: a picture brought codes of its own
        self.length_size = _length_size(codec, self.extradata)  # bytes before each NAL unit; 0: Annex B

    def __call__(self, packet: Packet) -> bool:
        """Whether `packet` is a clean start, as far as its headers tell."""
        if self.codec == "h264":
            return self._h264(bytes(packet)) and packet.is_keyframe
        if self.codec == "hevc":
            return self._hevc(bytes(packet)) and packet.is_keyframe
        if self.codec == "mjpeg":
            return self._mjpeg(bytes(packet)) and packet.is_keyframe
        if self.codec in ("mpeg1video", "mpeg2video"):
            return packet.is_keyframe and self._mpeg(bytes(packet).partition(_MPEG_PICTURE)[0])
        if self.codec == "mpeg4":
            head = bytes(packet).partition(_MPEG4_VOP)[0]
            layers = [unit for unit in _nal_units(head, 0) if 0x20 <= unit[0] < 0x30]
            return self._knows_headers(layers, bool(layers)) and packet.is_keyframe
        return packet.is_keyframe

    def _h264(self, data: bytes) -> bool:
        headers, exact = [], False
        for unit in _nal_units(data, self.length_size):
            kind = unit[0] & 31
            if 1 <= kind <= 5:  # a slice; what describes the picture comes before it
                exact = exact or kind == 5
                break
            exact = exact or (kind == 6 and _promises_exact_pictures(unit[1:]))
            headers += [unit] * (kind in _H264_SETS)
        return self._knows_headers(headers, {unit[0] & 31 for unit in headers} >= _H264_SETS) and exact

    def _hevc(self, data: bytes) -> bool:
        headers, random_access = [], False
        self.spliced = self.spliced or self._ended
        for unit in _nal_units(data, self.length_size):
            kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
            if layer:  # of another view or resolution
                continue
            self.spliced = self.spliced or kind in _HEVC_BROKEN or kind in _HEVC_ENDS
            if kind < 32:
                random_access = 16 <= kind <= 21
                drops = 16 <= kind <= 23 and len(unit) > 2 and unit[2] & _HEVC_DROPS_EARLIER
                self.spliced, self._begun = self.spliced or bool(drops and self._begun), True
                break
            headers += [unit] * (32 <= kind <= 34)
        self._ended = data.rstrip(b"\0").endswith(_HEVC_END_UNITS)
        return self._knows_headers(headers, {unit[0] >> 1 & 63 for unit in headers} >= _HEVC_SETS) and random_access

    def _mpeg(self, head: bytes) -> bool:
        """Whether a sequence header is among what stands before a picture; one of another size drops a frame."""
        _, found, behind = head.partition(_MPEG_SEQUENCE)
        if found:
            self.spliced = self.spliced or self._size not in (None, behind[:3])
            self._size = behind[:3]
        return bool(found)

    def _mjpeg(self, data: bytes) -> bool:
        """Whether a picture brings the tables that it needs, which otherwise hold from the pictures before."""
        quantisers, codes, at = False, False, 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _JPEG_SCAN and not (quantisers and codes):
            quantisers, codes = quantisers or data[at + 1] == _JPEG_QUANTISERS, codes or data[at + 1] == _JPEG_CODES
            at += 2 + (data[at + 2] << 8 | data[at + 3])
        self._codes = self._codes or codes
        return quantisers and (codes or not self._codes)

    def _knows_headers(self, headers: list[bytes], complete: bool) -> bool:
        """Whether a decoder that begins here has the headers in force: those of extradata, or the packet's own."""
        self.changed = self.changed or any(unit.rstrip(b"\0") not in self.extradata for unit in headers)
        return complete or not self.changed


def _nal_units(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a packet, of at least two bytes each; none behind lengths that do not add up."""
    at = 0
    while length_size and at + length_size < len(data):
        start = at + length_size
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            return
        if at - start >= 2:
            yield data[start:at]
    start = -1 if length_size else data.find(_START_CODE)
    while start >= 0:
        behind = data.find(_START_CODE, start + 3)
        unit = data[start + 3 : behind if behind >= 0 else len(data)]
        if len(unit) >= 2:
            yield unit
        start = behind


def _length_size(codec: str, extradata: bytes) -> int:
    """How many bytes of length stand before a NAL unit in mp4 and Matroska (avcC, hvcC); 0 for start codes."""
    if codec == "h264" and extradata[:1] == b"\1" and len(extradata) > 6:
        return extradata[4] % 4 + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[:3] not in (_START_CODE, b"\0\0\0"):
        return extradata[21] % 4 + 1
    return 0


def _promises_exact_pictures(sei: bytes) -> bool:
    """Whether an SEI unit has a recovery point with recovery_frame_cnt 0 and exact_match_flag 1 (H.264 D.1.8)."""
    sei = sei.replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(sei):
        kind, at = _sei_number(sei, at)
        size, at = _sei_number(sei, at)
        if kind == 6:
            return at < len(sei) and sei[at] >> 6 == 0b11  # ue(0) is one bit, 1
        at += size
    return False


def _sei_number(sei: bytes, at: int) -> tuple[int, int]:
    """A payload's type or size, and where it ends: 255 for every byte ff, and the first other byte."""
    end = at
    while end < len(sei) and sei[end] == 255:
        end += 1
    return 255 * (end - at) + (sei[end] if end < len(sei) else 0), end + 1
