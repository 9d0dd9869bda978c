"""Files that were made to do harm: they reach no other file, end no job and fill no memory."""

import contextlib
import io
import resource
import tarfile
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.core.limits import PICTURE_PIXELS
from refocus.frames.build_shard import build_shard
from refocus.frames.encoding import DamagedFrames, jpeg
from refocus.frames.encoding import pictures as stored_pictures
from refocus.frames.index import read_index
from refocus.qa.clips import ClipRow
from refocus.video import pictures, truncation
from refocus.video.every_frame import every_frame
from refocus.video.pictures import pictures_at
from refocus.video.probe import VideoError, opened, probe
from refocus.video.rgb import RgbConverter
from refocus.video.tars import locate, members

from tests.support.videos import constant, write_video

SETTINGS = DecodeSettings(size=32, runtime=DecodeRuntime(workers=1, timeout_s=30))
NAMING_OTHERS = {
    "a playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n",
    "a list of files": "ffconcat version 1.0\nfile {other}\n",
    "a manifest": '<?xml version="1.0"?><MPD type="static" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet><Representation id="1" mimeType="video/mp4"><BaseURL>{other}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "a session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("kind", NAMING_OTHERS)
@pytest.mark.parametrize("name", ["a.m3u8", "a.mp4", "a.ffconcat", "a.ts"])
def test_a_file_that_names_other_files_is_no_video(tmp_path, kind, name):
    """Whatever it is called: frames from outside of the data root would go into a shard."""
    root = tmp_path / "root"
    root.mkdir()
    outside = write_video(tmp_path / "outside.mp4", constant(1.0))
    (root / name).write_text(NAMING_OTHERS[kind].format(other=outside))
    with pytest.raises(VideoError, match="not a readable video"), opened(root / name):
        pass


def test_a_name_with_a_pattern_is_one_file(tmp_path):
    """FFmpeg would take it for a series of pictures."""
    write_video(tmp_path / "a%d.mp4", constant(1.0))
    assert probe(tmp_path / "a%d.mp4").codec == "h264"
    for number in range(3):
        (tmp_path / f"b{number}.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="no such file"):
        probe(tmp_path / "b%d.png")


@pytest.mark.parametrize(
    "address",
    [
        "x.tar/99999999999999999+5/x.mp4",
        "x.tar/999999999999999999+999999999999999999/x.mp4",
        "x.tar/0+0/x.mp4",
        "x.tar/5+5/x.mp4",
        "x.tar/1024+1/x.mp4",
    ],
)
def test_an_address_beyond_its_tar_costs_one_clip(tmp_path, address):
    """A list of clips is input too."""
    data = write_video(tmp_path / "good.mp4", constant(1.0)).read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(_named("x.mp4", size=len(data)), io.BytesIO(data))
    with pytest.raises(FileNotFoundError, match="no such member"):
        locate(tmp_path / address)
    rows = [ClipRow("0" * 16, address, None, None, 0), ClipRow("1" * 16, "good.mp4", None, None, 0)]
    build_shard(rows, tmp_path, tmp_path / "s.tar", tmp_path / "s.index.parquet", SETTINGS)
    assert [row.status for row in read_index(tmp_path / "s.index.parquet")] == ["failed", "ok"]


def _named(name: str, **values) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


def _header(kind: bytes, size: int, name: str = "x") -> bytes:
    return _named(name, type=kind, size=size).tobuf(tarfile.GNU_FORMAT)


def _pax(records: dict[str, str]) -> bytes:
    return tarfile.TarInfo._create_pax_generic_header(records, tarfile.XHDTYPE, "utf-8")


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a", "GNU.sparse.realsize": "9"}
BOMBS = {  # what the archive begins with, and bytes of holes behind it
    "a name of 6 GiB": (_header(tarfile.GNUTYPE_LONGNAME, 6 << 30), 6 << 30),
    "attributes of 6 GiB": (_header(tarfile.XHDTYPE, 6 << 30), 6 << 30),
    "attributes of all members, of 6 GiB": (_header(tarfile.XGLTYPE, 6 << 30), 6 << 30),
    "a map of holes without an end": (_pax(SPARSE) + _header(tarfile.REGTYPE, 6 << 30), 6 << 30),
    "a length below zero": (_pax({"size": "-4096"}) + _header(tarfile.REGTYPE, 5) + bytes(512), 0),
    "a length beyond all files": (_pax({"size": "9" * 30}) + _header(tarfile.REGTYPE, 5) + bytes(512), 0),
    "a length of too many digits": (_pax({"size": "9" * 9999}) + _header(tarfile.REGTYPE, 5) + bytes(512), 0),
    "attributes of attributes": (_pax({"a": "b"}) * 5000 + _header(tarfile.REGTYPE, 5) + bytes(512), 0),
}


@contextlib.contextmanager
def _memory(more: int):
    """Within it, the process gets no more than so many bytes on top of what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_tar_that_says_what_is_not_so_ends_nothing_and_takes_no_memory(tmp_path, bomb):
    """What lies before it is found. Holes of a file cost whoever sends it nothing."""
    begin, holes = BOMBS[bomb]
    good = _header(tarfile.REGTYPE, 3, "good.mp4") + b"abc".ljust(512, b"\0")
    path = tmp_path / "x.tar"
    path.write_bytes(good + begin)
    with path.open("r+b") as handle:
        handle.truncate(len(good + begin) + holes)
    with _memory(100 << 20):
        assert list(members(path))[:1] == ["good.mp4"]


def test_what_stands_behind_odd_headers_is_found(tmp_path):
    """Attributes of all members, long names, a member with holes: archives that are in order."""
    everywhere = tarfile.TarInfo._create_pax_generic_header({"comment": "git"}, tarfile.XGLTYPE, "utf-8")
    holes = _pax(SPARSE) + _header(tarfile.REGTYPE, 512, "a") + b"1\n0\n0\n".ljust(512, b"\0")
    good = _header(tarfile.REGTYPE, 3, "good.mp4") + b"abc".ljust(512, b"\0")
    (tmp_path / "x.tar").write_bytes(everywhere + holes + good + bytes(1024))
    assert list(members(tmp_path / "x.tar")) == ["good.mp4"]


def test_a_picture_has_so_many_pixels_and_no_more(tmp_path, monkeypatch):
    """By the header, in the stream behind it, and stretched to square pixels."""
    video = write_video(tmp_path / "a.mp4", constant(1.0), size=(64, 96))
    monkeypatch.setenv(PICTURE_PIXELS.variable, str(64 * 128))  # FFmpeg counts rows as it pads them
    assert probe(video).width == 96
    assert pictures_at(video, [0.0])[0].shape == (64, 96, 3)
    monkeypatch.setattr(pictures, "_square_pixels", partial(_stretched, pictures._square_pixels))
    with pytest.raises(VideoError, match=r"96000x64 square pixels, .*REFOCUS_MAX_PICTURE_PIXELS"):
        pictures_at(video, [0.0])
    monkeypatch.setenv(PICTURE_PIXELS.variable, str(64 * 96 - 1))
    with pytest.raises(VideoError, match=r"pictures of 6144 pixels, .*REFOCUS_MAX_PICTURE_PIXELS"), opened(video):
        pass


def _stretched(square, image, aspect):
    assert aspect == 1
    return square(image, Fraction(1000))


def test_a_stream_whose_pictures_grow_is_not_followed(tmp_path, monkeypatch):
    """An annex B stream may say anything of its size, at any time."""
    small, large = (write_video(tmp_path / f"{side}.h264", constant(0.2), size=(side, side)) for side in (32, 256))
    (tmp_path / "grows.h264").write_bytes(small.read_bytes() + large.read_bytes())
    assert {frame.frame.width for frame in every_frame(tmp_path / "grows.h264")} == {32, 256}
    monkeypatch.setenv(PICTURE_PIXELS.variable, "4096")
    with pytest.raises(VideoError, match="a plain decode stops"):
        list(every_frame(tmp_path / "grows.h264"))


def test_a_line_of_pixels_is_not_blown_up_to_a_square(monkeypatch):
    """Cropped, a picture of 96x1 would first become size * 96 wide."""
    frame = VideoFrame.from_ndarray(np.zeros((2, 96, 3), np.uint8), format="rgb24")
    assert RgbConverter(32, "crop")(frame).shape == (32, 32, 3)
    monkeypatch.setenv(PICTURE_PIXELS.variable, str(32 * 32 * 48 - 1))
    with pytest.raises(VideoError, match="1536x32 pixels in this shape"):
        RgbConverter(32, "crop")(frame)


def test_a_stored_picture_is_measured_before_it_is_decoded(monkeypatch):
    data = jpeg(np.zeros((32, 32, 3), np.uint8), 90)
    assert next(stored_pictures(data, [0], [len(data)], [0])).shape == (32, 32, 3)
    claims = data.replace((32).to_bytes(2) * 2, (65500).to_bytes(2) * 2, 1)
    with pytest.raises(DamagedFrames, match=r"65500x65500 pixels, .*REFOCUS_MAX_PICTURE_PIXELS"):
        next(stored_pictures(claims, [0], [len(data)], [0]))


@pytest.mark.parametrize("container", ["mp4", "ivf", "roq", "avi"])
def test_a_container_of_nothing_but_headers_is_not_walked_to_its_end(tmp_path, container, monkeypatch):
    parts = {"mp4": b"\0\0\0\x08free", "ivf": bytes(12), "roq": bytes(8), "avi": b"RIFF\x01\0\0\0\0\0"}
    (tmp_path / "x").write_bytes(parts[container] * 5000)
    monkeypatch.setattr(truncation, "_PARTS", 100)
    reads = []
    read = truncation._Video.read
    monkeypatch.setattr(truncation._Video, "read", lambda self, *at: (reads.append(at), read(self, *at))[1])
    truncation.is_truncated(tmp_path / "x", container)
    assert len(reads) < 300
