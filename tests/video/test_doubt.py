"""Files on which discarding alone gives wrong frames or none: what is shown is what a decode of the whole file shows.

Each file fails if the rule that its test names is left out.
"""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
from av.video.frame import PictureType
from refocus.video import selective_decode
from refocus.video.closure import shown_at
from refocus.video.decode import decode_frames
from refocus.video.frame_plan import grid
from refocus.video.probe import opened
from refocus.video.run_check import NOT_DECODED, RunCheck
from refocus.video.track import PacketTable, Track

from tests.support.ffmpeg_frames import frames_by_loop
from tests.support.sequential import all_frames, same_as_sequential, selected
from tests.support.videos import constant, level, moving, played_at, write_video

QUIET = "log-level=none:pools=none:frame-threads=1:"
SPARSE = [0.3, 1.45, 2.2]


def written(path, codec, options):
    return write_video(path, constant(3.0), (80, 96), moving(90), codec=codec, options=options)


def rewritten(source, path, change, keys=lambda number, packet: packet.is_keyframe):
    """The packets of a file in a new one: `change(number, data)` gives their bytes."""
    with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
        stream = reading.streams.video[0]
        copied = writing.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in reading.demux(stream) if packet.size):
            new = av.Packet(change(number, bytes(packet)))
            new.pts, new.dts, new.duration, new.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
            new.stream, new.is_keyframe = copied, keys(number, packet)
            writing.mux(new)
    return path


def test_the_decoder_is_opened_without_discarding(tmp_path):
    """libdav1d keeps the option that it was opened with: a first unwanted packet would lose frames for good."""
    path = written(tmp_path / "a.mkv", "libsvtav1", {"preset": "12", "g": "24", "svtav1-params": "lp=1"})
    assert same_as_sequential(path, SPARSE)
    assert selected(path, SPARSE)[1].in_order is None


