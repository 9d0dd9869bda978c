"""Which clips show the same film, whatever data sets and paths they come with."""

import pytest
from refocus.qa.origin import film

from tests.support.asked import asked

ID = "-aB_3x9Qz0k"
SAME = {
    "a video of NExT-QA": [
        ("nextqa", "NExTVideo/1164/3238737531.mp4"),
        ("nextqa", "NExTVideo/3238737531.mp4"),
        ("llava_video", "0_30_s_nextqa/NextQA/NExTVideo/1164/3238737531.mp4"),
        ("llava_video", "30_60_s_academic_v0_1/academic_source/NextQA/1164/3238737531.mp4"),
    ],
    "a video of Perception Test": [
        ("perceptiontest", "videos/video_10001.mp4"),
        ("llava_video", "0_30_s_perceptiontest/perception_test/videos/video_10001.mp4"),
    ],
    "a YouTube video and what was cut from it": [
        ("activitynetqa", f"all_test/v_{ID}.webm"),
        ("cinepile", f"{ID}.mp4"),
        ("llava_video", f"1_2_m_academic_v0_1/academic_source/activitynet/v_{ID}.mkv"),
        ("llava_video", f"2_3_m_academic_v0_1/academic_source/youcook2/101/{ID}/split_2.mp4"),
        ("llava_video", f"1_2_m_youtube_v0_1/liwei_youtube_videos/videos/youtube_video_2024/ytb_{ID}.mp4"),
        ("vista", f"temporal_niah_mcq/{ID}_19_17to138.mp4"),
        ("vista", f"temporal_niah_mcq/{ID}_20_1to17.mp4"),
    ],
    "a video of LLaVA-Video's own in two folders": [
        ("llava_video", "0_30_s_academic_v0_1/academic_source/Charades/Q04US.mp4"),
        ("llava_video", "30_60_s_academic_v0_1/academic_source/Charades/Q04US.mp4"),
    ],
}
ALONE = [("", "a/1.mp4"), ("", "b/1.mp4"), ("mlvu", "1.mp4"), ("nextqa", "elsewhere.mp4"), ("vista", "short_1.mp4")]


@pytest.mark.parametrize("paths", SAME.values(), ids=SAME)
def test_a_film_is_one_under_all_its_paths(paths):
    assert len({film(format, asked(f"set{place}", path)) for place, (format, path) in enumerate(paths)}) == 1


def test_other_films_are_other_films():
    assert len({film(*_first(paths)) for paths in SAME.values()}) == len(SAME)


def test_a_file_of_unknown_origin_is_a_film_of_its_data_set():
    """Equal paths in two data sets name two files where nothing says that they are one."""
    found = {film(format, asked(dataset, path)) for format, path in ALONE for dataset in ("one", "two")}
    assert found == {(dataset, path) for _, path in ALONE for dataset in ("one", "two")}


def test_an_id_that_the_adapter_passes_on_names_the_film():
    flagged = asked("lectures", "Science/1.mp4", flags=("track:adaptation", f"youtube:{ID}"))
    assert film("videommmu", flagged) == film("cinepile", asked("cinepile", f"{ID}.mp4"))


def _first(paths):
    format, path = paths[0]
    return format, asked("any", path)
