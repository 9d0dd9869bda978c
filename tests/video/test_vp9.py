"""What no other VP9 frame needs is left out, and every other frame is what it was, bit for bit."""

import av
import numpy as np
import pytest
from refocus.video.frame_plan import grid
from refocus.video.vp9 import Vp9Packets

from tests.support.sequential import same_as_sequential, selected
from tests.support.videos import constant, moving, write_video

SIZE = (96, 128)
REALTIME = {"deadline": "realtime", "cpu-used": "8", "g": "48", "b": "1M"}
LAYERS = {
    "ts-parameters": "ts_number_layers=3:ts_target_bitrate=250,500,1000:ts_layering_mode=3",
    "error-resilient": "1",
}
STREAMS = {  # and the share of packets that nothing needs
    "two layers": (
        {
            **LAYERS,
            "ts-parameters": "ts_number_layers=2:ts_target_bitrate=500,1000:ts_rate_decimator=2,1:ts_periodicity=2:"
            "ts_layer_id=0,1:ts_layering_mode=2",
        },
        0.5,
    ),
    "three layers": (LAYERS, 0.5),
    "three layers, segments": ({**LAYERS, "aq-mode": "3"}, 0.5),
    "layers that are not resilient": ({**LAYERS, "error-resilient": "0"}, 0.0),
    "resilient": ({"error-resilient": "1"}, 0.0),
    "real time": ({}, 0.0),
    "two passes' worth of frames ahead": ({"deadline": "good", "cpu-used": "5", "lag-in-frames": "25"}, 0.0),
}


@pytest.fixture(params=STREAMS, scope="module")
def video_file(request, tmp_path_factory):
    options, share = STREAMS[request.param]
    path = tmp_path_factory.mktemp("vp9") / "a.webm"
    times = constant(4.0)
    write_video(path, times, SIZE, moving(120, SIZE), codec="libvpx-vp9", options={**REALTIME, **options})
    return path, share


def decoded(path, unwanted=frozenset()):
    """Every frame by its time, without some packets; and the packets."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [
            frame
            for number, packet in enumerate([*packets, None])
            if number not in unwanted
            for frame in stream.decode(packet)
        ]
        return {frame.pts: frame.to_ndarray() for frame in frames}, packets


def test_packets_that_no_other_needs(video_file):
    """Left out all together, or one by one, they take their own frames away and change none of the others."""
    path, share = video_file
    whole, packets = decoded(path)
    reader = Vp9Packets()
    unneeded = {number - 1 for number, packet in enumerate(packets) if reader.frees_previous(bytes(packet))}
    assert len(unneeded) == pytest.approx(share * len(packets), abs=2)
    for some in (unneeded, set(sorted(unneeded)[::2]), set(sorted(unneeded)[1::3])):
        left, _ = decoded(path, some)
        assert set(left) == set(whole) - {packets[number].pts for number in some}
        for pts, image in left.items():
            np.testing.assert_array_equal(image, whole[pts])


def test_they_are_skipped(video_file):
    """Fewer frames are decoded, and the wanted ones are those of a decode of the whole file."""
    path, share = video_file
    assert same_as_sequential(path, grid(4.0, 2.0))
    assert same_as_sequential(path, [0.53, 1.37, 2.41])
    _, report = selected(path, [1.5, 3.1])
    assert (report.in_order, report.problem()) == (None, None)
    sent = 46 + 46  # the GOPs up to the wanted frames
    assert report.decoded <= (1 - share) * sent + 4


def test_what_is_no_vp9_is_needed():
    """Headers that cannot be read; and packets that hold two frames."""
    leaf, key = bytes([0x86, 0x00, 0x00, 0x00]), bytes([0x82, 0x49, 0x83, 0x42])
    assert [Vp9Packets().frees_previous(data) for data in (b"\0", leaf, key, bytes(9))] == [False] * 4
    for first, second, freed in (
        (leaf, key, True),
        (leaf, leaf, False),
        (leaf, b"\x87" + leaf[1:], True),
        (key, key, False),
        (leaf, bytes(4), False),
        (leaf + b"\xc1", key, False),
    ):
        reader = Vp9Packets()
        reader.frees_previous(first)
        assert reader.frees_previous(second) == freed, (first, second)