def test_a_stream_that_goes_on_with_other_parameter_sets(tmp_path):
    """Those sent once, with the first packet of the second part, are in force for its other key frames."""
    parts = []
    for part, options in enumerate(("keyint=20:bframes=2", "keyint=20:bframes=2:chroma-qp-offset=6")):
        path = tmp_path / f"{part}.ts"
        write_video(path, constant(3.0), (80, 96), moving(90, seed=part), options={"x264-params": options})
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            parts.append([(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in packets])
    path = tmp_path / "a.mkv"
    with av.open(str(tmp_path / "0.ts")) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for part, packets in enumerate(parts):
            for number, (pts, dts, key, data) in enumerate(packets):
                units = [unit for unit in data.split(b"\0\0\1")[1:] if not number or unit[0] & 31 not in (7, 8)]
                packet = av.Packet(b"".join(b"\0\0\1" + unit for unit in units))
                packet.pts, packet.dts, packet.time_base = (
                    pts + part * 270_000,
                    dts + part * 270_000,
                    Fraction(1, 90_000),
                )
                packet.stream, packet.is_keyframe = stream, key
                writing.mux(packet)
    assert same_as_sequential(path, [5.5, 5.7])


def test_a_key_frame_flag_may_lie(tmp_path):
    """An index may call all packets key frames: the first frame of a run must be one."""
    base = written(tmp_path / "a.avi", "msmpeg4", {"g": "24"})
    path = rewritten(base, tmp_path / "b.avi", lambda number, data: data, keys=lambda number, packet: True)
    assert same_as_sequential(path, SPARSE)
    assert selected(path, SPARSE)[1].in_order


def test_frames_that_ffmpeg_discards_wrongly(tmp_path):
    """It drops HEVC's sub-layer non-reference frames, which higher layers may use; its log says so."""

    def unreferenced(number, data):
        """NAL units of the second layer as TSA_N instead of TSA_R."""
        data, at = bytearray(data), 0
        while at < len(data):
            if data[at + 4] >> 1 == 3 and data[at + 5] & 7 == 2:
                data[at + 4] = 2 << 1
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        return bytes(data)

    base = written(
        tmp_path / "a.mp4", "libx265", {"x265-params": QUIET + "keyint=48:bframes=7:b-adapt=0:temporal-layers=3"}
    )
    path = rewritten(base, tmp_path / "b.mp4", unreferenced)
    for times in (grid(3.0), SPARSE, [1.93]):
        assert same_as_sequential(path, times)
    _, report = selected(path, grid(3.0))
    assert (report.problem(), report.in_order) == (None, None)


def test_a_wanted_frame_that_does_not_come_out(tmp_path):
    """Behind an end of sequence, HEVC drops the frames that lead the next key frame: the one before stays on screen."""
    base = written(tmp_path / "a.mp4", "libx265", {"x265-params": QUIET + "keyint=24:bframes=4:scenecut=0"})
    with av.open(str(base)) as container:
        keys = [number for number, packet in enumerate(container.demux(video=0)) if packet.size and packet.is_keyframe]
    end = b"\0\0\0\2\x48\1"
    path = rewritten(base, tmp_path / "b.mp4", lambda number, data: data + end if number + 1 in keys else data)
    assert len(all_frames(path)) < 90
    times = [index / 30 + 0.01 for index in range(80)]
    assert same_as_sequential(path, times)
    assert selected(path, times)[1].in_order


def test_packets_with_two_frames(tmp_path):
    """Packed B-frames, as DivX wrote them into AVI: a packet's time is not that of its frames."""
    base = written(tmp_path / "a.mkv", "mpeg4", {"g": "24", "bf": "1", "qscale": "3"})
    with av.open(str(base)) as container:
        data = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    kinds = [packet[packet.index(b"\0\0\1\xb6") + 4] >> 6 for packet in data]  # I, P, B
    divx, not_coded = b"\0\0\1\xb2DivX503b1393p", b"\0\0\1\xb6\x50\xc0"

    def packed(number, packet):
        if kinds[number] == 2:
            return not_coded
        head = packet.replace(b"\0\0\1\xb6", divx + b"\0\0\1\xb6", 1) if number == 0 else packet
        return head + data[number + 1] if kinds[number + 1 : number + 2] == [2] else head

    path = rewritten(base, tmp_path / "b.mkv", packed)
    assert same_as_sequential(path, SPARSE)
    assert selected(path, SPARSE)[1].in_order
    path = rewritten(base, tmp_path / "b.avi", packed)  # which has no presentation times: the n-th frame has the n-th
    got = decode_frames(path, SPARSE)
    assert (got.status, got.source_frames) == ("ok", [9, 43, 66])
    frames = list(all_frames(base).values())
    for frame, wanted in selected(path, SPARSE)[0]:
        np.testing.assert_array_equal(frame, frames[wanted.source_frame])


def test_a_decoder_that_a_run_changed_for_good(tmp_path):
    """Interlaced MPEG-4, open GOP: begun in the middle, FFmpeg never again gives a B-frame, not from 0 either."""
    path = written(tmp_path / "a.mp4", "mpeg4", {"g": "12", "bf": "2", "flags": "+ilme+ildct", "qscale": "3"})
    for times in (SPARSE, [1.93], [2.5], grid(3.0)):
        assert same_as_sequential(path, times)
        frames, _ = selected(path, times)
        assert [wanted.source_frame for _, wanted in frames] == [int(time * 30 + 1e-6) for time in times]


def test_a_palette_that_only_one_packet_brings(tmp_path):
    """Frames behind it would have other colors."""
    path = tmp_path / "a.avi"
    colors = np.random.default_rng(0).integers(0, 256, (256, 4), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "pal8"
        for picture in moving(90):
            container.mux(stream.encode(av.VideoFrame.from_ndarray((picture[..., 0], colors), format="pal8")))
    with av.open(str(path)) as container:
        assert sum(packet.has_sidedata("palette") for packet in container.demux(video=0)) == 1
    frames = frames_by_loop(path)
    got = decode_frames(path, SPARSE)
    for image, number in zip(got.images, [9, 43, 66], strict=True):
        np.testing.assert_array_equal(image, frames[number])


def test_several_frames_of_one_time(tmp_path):
    """The last of them is on screen; it has its own number."""
    base = written(tmp_path / "a.mkv", "libx264", {"g": "24", "bf": "0"})
    path = tmp_path / "b.mkv"
    with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
        copied = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(one for one in reading.demux(video=0) if one.size):
            packet.pts = packet.dts = number // 3 * 100
            packet.stream = copied
            writing.mux(packet)
    got = decode_frames(path, [0.05, 0.15, 1.25])
    assert got.source_frames == [2, 5, 38]
    assert got.timestamps_s == [0.0, 0.1, 1.2]


def test_a_packet_for_each_field():
    """Found out before a frame gets the rank of its field: nothing is discarded, and each packet must give a frame."""
    table = PacketTable(Fraction(1, 50), Fraction(0), 1 / 25)
    for number in range(8):
        table.pts.append(number)
        table.starts.append(number == 0)
        table.shown.append(True)

    def frame(pts, interlaced=True):
        return SimpleNamespace(pts=pts, interlaced_frame=interlaced, key_frame=pts == 0, pict_type=PictureType.I)

    assert RunCheck(table, range(8), discarding=True).doubt(frame(0))
    check = RunCheck(table, range(8), discarding=False)
    assert [check.doubt(frame(0)), check.doubt(frame(2))] == [None, NOT_DECODED]
    check = RunCheck(table, range(8), discarding=True)
    assert [check.doubt(frame(pts, interlaced=False)) for pts in (0, 2, 7)] == [None] * 3
    assert check.doubt_at_end(missing=False) is None


def test_a_frame_that_is_met_again_comes_once(tmp_path, monkeypatch):
    """Selected for one time and still on screen at the next, where decoding goes on in order."""
    path = write_video(tmp_path / "a.mp4", constant(1.0, 10.0), options={"g": "30", "bf": "0"})

    def first_time_only(self, wanted):
        for frame, one in selected_frames(self, wanted[:1]):
            yield frame, replace(one, times=one.times[:1])
        self.doubt = "a test"

    selected_frames = selective_decode._SelectiveDecoder.selected
    monkeypatch.setattr(selective_decode._SelectiveDecoder, "selected", first_time_only)
    frames, report = selected(path, [0.0, 0.05, 0.1])
    assert [(wanted.source_frame, wanted.times) for _, wanted in frames] == [(0, (0, 1)), (1, (2,))]
    assert report.in_order == "a test"


def test_interlaced_video(tmp_path):
    """Frames are right and GOPs are skipped, but nothing is discarded: two fields may come in two packets."""
    times = constant(3.0)
    path = write_video(tmp_path / "a.mp4", times, (96, 96), options={"x264-params": "interlaced=1:tff=1:bframes=2"})
    frames, report = selected(path, grid(3.0))
    expected = [played_at(times, time) for time in grid(3.0)]
    assert [wanted.source_frame for _, wanted in frames] == expected
    got = decode_frames(path, grid(3.0))
    np.testing.assert_allclose(got.images.mean(axis=(1, 2, 3)), [level(index) for index in expected], atol=2)
    assert report.in_order is None
    frames, report = selected(path, [2.9])
    assert report.decoded < 45


def test_times_that_were_shuffled(tmp_path):
    """Frames do not come out at their packets' times: decoded in order from there on, to the end."""
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
    frames, report = selected(path, [(index + 0.5) / 30 for index in range(90)])
    assert report.in_order
    times = [wanted.time_s for _, wanted in frames]
    assert times == sorted(times)
    assert "out of order" in report.problem()
    assert [wanted.source_frame for _, wanted in frames[:30]] == list(range(30))


def test_two_packets_of_one_time(tmp_path):
    """Nobody can say which of them is meant."""
    path = write_video(tmp_path / "a.mkv", constant(2.0), options={"g": "30", "bf": "0"})
    with opened(path) as (container, stream):
        table = Track(path, container, stream).read(1e9)
    assert shown_at(table, [0.0, 1.0], 0.5) is not None
    table.pts[20] = table.pts[21]
    assert shown_at(table, [0.0, 1.0], 0.5) is None
