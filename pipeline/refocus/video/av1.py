"""What of AV1 packets no other needs. FFmpeg's decoders do not discard within a GOP, and its filters do not tell.

A frame that refreshes none of the eight reference slots leaves nothing behind, neither pixels nor statistics
(AV1 specification 7.20), so a decoder that never sees it gives the same other frames. Half of a hierarchy is such,
and half of those come in one packet with hidden frames that others do need: of these the packet's beginning is sent.
"""

from dataclasses import dataclass

from refocus.video.bits import Bits

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6  # OBU types
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # frame types
_SIZE_BYTES = 8  # of an OBU's size, at most (specification 4.10.5)
_SELECT = 2  # of what a sequence leaves to its frames


@dataclass(frozen=True)
class _Sequence:
    """What of a sequence header decides how a frame header is read."""

    id_bits: int
    order_bits: int
    screen_content: int
    integer_mv: int


class Av1Packets:
    """Says of every packet, in decoding order, how much of it others need."""

    def __init__(self, extradata: bytes | None) -> None:
        """
        Args:
            extradata: the container's (av1C, whose sequence header stands behind four bytes).
        """
        self.sequence: _Sequence | None = None
        self.needed((extradata or b"")[4:])

    def needed(self, data: bytes) -> int:
        """How many of a packet's bytes others need, from its beginning on; all of them where that is not certain."""
        frames: list[tuple[int, bool, bool]] = []  # where each begins, whether it is shown, whether it refreshes
        try:
            for begin, kind, content in _units(data):
                if kind == _SEQUENCE:
                    self.sequence = _sequence(Bits(content[:64]))
                elif kind in (_FRAME, _FRAME_HEADER):
                    if self.sequence is None:
                        return len(data)
                    frames.append((begin, *_frame(Bits(content[:32]), self.sequence)))
        except (ValueError, IndexError):
            return len(data)
        if not frames or frames[-1][2] or any(shown for _, shown, _ in frames[:-1]):
            return len(data)
        return frames[-1][0] if len(frames) > 1 else 0


def _units(data: bytes) -> list[tuple[int, int, bytes]]:
    """Beginning, type and content of a packet's OBUs (specification 5.3).

    Raises:
        ValueError, IndexError: the packet ends within one, or a size does not end.
    """
    units, at = [], 0
    while at < len(data):
        begin, head = at, data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size = 0
            for place in range(_SIZE_BYTES):
                size |= (data[at] & 127) << 7 * place
                at += 1
                if not data[at - 1] & 128:
                    break
            else:
                raise ValueError("a size without end")
        units.append((begin, head >> 3 & 15, data[at : at + size]))
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


def _frame(bits: Bits, sequence: _Sequence) -> tuple[bool, bool]:
    """Whether a frame is shown, and whether it must be decoded for others (specification 5.9.2)."""
    if bits.read(1):  # show_existing_frame: costs nothing, and a key frame refreshes all
        return True, True
    kind, shown = bits.read(2), bits.read(1)
    if not shown or kind in (_KEY, _SWITCH):
        return bool(shown), True
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
    return True, bits.read(8) != 0
