"""A file is opened once on its way to a shard, however its length has to be found out."""

import av
import numpy as np
import pytest
from refocus.config.decode import DecodeSettings
from refocus.frames.decode_clip import DecodeJob, StoredClip, decode_clip
from refocus.qa.clips import ClipRow
from refocus.video import track
from refocus.video.decode import DecodeReport, decode_frames, frames_shown, plan_clip
from refocus.video.every_frame import every_time
from refocus.video.track import opened_track
from refocus.world.render_video import Encoding
from refocus.world.render_video import write_video as write_scene
from refocus.world.scene import sample_scene

from tests.support.faults import FAULTS
from tests.support.faulty_files import sound
from tests.support.videos import constant, moving, write_video

SETTINGS = DecodeSettings(size=64)
CLIPS = [(None, None), (0.5, 2.1), (0.5, 100.0)]  # the whole file, inside it, up to behind its end


@pytest.fixture
def opens(monkeypatch):
    """The files that PyAV opened."""
    opened, plain = [], av.open

    def counted(file, *arguments, **named):
        opened.append(str(file))
        return plain(file, *arguments, **named)

    monkeypatch.setattr(av, "open", counted)
    return opened


def decoded(path, start=None, end=None):
    """What a worker makes of a clip."""
    return decode_clip(DecodeJob(ClipRow("0" * 16, path.name, start, end, 0), path, SETTINGS), lambda: None)


@pytest.mark.parametrize(("start", "end"), CLIPS)
@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264.mkv", "h264.ts", "h264.flv", "hevc.mov", "vp9.webm", "av1.ivf", "mpeg2.mpg", "wmv2.wmv"]
)
def test_a_clip_opens_its_file_once(tmp_path, opens, name, start, end):
    """With or without a length in the header, or an index."""
    path = sound(tmp_path / name, name.split(".")[0])
    opens.clear()
    clip = decoded(path, start, end)
    assert isinstance(clip, StoredClip) and clip.metadata.error is None
    assert len(opens) == 1


@pytest.mark.parametrize(
    "name", ["a clock that begins again", "leading pictures at the beginning", "a beginning within a GOP"]
)
def test_files_with_faults_are_opened_once(tmp_path, opens, name):
    """Also where the first frame, or the length, takes more reading."""
    path = FAULTS[name][0](tmp_path, "hevc", "ts").path
    opens.clear()
    assert isinstance(decoded(path), StoredClip)
    assert len(opens) == 1


def test_the_worlds_and_real_clips(tmp_path, opens, shared_data):
    """Every video that is there."""
    write_scene(tmp_path / "world.mp4", sample_scene(np.random.default_rng(4), 14.0), Encoding())
    paths = [tmp_path / "world.mp4", *sorted((shared_data / "videos").glob("*.m*"))]
    for path in paths:
        opens.clear()
        assert isinstance(decoded(path), StoredClip)
        assert len(opens) == 1, path


def test_a_length_without_opening_again(tmp_path, opens):
    """The frames of `refocus select`, and the plain decode that stored frames are compared with."""
    path = sound(tmp_path / "a.mkv", "h264")
    opens.clear()
    with opened_track(path) as file:
        plan = plan_clip(file, 4.0, 512, None, None)
        assert decode_frames(file, plan.times_s).status == "ok"
    assert len(opens) == 1
    assert len(every_time(path)) == 76
    assert len(opens) == 2


def test_what_does_not_fit_into_memory_is_opened_twice(tmp_path, opens, monkeypatch):
    """Packets that are not kept are read again."""
    path = sound(tmp_path / "a.mp4", "h264")
    whole = decoded(path)
    monkeypatch.setattr(track, "KEPT_PACKETS", 20)
    opens.clear()
    assert decoded(path) == whole
    assert len(opens) == 2


@pytest.mark.parametrize("kind", ["mkv", "flv", "webm"])
def test_packets_read_for_the_length_are_those_decoded(tmp_path, kind):
    """A clip from the middle of a longer file, behind whose packets the end had to be looked for."""
    codec = {"webm": "libvpx-vp9"}.get(kind, "libx264")
    options = {"g": "30", "deadline": "realtime", "cpu-used": "8"} if kind == "webm" else {"g": "30", "bf": "2"}
    path = write_video(tmp_path / f"a.{kind}", constant(12.0), (80, 96), moving(360), codec=codec, options=options)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"DURATION", b"DURATIOM"))  # the tag of Matroska
    times = [3.0, 3.25, 3.5, 4.0]
    apart = decode_frames(path, times)
    with opened_track(path) as file:
        plan = plan_clip(file, 4.0, 512, 3.0, 4.25)
        assert file.table is not None and not file.table.whole
        assert plan.duration_s == pytest.approx(12.0, abs=0.05)
        report = DecodeReport()
        together = list(frames_shown(file, times, None, report))
    assert report.problem() is None
    assert [frame.source_frame for frame in together] == apart.source_frames
    assert all((frame.image == image).all() for frame, image in zip(together, apart.images, strict=True))
