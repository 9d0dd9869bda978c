"""What is read from a packet's first bytes, and when a file's packets are not trusted."""

import av
import numpy as np
import pytest
from refocus.video.closure import shown_at
from refocus.video.decode import decode_frames
from refocus.video.decode_report import DecodeReport
from refocus.video.frame_plan import grid
from refocus.video.packets import reader
from refocus.video.probe import opened
from refocus.video.selective_decode import selective_decode
from refocus.video.track import read_packets

from tests.support.videos import constant, level, moving, played_at, write_video

QUIET = {"x265-params": "log-level=none:pools=none:frame-threads=1:keyint=24:bframes=4"}
X264 = {"x264-params": "open-gop=1:keyint=20:bframes=3:b-pyramid=normal"}


def roles(path):
    with opened(path) as (container, stream):
        return read_packets(container, stream, 1e9, None).roles


@pytest.mark.parametrize(("codec", "options"), [("libx264", X264), ("libx265", QUIET)])
def test_length_prefixed_and_annex_b_read_alike(tmp_path, codec, options):
    """The same stream in mp4, Matroska and MPEG-TS has the same roles."""
    found = [
        roles(write_video(tmp_path / f"a.{kind}", constant(2.0), (80, 96), moving(60), codec=codec, options=options))
        for kind in ("mp4", "mkv", "ts")
    ]
    assert found[0] == found[1] == found[2]
    assert sum(role.restart for role in found[0]) == 3
    assert 10 < sum(not role.reference for role in found[0]) < 50


def annex_b(tmp_path):
    """(extradata, packets) of an H.264 transport stream: every key frame brings its parameter sets."""
    path = write_video(tmp_path / "a.ts", constant(3.0), (80, 96), moving(90), options={"g": "30", "bf": "0"})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [bytes(packet) for packet in container.demux(stream) if packet.size]


def without_sets(data):
    """A packet without its SPS and PPS."""
    units = [unit for unit in data.split(b"\0\0\1")[1:] if unit[0] & 31 not in (7, 8)]
    return b"".join(b"\0\0\1" + unit for unit in units)


def restarts(extradata, packets):
    read = reader("h264", extradata)
    return [number for number, data in enumerate(packets) if read(av.Packet(data)).restart]


def test_decoding_does_not_begin_behind_parameter_sets_it_would_miss(tmp_path):
    """A key frame without sets is a clean start only while the sets in force are those of the header."""
    extradata, packets = annex_b(tmp_path)
    assert restarts(extradata, packets) == [0, 30, 60]
    bare = [packets[0], *(without_sets(data) for data in packets[1:])]
    assert restarts(extradata, bare) == [0, 30, 60]
    assert restarts(b"", bare) == [0]  # only the first packet has them
    pps = next(unit for unit in packets[0].split(b"\0\0\1")[1:] if unit[0] & 31 == 8)
    changed = bytes([*pps.rstrip(b"\0")[:-1], pps.rstrip(b"\0")[-1] ^ 0x40])
    bare[10] = b"\0\0\1" + changed + without_sets(bare[10])
    assert restarts(extradata, bare) == [0]
    assert restarts(extradata, [*bare[:60], *packets[60:]]) == [0, 60]


def test_a_packet_that_changes_parameter_sets_is_kept(tmp_path):
    """Even if its picture is of no use to others."""
    extradata, packets = annex_b(tmp_path)
    read = reader("h264", extradata)
    disposable = packets[1].replace(b"\0\0\1\x41", b"\0\0\1\x01")
    assert not read(av.Packet(disposable)).reference
    pps = next(unit for unit in packets[0].split(b"\0\0\1")[1:] if unit[0] & 31 == 8).rstrip(b"\0")
    assert read(av.Packet(b"\0\0\1" + pps[:-1] + bytes([pps[-1] ^ 0x40]) + disposable)).reference


def test_hidden_vp8_frames_are_not_shown():
    """An alternate reference is stored as a packet, but no picture comes out of it."""
    read = reader("vp8", None)
    shown, hidden = read(av.Packet(b"\x11\0\0")), read(av.Packet(b"\x01\0\0"))
    assert (shown.shown, shown.restart, hidden.shown) == (True, False, False)
    assert read(av.Packet(b"\x10\0\0")).restart


def test_two_pictures_or_none_in_a_packet_are_not_trusted(tmp_path):
    """Such files are decoded in order."""
    extradata, packets = annex_b(tmp_path)
    read = reader("h264", extradata)
    assert read(av.Packet(packets[1] + packets[2])) is None
    assert read(av.Packet(b"\0\0\1\x09\xf0")) is None
    packed = reader("mpeg4", None)
    assert packed(av.Packet(b"\0\0\1\xb6\x10\0\0\1\xb6\x90\0")) is None


def in_order(path, times):
    health = DecodeReport()
    with opened(path) as (container, stream):
        frames = [
            (frame.to_ndarray(), wanted)
            for frame, wanted in selective_decode(path, container, stream, times, health, None)
        ]
    return frames, health


def test_interlaced_video_is_decoded_in_order(tmp_path):
    """Two fields may come in two packets; the frames are right all the same."""
    options = {"x264-params": "interlaced=1:tff=1:bframes=2"}
    times = constant(3.0)
    path = write_video(tmp_path / "a.mp4", times, (96, 96), options=options)
    frames, health = in_order(path, grid(3.0))
    assert health.in_order
    expected = [played_at(times, time) for time in grid(3.0)]
    assert [wanted.source_frame for _, wanted in frames] == expected
    got = decode_frames(path, grid(3.0))
    np.testing.assert_allclose(got.images.mean(axis=(1, 2, 3)), [level(index) for index in expected], atol=2)


def test_frames_that_disagree_with_their_packets_are_not_trusted(tmp_path):
    """Packets whose times were shuffled inside a GOP: the file is walked in order from there on, and ends."""
    base = write_video(tmp_path / "a.mp4", constant(3.0), options={"g": "30", "bf": "0"})
    path = tmp_path / "b.mkv"
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        packets = [packet for packet in reading.demux(stream) if packet.size]
        for packet in packets:
            packet.stream, packet.dts = copied, packet.dts - 5 * packet.duration
        for one, other in ((40, 43), (44, 46)):
            packets[one].pts, packets[other].pts = packets[other].pts, packets[one].pts
        for packet in packets:
            writing.mux(packet)
    frames, health = in_order(path, [(index + 0.5) / 30 for index in range(90)])
    assert health.in_order
    times = [wanted.time_s for _, wanted in frames]
    assert times == sorted(times)
    assert "out of order" in health.problem()
    assert [wanted.source_frame for _, wanted in frames[:30]] == list(range(30))


def test_two_packets_of_one_time_are_not_trusted(tmp_path):
    """Nobody can say which of them is meant."""
    path = write_video(tmp_path / "a.mkv", constant(2.0), options={"g": "30", "bf": "0"})
    with opened(path) as (container, stream):
        track = read_packets(container, stream, 1e9, None)
    assert shown_at(track, [0.0, 1.0], 0.5) is not None
    track.pts[20] = track.pts[21]
    assert shown_at(track, [0.0, 1.0], 0.5) is None
