"""What a container or a stream leaves open: cropping, times, decoders that do not open."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from refocus.video import track
from refocus.video.decode import decode_frames
from refocus.video.every_frame import every_frame
from refocus.video.length import Ends
from refocus.video.packets import demuxed, read_head
from refocus.video.presentation_times import PresentationTimes
from refocus.video.probe import probe
from refocus.video.starts import CleanStarts

from tests.support.faults import judge
from tests.support.faulty_files import ENCODERS, FPS, SECONDS, Made, sound
from tests.support.videos import constant, moving, write_video
from tests.video.test_faults import frame, table_of


def test_columns_cropped_at_the_left_stay_away(tmp_path):
    """A decoder that may keep its rows aligned gives 16 columns back that no player shows."""
    base, path = write_video(tmp_path / "base.mp4", constant(1.0), pictures=moving(30, (64, 96))), tmp_path / "a.mp4"
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        cropping = BitStreamFilterContext("h264_metadata=crop_left=16:crop_top=8", stream, copied)
        for packet in reading.demux(stream):
            for cropped in cropping.filter(packet if packet.size else None):
                cropped.stream = copied
                writing.mux(cropped)
    whole, part = (decode_frames(one, [0.0, 0.5]).images for one in (base, path))
    assert part.shape == (2, 56, 80, 3)
    np.testing.assert_array_equal(part[:, 4:, 4:], whole[:, 12:, 20:])  # colours are spread at the edges
    assert (probe(path).width, probe(path).height) == (80, 56)


def test_cropping_by_the_container_is_partial(tmp_path):
    """Matroska's PixelCropLeft, in the place of the display's unit."""
    path = sound(tmp_path / "a.mkv", "h264")
    assert decode_frames(path, [0.0, 1.0]).status == "ok"
    data = path.read_bytes()
    assert data.count(b"\x54\xb2\x81\x04") == 1
    path.write_bytes(data.replace(b"\x54\xb2\x81\x04", b"\x54\xcc\x81\x10"))
    got = decode_frames(path, [0.0, 1.0])
    assert (got.status, "cropped" in got.error) == ("partial", True)


@pytest.mark.parametrize(("codec", "kind", "dropped"), [("mpeg2", "mpg", 1), ("mpeg1", "mpg", 1), ("hevc", "ts", 0)])
def test_a_change_of_size(tmp_path, codec, kind, dropped):
    """A decoder of MPEG-1 or -2 drops the last picture before it: those behind are numbered as they come out."""
    parts = [sound(tmp_path / f"0.{kind}", codec)]
    encoder, options = ENCODERS[codec]
    times = constant(SECONDS, FPS)
    parts.append(write_video(tmp_path / f"1.{kind}", times, (48, 80), codec=encoder, options=options, rate=25))
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert sum(1 for _ in every_frame(path)) == 2 * len(times) - dropped
    got = decode_frames(path, [0.5, 1.5, 2.5, 3.5, 4.5], 32)
    assert (got.status, got.source_frames) == ("ok", [12, 37, 62, 87 - dropped, 112 - dropped])


def test_a_decoder_that_does_not_open_costs_one_clip(tmp_path):
    """Theora without its headers."""
    path = write_video(tmp_path / "a.mkv", constant(1.0), codec="prores_ks", pix_fmt="yuv422p10le")
    path.write_bytes(path.read_bytes().replace(b"V_PRORES", b"V_THEORA"))
    got = decode_frames(path, [0.0, 0.5])
    assert (got.status, "cannot be opened" in got.error) == ("failed", True)


def test_a_first_packet_without_any_time(tmp_path, monkeypatch):
    """When its frame is shown is not known, so it may not push another one aside in silence."""

    def stripped(*arguments):
        for number, packet in enumerate(demuxed(*arguments)):
            if number == 0:
                packet.pts = packet.dts = None
            yield packet

    path = sound(tmp_path / "a.mkv", "h264 no b")
    assert judge(Made(path)) == ("right", "")
    monkeypatch.setattr(track, "demuxed", stripped)
    assert judge(Made(path)) == ("partial", "1 frames have no time")


def test_packets_without_times_at_the_end_belong_to_the_length():
    """As in program streams with several pictures in a packet: they follow each other."""
    stream = SimpleNamespace(index=0, time_base=Fraction(1, 25), average_rate=Fraction(25), guessed_rate=None)
    ends = Ends(stream)
    for pts in (0, None, 2, 3, None, None):
        packet = {"stream_index": 0, "pts": pts, "duration": 1, "time_base": Fraction(1, 25), "size": 9}
        ends.add(SimpleNamespace(**packet, is_keyframe=pts == 0, is_discard=False))
    assert ends.video_s(Fraction(0)) == pytest.approx(6 / 25)


def test_decoding_times_that_are_times_of_presentation():
    """As FFmpeg makes them up for VVC in Matroska: the first packet seems to be shown first, and is the last."""
    read = [SimpleNamespace(pts=pts, dts=pts, size=9, is_keyframe=pts == 7, is_discard=False) for pts in (7, 3, 1, 0)]
    shown = {0: [frame(0, 0)]}
    stream = SimpleNamespace(
        codec_context=SimpleNamespace(name="vvc", flush_buffers=lambda: None),
        time_base=Fraction(1, 25),
        decode=lambda packet: shown.get(packet.pts, []),
    )
    assert read_head(iter(read), stream) == (read, 0)


def test_a_frame_without_a_time_that_cannot_have_been_shown():
    """The next one begins before it could end."""
    times = PresentationTimes(table_of([]))
    assert [times(frame(*one)) for one in ((None, None), (0, 0), (None, None), (2, 2))] == [0.0, 0.0, 0.04, 0.08]
    assert times.unclear == 1


def hevc(kind, first_byte=0x80):
    """A packet with one slice of HEVC."""
    packet = av.Packet(b"\0\0\0\1" + bytes([kind << 1, 1, first_byte]) + bytes(9) + b"\x80")
    packet.is_keyframe = kind >= 16
    packet.time_base = Fraction(1, 25)
    return packet


def test_an_hevc_picture_that_drops_those_before_it():
    """By its flag; the first picture of a file drops none, and one that is no start has no such flag."""
    for packets, spliced in (
        ([hevc(19, 0xC0)], False),
        ([hevc(19), hevc(1, 0xC0), hevc(19)], False),
        ([hevc(19), hevc(1), hevc(19, 0xC0)], True),
    ):
        starts = CleanStarts("hevc", None)
        for packet in packets:
            starts(packet)
        assert starts.spliced == spliced
