"""What packets say of themselves: where decoding may begin, which give no frame, which give two."""

import av
import pytest
from refocus.video.probe import opened
from refocus.video.starts import CleanStarts, is_hidden, is_packed
from refocus.video.track import Track

from tests.support.videos import constant, moving, write_video

X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1:keyint=24:bframes=4"}
X264 = {"x264-params": "open-gop=1:keyint=20:bframes=3:b-pyramid=normal"}


@pytest.mark.parametrize(("codec", "options"), [("libx264", X264), ("libx265", X265)])
def test_length_prefixed_and_annex_b_read_alike(tmp_path, codec, options):
    """The same stream in mp4, Matroska and MPEG-TS has the same starts."""
    found = []
    for kind in ("mp4", "mkv", "ts"):
        path = tmp_path / f"a.{kind}"
        write_video(path, constant(2.0), (80, 96), moving(60), codec=codec, options=options)
        with opened(path) as (container, stream):
            found.append(Track(path, container, stream).read(1e9).starts)
    assert found[0] == found[1] == found[2]
    assert sum(found[0]) == 3


@pytest.fixture(scope="module")
def annex_b(tmp_path_factory):
    """(extradata, packets) of an H.264 transport stream: every key frame brings its parameter sets."""
    path = tmp_path_factory.mktemp("starts") / "a.ts"
    write_video(path, constant(3.0), (80, 96), moving(90), options={"g": "30", "bf": "0"})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(packet) for packet in container.demux(stream) if packet.size]


def key_packet(data):
    packet = av.Packet(data)
    packet.is_keyframe = True
    return packet


def starts(extradata, packets, codec="h264"):
    """Numbers of the clean starts, if the container calls every packet a key frame."""
    read = CleanStarts(codec, extradata)
    return [number for number, data in enumerate(packets) if read(key_packet(data))]


def units(data):
    return data.split(b"\0\0\1")[1:]


def without_sets(data):
    """A packet without its SPS and PPS."""
    return b"".join(b"\0\0\1" + unit for unit in units(data) if unit[0] & 31 not in (7, 8))


def test_decoding_does_not_begin_behind_parameter_sets_it_would_miss(annex_b):
    """A key frame without sets is a clean start only while the sets in force are those of the header."""
    extradata, packets = annex_b
    assert starts(extradata, packets) == [0, 30, 60]
    bare = [packets[0], *(without_sets(data) for data in packets[1:])]
    assert starts(extradata, bare) == [0, 30, 60]
    assert starts(b"", bare) == [0]  # only the first packet has them
    pps = next(unit for unit in units(packets[0]) if unit[0] & 31 == 8).rstrip(b"\0")
    bare[10] = b"\0\0\1" + pps[:-1] + bytes([pps[-1] ^ 0x40]) + without_sets(bare[10])
    assert starts(extradata, bare) == [0]
    assert starts(extradata, [*bare[:60], *packets[60:]]) == [0, 60]
    only_pps = b"\0\0\1" + pps + without_sets(packets[60])
    assert starts(extradata, [*bare[:60], only_pps]) == [0]


@pytest.mark.parametrize(
    ("recovery", "clean"),
    [(0b1_1_0_00_1_00, True), (0b1_0_0_00_1_00, False), (0b010_1_0_00_1, False)],
    ids=["exact at once", "nearly exact", "exact one frame later"],
)
def test_a_recovery_point_must_promise_exact_frames_at_once(recovery, clean):
    """recovery_frame_cnt 0 and exact_match_flag 1, found behind another SEI message; a slice alone promises nothing."""
    picture = b"\0\0\1\x41\x9a\x24"
    message = bytes([5, 3, 1, 2, 3, 6, 1, recovery, 0x80])
    assert starts(b"", [picture]) == []
    assert starts(b"", [b"\0\0\1\x06" + message + picture]) == ([0] if clean else [])


def test_hevc_begins_at_random_access_pictures():
    """IDR, CRA and BLA of the base layer, whatever the container calls a key frame."""

    def packet(kind, layer=0):
        return bytes([0, 0, 1, kind << 1 | layer >> 5, (layer & 31) << 3 | 1, 0x80])

    assert starts(b"", [packet(1), packet(19), packet(21), packet(9)], "hevc") == [1, 2]
    assert starts(b"", [packet(19, layer=1) + packet(1)], "hevc") == []


def test_what_the_container_calls_no_key_frame_is_no_start(annex_b):
    """For every codec."""
    extradata, packets = annex_b
    read = CleanStarts("h264", extradata)
    assert not read(av.Packet(packets[0])) and read(key_packet(packets[0]))
    assert [CleanStarts(codec, None)(av.Packet(b"\0")) for codec in ("vp9", "mjpeg", "mpeg4", "hevc")] == [False] * 4


def test_mpeg_2_begins_at_a_sequence_header():
    """Where the matrices are set back; a picture without it may need those of another."""
    sequence, picture = b"\0\0\1\xb3\x01\x02", b"\0\0\1\0\x00\x0f"
    assert starts(b"", [sequence + picture, picture, picture + sequence], "mpeg2video") == [0]


def test_hidden_vp8_frames():
    """An alternate reference is stored as a packet, but no frame comes out of it."""
    assert is_hidden("vp8", av.Packet(b"\x01\0\0")) and not is_hidden("vp8", av.Packet(b"\x11\0\0"))
    assert not is_hidden("vp9", av.Packet(b"\x01\0\0"))


def test_packed_b_frames():
    """Two VOPs in one packet, as in AVI files by DivX and XviD."""
    vop = b"\0\0\1\xb6\x10"
    assert is_packed("mpeg4", av.Packet(vop + vop)) and not is_packed("mpeg4", av.Packet(vop))
    assert not is_packed("h264", av.Packet(vop + vop))
