"""Scenes, drawings and videos: what a world video shows, and that every file shows the same."""

import hashlib

import av
import numpy as np
import pytest
from refocus.video.decode import frames_at
from refocus.world.draw import draw
from refocus.world.render_video import Encoding, frame_times, write_video
from refocus.world.scene import COLORS, Scene, sample_scene


@pytest.fixture
def scene() -> Scene:
    return sample_scene(np.random.default_rng(4), 14.0)


@pytest.mark.parametrize("seed", range(8))
def test_events_are_apart_inside_the_video_and_named_by_their_shapes(seed):
    scene = sample_scene(np.random.default_rng(seed), 12.0 + 3.5 * seed)
    assert len({event.shape for event in scene.events}) == len(scene.events) >= 4
    edges = [0.0, *(edge for event in scene.events for edge in (event.start_s, event.end_s)), scene.duration_s]
    assert edges == sorted(edges)


def test_equal_seeds_draw_equal_scenes():
    first, second = (sample_scene(np.random.default_rng([7, 1]), 20.0) for _ in range(2))
    assert first == second
    assert first != sample_scene(np.random.default_rng([7, 2]), 20.0)


def test_an_event_shows_its_border_and_its_shape_and_nothing_shows_neither(scene):
    event = scene.events[0]
    middle = (event.start_s + event.end_s) / 2
    shown, before = draw([(scene, middle), (scene, event.start_s - 0.01)], 128, 128)
    assert (shown[0] == COLORS[event.edge]).all()
    assert not (before[0] == COLORS[event.edge]).all()
    inside = (shown[20:-20, 20:-20] == COLORS[event.color]).all(-1).sum()
    assert inside > 150 > (before[20:-20, 20:-20] == COLORS[event.color]).all(-1).sum()


def test_a_small_drawing_is_a_large_one_made_small(scene):
    event = scene.events[1]
    moments = [(scene, event.start_s + 0.3)]
    small = draw(moments, 64, 64)[0].astype(float)
    large = draw(moments, 256, 192)[0].astype(float).reshape(64, 4, 64, 3, 3).mean((1, 3))
    assert np.abs(small - large).mean() < 12
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    "encoding", [Encoding(), Encoding(variable=True), Encoding(rotation=90), Encoding(144, 256, 10.0, rotation=90)]
)
def test_whatever_the_file_the_decoder_shows_the_scene_upright(tmp_path, scene, encoding):
    path = tmp_path / "video.mp4"
    write_video(path, scene, encoding)
    shown_at = frame_times(scene.duration_s, encoding)
    wanted = [float(shown_at[np.searchsorted(shown_at, t, "right") - 1]) for t in (0.5, 4.1, 9.9)]
    seen = frames_at(path, [time_s + 1e-4 for time_s in wanted], 64).astype(float)  # 49/12 s is no float
    drawn = draw([(scene, time_s) for time_s in wanted], 64, 64).astype(float)
    assert np.abs(seen - drawn).mean() < 8


def test_videos_are_what_they_claim(tmp_path, scene):
    write_video(tmp_path / "variable.mp4", scene, Encoding(variable=True))
    write_video(tmp_path / "turned.mp4", scene, Encoding(144, 256, rotation=90))
    with av.open(str(tmp_path / "variable.mp4")) as container:
        gaps = np.diff([float(frame.time) for frame in container.decode(video=0)])
        assert gaps.max() > 1.3 * gaps.min()
    with av.open(str(tmp_path / "turned.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height, abs(frame.rotation)) == (144, 256, 90)


def test_videos_made_again_among_others_have_the_same_bytes(tmp_path):
    """Several forms in turn, so that memory one video leaves behind would show in the next (x264's mbtree read it)."""
    encodings = [
        Encoding(),
        Encoding(144, 256, 10.0),
        Encoding(256, 144, 15.0, variable=True),
        Encoding(fps=8.0, rotation=90),
    ]
    scenes = [sample_scene(np.random.default_rng(seed), 8.0) for seed in range(len(encodings))]
    digests = [set() for _ in encodings]
    for _ in range(4):
        for seen, scene, encoding in zip(digests, scenes, encodings, strict=True):
            write_video(tmp_path / "video.mp4", scene, encoding)
            seen.add(hashlib.sha256((tmp_path / "video.mp4").read_bytes()).hexdigest())
    assert [len(seen) for seen in digests] == [1] * len(encodings)
