"""Training videos of benchmarks: ids read from each format's paths, counts per pair, and what cannot be known."""

import argparse
import json

import pyarrow.parquet as pq
import pytest
from refocus.cli import screen as screen_command
from refocus.core.errors import UsageError
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.leakage import Leaks
from refocus.qa.origin import FORMS, origin
from refocus.qa.records import write_questions
from refocus.qa.screening import write_leaks

from tests.support.asked import asked

ID = "-aB_3x9Qz0k"
PATHS = [
    ("llava_video", f"1_2_m_youtube_v0_1/liwei_youtube_videos/videos/youtube_video_2024/ytb_{ID}.mp4"),
    ("llava_video", f"1_2_m_academic_v0_1/academic_source/activitynet/v_{ID}.mkv"),
    ("llava_video", f"2_3_m_academic_v0_1/academic_source/youcook2/101/{ID}/split_2.mp4"),
    ("activitynetqa", f"all_test/v_{ID}.webm"),
    ("cinepile", f"{ID}.mp4"),
    ("cinepile", f"{ID}/{ID}.mp4"),
    ("cinepile", f"The video. Part 2_watch?v={ID}.mp4"),
    ("vista", f"temporal_niah_mcq/{ID}_19_17to138.mp4"),
    ("vista", f"temporal_niah_mcq/temporal_niah_mcq_3.tar/1536+99/{ID}_19_17to138.mp4"),
    ("videomme", f"data/{ID}.MP4"),
    ("longvideobench", f"videos/{ID}.mp4"),
]
NO_ID = [
    ("mlvu", "video/1_plotQA/movie101_66.mp4"),
    ("nextqa", "NExTVideo/1164/32387375310.mp4"),
    ("perceptiontest", "videos/video_10001.mp4"),
    ("longvideobench", "videos/7262468242692689194.mp4"),
    ("llava_video", "0_30_s_academic_v0_1/academic_source/Charades/Q04USABCDEF.mp4"),
    ("vista", "temporal_niah_mcq/short_1.mp4"),
    ("videommmu", "Science/validation_Math_15.mp4"),
]


@pytest.mark.parametrize(("format", "path"), PATHS)
def test_the_id_is_read_from_the_path(format, path):
    assert origin(format, asked("x", path)).youtube == ID


@pytest.mark.parametrize(("format", "path"), NO_ID)
def test_nothing_is_guessed_where_the_path_does_not_tell(format, path):
    assert origin(format, asked("x", path)).youtube == ""


def test_an_adapter_may_pass_the_id_on_itself():
    question = asked("videommmu", "Science/validation_Math_15.mp4", flags=("track:adaptation", f"youtube:{ID}"))
    assert origin("videommmu", question).youtube == ID


def test_every_form_names_its_video():
    assert all("(?P<name>" in form.pattern for forms in FORMS.values() for form in forms)


def test_leaks_are_counted_per_pair_and_listed_by_clip():
    leaks = Leaks()
    leaks.forbid("videomme", [asked("videomme", f"data/{ID}.mp4", source_id=str(n)) for n in range(3)])
    leaks.forbid("longvideobench", [asked("lvb", f"videos/{name}.mp4") for name in (ID, "bbbbbbbbbbb")])
    vista = [f"temporal_niah_mcq/{ID}_19_{n}.mp4" for n in (1, 1, 2)] + ["temporal_niah_mcq/ccccccccccc_1_2.mp4"]
    rows = list(leaks.find("vista", [asked("vista", path, source_id=str(n)) for n, path in enumerate(vista)]))
    rows += leaks.find("nextqa", [asked("nextqa", "NExTVideo/1.mp4")])
    assert [row["benchmark"] for row in rows] == ["lvb", "videomme"] * 3
    summary = leaks.summary()
    counts = {"dataset": "vista", "videos": 1, "clips": 2, "questions": 3}
    assert summary["pairs"] == [
        {**counts, "benchmark": "lvb", "benchmark_questions": 1},
        {**counts, "benchmark": "videomme", "benchmark_questions": 3},
    ]
    assert [(clip["video_path"], clip["questions"]) for clip in summary["clips"]] == sorted(
        [(vista[0], 2), (vista[2], 1)], key=lambda clip: asked("vista", clip[0]).clip_id
    )
    assert summary["same_paths"] == []
    assert summary["sources"]["nextqa"] == {"videos": 1, "with_youtube_id": 0}
    assert summary["sources"]["vista"] == {"videos": 3, "with_youtube_id": 3}


