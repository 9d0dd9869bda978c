"""Every format reads back as it was written, and says nothing rather than something wrong."""

import json

import pyarrow.parquet as pq
import pytest
from PIL import Image
from refocus.core.errors import RefocusError, UsageError
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import ExportSources, read_asked, read_picked
from refocus.select.selections import SCHEMA, read_selections

from tests.support.asked_videos import VIDEOS, build_asked_videos
from tests.support.exporting import N, bring_back, changed, export, write


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_is_imported(name, even, tmp_path):
    table = even.select("random", N, tmp_path / "random")
    file = tmp_path / ("file.json" if name in ("frame_idx", "keyframe_indices") else "file")
    assert export(even, name, table, file) == 0
    assert bring_back(even, name, file, tmp_path / "back") == 0
    ours, back = read_selections(table), read_selections(tmp_path / "back" / f"n{N}.s0.parquet")
    assert list(back) == list(ours)
    for qa_id, row in ours.items():
        assert back[qa_id].frames_indices == row.frames_indices and back[qa_id].frame_indices == row.frame_indices
        assert back[qa_id].timestamps_s == row.timestamps_s and back[qa_id].file == row.file
        if name in ("jsonl", "aks", "frame_idx", "videoitg"):
            assert back[qa_id].pick_order == row.pick_order
    assert set(pq.read_table(tmp_path / "back" / f"n{N}.s0.parquet")["selector"].to_pylist()) == {"imported/back"}


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"jsonl"}))
def test_one_file_holds_one_selection(name, bench, table, tmp_path):
    other = bench.select("uniform", N, tmp_path / "uniform")
    tables = read_picked([table, other], [read_asked(bench.qa)])
    with pytest.raises(UsageError, match="holds one selection"):
        FORMATS[name].write(tables, ExportSources(bench.annotations, bench.videos, "m"), tmp_path / "file")


@pytest.mark.parametrize("name", ["aks", "frame_idx", "keyframe_indices", "videoitg", "bolt"])
def test_too_few_frames_are_refused_which_readers_would_fill_up_in_silence(name, even, tmp_path):
    table = even.select("uniform", 24, tmp_path / "uniform")  # a clip of 4 s has 16
    with pytest.raises(RefocusError, match=r"2 questions \(0, 1\) have other than 24 frames"):
        write(even, name, table, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_question_without_a_row_is_refused(name, bench, table, tmp_path):
    short = changed(table, tmp_path, lambda rows: dict(list(rows.items())[1:]))
    with pytest.raises(RefocusError, match=r"1 question \(0\) of bench have no row"):
        write(bench, name, short, tmp_path / "file")


def test_a_table_that_does_not_know_its_files_is_refused(bench, table, tmp_path):
    pq.write_table(pq.read_table(table).select(SCHEMA.names), tmp_path / table.name)
    with pytest.raises(RefocusError, match="made before selections carried"):
        write(bench, "jsonl", tmp_path / table.name, tmp_path / "file")


@pytest.mark.parametrize(("name", "why"), [("dig", "equal questions about one video"), ("tstar", "mix seconds")])
def test_a_format_whose_trap_cannot_be_avoided_is_refused_with_the_reason(name, why, bench, table, tmp_path, caplog):
    assert export(bench, name, table, tmp_path / "file") == 2
    assert why in caplog.text and not (tmp_path / "file").exists()


def test_canonical_lines_hold_several_selections_and_name_each(bench, table, tmp_path):
    other = bench.select("uniform", N, tmp_path / "uniform")
    words = ["jsonl", table, other.parent, "--qa", bench.qa, "--out", tmp_path / "file"]
    assert bench.refocus("export", *words) == 0
    lines = [json.loads(line) for line in (tmp_path / "file").read_text().splitlines()]
    assert [line["selector"] for line in lines] == ["random"] * 6 + ["uniform"] * 6
    for line in lines:
        assert sorted(line["pick_order"]) == line["frames_indices"] and len(line["frames_indices"]) == N
        assert line["total_num_frames"] == len(VIDEOS[line["video"]])
    assert bring_back(bench, "jsonl", tmp_path / "file", tmp_path / "back") == 1  # two lines a question


def test_picked_frames_are_saved_for_people_too(bench, table, tmp_path):
    assert export(bench, "jsonl", table, tmp_path / "file", "--save-frames", tmp_path / "frames") == 0
    rows = read_selections(table)
    for question in bench.questions:
        files = sorted((tmp_path / "frames" / "random" / f"n{N}.s0" / question.qa_id).iterdir())
        numbers = tuple(int(file.name.split("frame")[1].split("-")[0]) for file in files)
        assert numbers == rows[question.qa_id].frames_indices
        with Image.open(files[0]) as picture:
            assert picture.size == (96, 64)


@pytest.mark.parametrize("words", [("jsonl", "--save-frames", "frames"), ("vllm", "--served-model", "m")])
def test_frames_of_a_file_outside_the_folder_of_the_videos_are_not_given_away(words, tmp_path, caplog):
    """The video was put elsewhere after ingest, and a link in its place."""
    bench = build_asked_videos(tmp_path / "bench", ("even.mp4",))
    picked = bench.select("random", N, tmp_path / "random")
    video = (bench.videos / "even.mp4").rename(tmp_path / "elsewhere.mp4")
    (bench.videos / "even.mp4").symlink_to(video)
    name, flag, value = words
    value = str(tmp_path / value) if flag == "--save-frames" else value
    assert export(bench, name, picked, tmp_path / "file", flag, value) == 1
    assert "leaves the data root" in caplog.text and not list(tmp_path.rglob("*.jpg"))


def test_a_clip_without_frames_goes_out_and_comes_back_flagged(table, tmp_path):
    bench = build_asked_videos(tmp_path, ("even.mp4", "long.mp4"))
    index = pq.read_table(bench.index)
    pq.write_table(index.slice(1), bench.index)
    picked = bench.select("random", N, tmp_path / "random")
    assert export(bench, "jsonl", picked, tmp_path / "file") == 0
    assert bring_back(bench, "jsonl", tmp_path / "file", tmp_path / "back", "--n-frames", N) == 0
    rows = list(read_selections(tmp_path / "back" / f"n{N}.s0.parquet").values())
    assert [row.flags for row in rows] == [("no_frames",)] * 2 + [()] * 2
    for name in sorted(set(FORMATS) - {"jsonl"}):
        with pytest.raises(RefocusError, match=r"2 questions \(0, 1\)"):
            write(bench, name, picked, tmp_path / name)
