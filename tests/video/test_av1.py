"""What no other AV1 frame needs is left out, and every other frame is what it was, bit for bit."""

import av
import numpy as np
import pytest
from refocus.video.av1 import Av1Packets
from refocus.video.frame_plan import grid
from refocus.video.packets import shortened

from tests.support.sequential import same_as_sequential, selected
from tests.support.videos import constant, moving, write_video

STREAMS = {
    "hierarchy": "",
    "short hierarchy": "hierarchical-levels=2",
    "long hierarchy": "hierarchical-levels=5",
    "low delay": "pred-struct=1",
    "film grain": "film-grain=20",
    "screen content": "scm=1",
    "open GOP": "irefresh-type=1",
    "tiles": "tile-columns=1",
    "super resolution": "superres-mode=2",
    "size changes": "resize-mode=3",
}


@pytest.fixture(params=STREAMS, scope="module")
def video_file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("av1") / "a.mkv"
    options = {"preset": "10", "g": "32", "svtav1-params": ":".join(filter(None, ["lp=1", STREAMS[request.param]]))}
    size = (144, 256)
    return write_video(path, constant(3.0), size, moving(90, size), codec="libsvtav1", options=options)


def decoded(path, sent=None):
    """Every frame by its time; of some packets only so many bytes are sent."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        packets = [packet for packet in container.demux(stream) if packet.size]
        sizes = sent or {}
        cut = {number: shortened(packets[number], size) for number, size in sizes.items() if size}
        frames = [
            frame
            for number, packet in enumerate([*packets, None])
            if number not in sizes or number in cut
            for frame in stream.decode(cut.get(number, packet))
        ]
        return {frame.pts: frame.to_ndarray() for frame in frames}, packets, stream.codec_context.extradata


def test_what_no_other_needs(video_file):
    """Left out all together, or some of it, it takes its own frames away and changes none of the others."""
    whole, packets, extradata = decoded(video_file)
    reader = Av1Packets(extradata)
    needed = {number: reader.needed(bytes(packet)) for number, packet in enumerate(packets)}
    sent = {number: size for number, size in needed.items() if size < packets[number].size}
    for some in (sent, dict(list(sent.items())[::2]), dict(list(sent.items())[1::3])):
        left, _, _ = decoded(video_file, some)
        assert set(left) == set(whole) - {packets[number].pts for number in some}
        for pts, image in left.items():
            np.testing.assert_array_equal(image, whole[pts])


def test_they_are_skipped(video_file):
    """Fewer frames are decoded, and the wanted ones are those of a decode of the whole file."""
    assert same_as_sequential(video_file, grid(3.0, 2.0))
    assert same_as_sequential(video_file, [0.53, 1.37, 2.41])
    _, report = selected(video_file, [0.99, 2.98])
    assert (report.in_order, report.problem()) == (None, None)


def test_a_hierarchy_has_many(tmp_path):
    """For a frame at the end of a GOP of 64, nearly half of the frames are not decoded."""
    options = {"preset": "10", "g": "65", "svtav1-params": "lp=1"}
    path = write_video(
        tmp_path / "a.mp4", constant(4.0), (144, 256), moving(120, (144, 256)), codec="libsvtav1", options=options
    )
    frames, report = selected(path, [2.1])
    assert (len(frames), report.in_order) == (1, None)
    assert 20 < report.decoded < 0.6 * 64


def test_what_is_no_av1_is_needed():
    """Headers that cannot be read, or were never sent."""
    for data in (b"", b"\x32", bytes(40), b"\x32\xff\xff\xff", b"\x0a\x0b\x00\x00\x00"):
        assert Av1Packets(None).needed(data) == len(data)
        assert Av1Packets(data).needed(b"\x32\x04\x30\x00\x00\x00") == 6


def unit(kind, *fields):
    """An OBU with its size, of (value, bits) fields; zeros fill it up."""
    content, bits = 0, 0
    for value, width in fields:
        content, bits = content << width | value, bits + width
    padded = (content << -bits % 8).to_bytes((bits + 7) // 8, "big") + bytes(8)
    return bytes([kind << 3 | 2, len(padded)]) + padded


INTER, INTRA_ONLY = 1, 2
ZEROS_TO_SIZE = (0, 4 + 1 + 1 + 1 + 5 + 12 + 5)  # profile, one operating point, level 0
SIZE = ((7, 4), (7, 4), (63, 8), (63, 8))
TOOLS = ((0, 1 + 3 + 4), (1, 1), (0, 2), (0, 1), (0, 1), (6, 3))  # no ids, order hints of 7 bits, no screen content


@pytest.mark.parametrize(
    ("kind", "resilient", "primary"),
    [(INTER, 0, ((7, 3),)), (INTER, 0, ((0, 3),)), (INTER, 1, ()), (INTRA_ONLY, 0, ()), (INTRA_ONLY, 1, ())],
)
@pytest.mark.parametrize("refresh", [0, 0b11100000, 0b00000111])
def test_where_a_header_says_what_a_frame_refreshes(kind, resilient, primary, refresh):
    """The frame that probabilities come from is named before, but in resilient and in intra-only frames."""
    reader = Av1Packets(None)
    reader.needed(unit(1, ZEROS_TO_SIZE, *SIZE, *TOOLS))
    head = ((0, 1), (kind, 2), (1, 1), (resilient, 1), (0, 1), (0, 1), (85, 7))  # shown; nothing of an odd size
    data = unit(6, *head, *primary, (refresh, 8), (0b10101010, 8))
    assert reader.needed(data) == (len(data) if refresh else 0)