def test_ids_differ_by_case():
    leaks = Leaks()
    leaks.forbid("videomme", [asked("videomme", f"data/{ID}.mp4")])
    assert not list(leaks.find("cinepile", [asked("cinepile", f"{ID.swapcase()}.mp4")]))


def test_the_command_writes_what_the_filter_drops(tmp_path, capsys):
    trained, safe = asked("cine", f"{ID}.mp4"), asked("cine", "ddddddddddd.mp4")
    write_questions(tmp_path / "cine.parquet", [trained, safe], "ingest", {"format": "cinepile"})
    bench = tmp_path / "bench.parquet"
    write_questions(bench, [asked("bench", f"data/{ID}.mp4")], "ingest", {"format": "videomme"})
    parser = argparse.ArgumentParser()
    screen_command.add_arguments(parser)
    words = [str(word) for word in ("leaks", tmp_path / "cine.parquet", "--out", tmp_path / "out")]
    with pytest.raises(UsageError, match="--benchmarks"):
        screen_command.run(parser.parse_args(words))
    screen_command.run(parser.parse_args([*words, "--benchmarks", str(bench)]))
    (row,) = pq.read_table(tmp_path / "out/leaks.parquet").to_pylist()
    assert (row["qa_id"], row["reason"], row["youtube_id"]) == (trained.qa_id, "leaked", ID)
    assert json.loads((tmp_path / "out/leaks.json").read_text())["pairs"][0]["questions"] == 1
    assert "cine: 1 videos (1 clips, 1 questions) are in bench" in capsys.readouterr().out


def test_equal_paths_of_videos_without_ids_are_told_and_nothing_is_dropped(tmp_path):
    """As where somebody's benchmark is the data set itself."""
    paths = {"mine": ["a.mp4", "b.mp4", "b.mp4", f"{ID}.mp4"], "test": ["b.mp4", "c.mp4", f"{ID}.mp4"]}
    for name, videos in paths.items():
        rows = [asked(name, path, source_id=str(n)) for n, path in enumerate(videos)]
        write_questions(tmp_path / f"{name}.parquet", rows, "ingest", {"format": "csv"})
    write_questions(tmp_path / "tube.parquet", [asked("tube", f"{ID}.mp4")], "ingest", {"format": "cinepile"})
    said = write_leaks(tmp_path, [tmp_path / "mine.parquet", tmp_path / "tube.parquet"], [tmp_path / "test.parquet"])
    assert said[0].startswith("no training video is known by its YouTube id")
    assert said[1:2] == ["without YouTube ids, so compared by their paths alone: test, mine"]
    assert said[2].startswith("mine: 2 of 3 videos have the path of one in test: ") and len(said) == 3
    assert pq.read_table(tmp_path / "leaks.parquet").num_rows == 0


def test_real_videos_have_their_ids(shared_data, tmp_path):
    """One videoID of the published file, `azZZZbSwLQght`, is no YouTube id."""
    table = shared_data / "annotations/videomme/test-00000-of-00001.parquet"
    leaks = Leaks()
    leaks.forbid("videomme", read_source(SourceFiles("videomme", "videomme", (table,), tmp_path)).questions)
    assert leaks.summary()["sources"]["videomme"] == {"videos": 900, "with_youtube_id": 899}
