"""Needles in haystacks: the haystack is what it would be without the needle, and the needle lies where it should."""

import json

import numpy as np
import pytest
from refocus.config.niah import NiahSettings
from refocus.video.frame_plan import grid
from refocus.world.haystacks import FPS, build, plan, splice
from refocus.world.scene import SHAPES, sample_scene

SETTINGS = NiahSettings(lengths=(64, 100, 512), depths=4, videos=3)


@pytest.mark.parametrize("at_s", [0.0, 3.3, 7.9, 20.0])
def test_a_splice_shows_the_haystack_and_in_between_the_needle(at_s):
    """Also where the needle interrupts an event: what comes behind it is only later."""
    haystack = sample_scene(np.random.default_rng(3), 20.0, events=6)
    needle = next(e for e in sample_scene(np.random.default_rng(4), 40.0, events=10).events if e.start_s > 5)
    length = needle.end_s - needle.start_s
    spliced = splice(haystack, needle, at_s)

    def shape(scene, time_s):
        event = scene.event_at(time_s)
        return event and event.shape

    for time_s in np.linspace(0.01, 19.99, 200):
        later = time_s + length * (time_s >= at_s)
        assert shape(spliced, later) == shape(haystack, time_s)
    for time_s in np.linspace(at_s + 0.01, at_s + length - 0.01, 9):
        assert spliced.event_at(time_s).shape == needle.shape
    assert spliced.duration_s == pytest.approx(haystack.duration_s + length)


@pytest.mark.parametrize("video", plan(SETTINGS), ids=lambda video: video.name)
def test_every_video_has_its_length_and_asks_for_the_one_shape_that_the_haystack_does_not_show(video):
    frames, depth, _ = map(int, video.name.split("-"))
    times = grid(video.scene.duration_s, FPS, 512)
    assert len(times) == frames
    ((start, end),) = video.question.spans
    assert sum(start <= time_s < end for time_s in times) == SETTINGS.needle_frames
    (asked,) = [e.shape for e in video.scene.events if (e.start_s, e.end_s) == (start, end)]
    assert [e.shape for e in video.scene.events].count(asked) == 1 and asked in SHAPES and asked in video.question.text
    share = start / (video.scene.duration_s - (end - start))
    assert depth / SETTINGS.depths - 1e-3 <= share <= (depth + 1) / SETTINGS.depths + 1e-3


def test_equal_settings_give_equal_videos_and_another_seed_others():
    assert plan(SETTINGS) == plan(SETTINGS) != plan(SETTINGS.model_copy(update={"seed": 1}))


def test_the_table_names_the_videos_and_when_the_needle_is_visible(tmp_path):
    settings = NiahSettings(lengths=(64,), depths=2, videos=1)
    build(settings, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text().splitlines()]
    assert [row["video"] for row in rows] == ["064-00-000.mp4", "064-01-000.mp4"]
    assert all((tmp_path / row["video"]).stat().st_size > 1000 for row in rows)
    for row, video in zip(rows, plan(settings), strict=True):
        assert row["evidence"] == [[pytest.approx(end, abs=1e-3) for end in video.question.spans[0]]]
        assert row["options"]["ABCD".index(row["answer"])] == video.question.answer
