"""Which AV1 packets no other needs. FFmpeg's decoders do not discard within a GOP, and its filters do not tell.

A frame that refreshes none of the eight reference slots leaves nothing behind, neither pixels nor statistics
(AV1 specification 7.20), so a decoder that never sees it gives the same other frames. Half of a hierarchy is such.
"""

from dataclasses import dataclass

from refocus.video.bits import Bits

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6  # OBU types
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # frame types
_SELECT = 2  # of what a sequence leaves to its frames


@dataclass(frozen=True)
class _Sequence:
    """What of a sequence header decides how a frame header is read."""

    id_bits: int
    order_bits: int
    screen_content: int
    integer_mv: int


class Av1Packets:
    """Says of every packet, in decoding order, whether no other needs it."""

    def __init__(self, extradata: bytes | None) -> None:
        """
        Args:
            extradata: the container's (av1C, whose sequence header stands behind four bytes).
        """
        self.sequence: _Sequence | None = None
        self.unneeded((extradata or b"")[4:])

    def unneeded(self, data: bytes) -> bool:
        """Whether the packet is a single shown frame that refreshes no reference; False where that is not certain."""
        frames = 0
        refreshed = True
        try:
            for kind, content in _units(data):
                if kind == _SEQUENCE:
                    self.sequence = _sequence(Bits(content[:64]))
                elif kind in (_FRAME, _FRAME_HEADER):
                    frames += 1
                    refreshed = self.sequence is None or _refreshes(Bits(content[:32]), self.sequence)
        except (ValueError, IndexError):
            return False
        return frames == 1 and not refreshed


def _units(data: bytes) -> list[tuple[int, bytes]]:
    """Type and content of a packet's OBUs (specification 5.3)."""
    units, at = [], 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size = shift = 0
            while True:
                size |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if not data[at - 1] & 128:
                    break
        units.append((head >> 3 & 15, data[at : at + size]))
        at += size
    return units


def _sequence(bits: Bits) -> _Sequence | None:
    """Specification 5.5; None for what is not read here: still pictures and decoder models."""
    bits.read(4)  # profile, still_picture
    if bits.read(1):  # reduced_still_picture_header
        return None
    if bits.read(1):  # timing_info
        bits.read(64)
        if bits.read(1):  # equal_picture_interval
            bits.variable()
        if bits.read(1):  # decoder_model_info: buffer times follow in every frame
            return None
    delays = bits.read(1)  # initial_display_delay
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delays and bits.read(1):
            bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits)
    bits.read(height_bits)
    id_bits = bits.read(4) + bits.read(3) + 3 if bits.read(1) else 0
    bits.read(3)  # superblocks, filter_intra, intra_edge_filter
    bits.read(4)  # interintra, masked, warped, dual_filter
    ordered = bits.read(1)
    if ordered:
        bits.read(2)  # jnt_comp, ref_frame_mvs
    screen_content = _SELECT if bits.read(1) else bits.read(1)
    integer_mv = _SELECT
    if screen_content and not bits.read(1):
        integer_mv = bits.read(1)
    return _Sequence(id_bits, bits.read(3) + 1 if ordered else 0, screen_content, integer_mv)


def _refreshes(bits: Bits, sequence: _Sequence) -> bool:
    """Whether a frame changes a reference slot, or is not shown (specification 5.9.2)."""
    if bits.read(1):  # show_existing_frame: costs nothing, and a key frame refreshes all
        return True
    kind, shown = bits.read(2), bits.read(1)
    if not shown or kind in (_KEY, _SWITCH):
        return True
    resilient = bits.read(1)
    bits.read(1)  # disable_cdf_update
    screen_content = bits.read(1) if sequence.screen_content == _SELECT else sequence.screen_content
    if screen_content and sequence.integer_mv == _SELECT:
        bits.read(1)
    bits.read(sequence.id_bits)
    bits.read(1)  # frame_size_override
    bits.read(sequence.order_bits)
    if not resilient and kind != _INTRA_ONLY:
        bits.read(3)  # primary_ref_frame
    return bits.read(8) != 0
