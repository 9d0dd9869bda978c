"""A benchmark that shows its question in the last frame keeps that frame, whatever picks, and says so."""

import pytest
from refocus.config.overlay import check
from refocus.select.baselines import RandomSelector, UniformSeenSelector, UniformSelector
from refocus.select.benchmark import select_benchmark
from refocus.select.last_frame import LAST_FRAME, with_last_frame
from refocus.select.picks import Picks, VideoFile
from refocus.select.selections import NO_FRAMES

from tests.select.test_benchmark_mode import FILES, QUESTIONS, Store, question


def long_store() -> Store:
    store = Store()
    store.lengths["a"] = 512
    return store


def test_uniform_of_a_full_clip_ends_with_the_frame_that_shows_the_question():
    """32 of 512 frames by midpoints end at number 504; with the rule at 511, and are still 32."""
    asked = [question("1", "a")]
    free = select_benchmark(UniformSelector(), asked, long_store(), [32], FILES)[32]["1"]
    kept = select_benchmark(UniformSelector(), asked, long_store(), [32], FILES, keep_last_frame=True)[32]["1"]
    assert (free.frame_indices[-1], free.flags) == (504, ())
    assert (kept.frame_indices[-1], kept.flags) == (511, (LAST_FRAME,))
    assert kept.frame_indices[:-1] == free.frame_indices[:-1]
    assert (kept.timestamps_s[-1], kept.frames_indices[-1]) == (255.5, 12 * 511)


@pytest.mark.parametrize("selector", [UniformSelector(), RandomSelector(5), UniformSeenSelector(64)], ids=type)
def test_every_selector_keeps_it_inside_the_budget(selector):
    free = select_benchmark(selector, QUESTIONS, long_store(), [1, 2, 8], FILES)
    kept = select_benchmark(selector, QUESTIONS, long_store(), [1, 2, 8], FILES, keep_last_frame=True)
    last = {"a": 511, "b": 2}
    for n, rows in kept.items():
        for asked in QUESTIONS:
            row = rows[asked.qa_id]
            assert len(row.frame_indices) == len(free[n][asked.qa_id].frame_indices) == len(set(row.pick_order))
            assert (
                row.flags == (NO_FRAMES,) if asked.clip_id not in last else row.frame_indices[-1] == last[asked.clip_id]
            )


def test_the_pick_that_came_last_gives_way_and_what_was_picked_anyway_is_not_flagged():
    assert with_last_frame(Picks((7, 2, 5), (0.9, 0.5, 0.1)), 10) == Picks((7, 2, 9), (0.9, 0.5, 0.1), (LAST_FRAME,))
    picked = Picks((9, 2, 5), (0.9, 0.5, 0.1), ("other",))
    assert with_last_frame(picked, 10) is picked
    nothing = Picks((), (), (NO_FRAMES,))
    assert with_last_frame(nothing, 10) is nothing


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        ({"format": "videommmu"}, True),
        ({"format": "videomme"}, False),
        ({"format": "videommmu", "keep_last_frame": False}, False),
        ({"format": "videomme", "keep_last_frame": True}, True),
    ],
)
def test_video_mmmu_keeps_it_unless_told_otherwise(entry, kept):
    assert check({"benchmarks": {"bench": entry}}).benchmarks["bench"].keeps_last_frame is kept


def test_the_file_of_a_row_is_the_same_with_and_without(monkeypatch):
    files = {clip: VideoFile("v.mp4", "d", 9) for clip in "abcd"}
    for keep in (False, True):
        rows = select_benchmark(UniformSelector(), QUESTIONS, Store(), [2], files, keep)[2]
        assert {row.file for row in rows.values()} == {files["a"]}
