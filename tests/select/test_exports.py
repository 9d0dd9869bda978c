"""Every format reads back as it was written, and none lets its reader fall into the traps that it is known for."""

import base64
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.records import write_questions
from refocus.select.exports.annotations import annotation_rows
from refocus.select.exports.checks import prefix_order, spread
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import Asked, ExportSources, read_asked, read_picked
from refocus.select.selections import SCHEMA, read_selections, write_selections
from transformers.video_utils import VideoMetadata

from tests.support.asked_videos import VIDEOS, build_asked_videos
from tests.support.videos import level

N = 6


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build_asked_videos(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def even(tmp_path_factory):
    """Only videos whose frames come at an even rate."""
    return build_asked_videos(tmp_path_factory.mktemp("even"), ("even.mp4", "long.mp4"))


@pytest.fixture(scope="module")
def table(bench):
    return bench.select("random", N, bench.home / "random")


def export(bench, name, table, out, *more):
    words = [name, table, "--qa", bench.qa, "--annotations", bench.annotations, "--videos", bench.videos]
    return bench.refocus("export", *words, "--served-model", "m", "--out", out, *more)


def bring_back(bench, name, file, out, *more):
    words = [name, file, "--qa", bench.qa, "--index", bench.index, "--videos", bench.videos]
    words += ["--annotations", bench.annotations, "--name", "back", "--out", out, *more]
    return bench.refocus("import", *words)


def write(bench, name, table, path):
    """The format's own `write`, whose errors are not yet a status."""
    sources = ExportSources(bench.annotations, bench.videos, "m")
    FORMATS[name].write(read_picked([table], [read_asked(bench.qa)]), sources, path)


def changed(table, folder, change):
    """The table with other rows."""
    rows = read_selections(table)
    path = folder / table.name
    write_selections(path, change(rows), {"selector": "random", "selector_digest": "x"})
    return path


# What every format has to keep


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


# Places: AKS, FOCUS, TSPO, WFS-SB, VideoITG


@pytest.mark.parametrize("name", ["aks", "frame_idx", "keyframe_indices", "videoitg"])
def test_a_rejected_annotation_row_is_refused_as_it_would_shift_all_later_ones(name, bench, table, tmp_path):
    rows = bench.annotations.read_text().splitlines()
    more = tmp_path / "questions.csv"
    more.write_text("\n".join([rows[0], rows[1].replace("red,0", "nothing,9"), *rows[1:]]) + "\n")
    sources = ExportSources(more, bench.videos)
    tables = read_picked([table], [read_asked(bench.qa)])
    with pytest.raises(RefocusError, match=r"1 question \(9\) are not in the question table"):
        FORMATS[name].write(tables, sources, tmp_path / "file")


@pytest.mark.parametrize("name", ["aks", "videoitg"])
def test_places_are_those_of_the_annotation_file_not_of_the_question_table(name, bench, table, tmp_path):
    asked = read_asked(bench.qa)
    write_questions(tmp_path / "qa.parquet", reversed(asked.questions), "ingest", {"format": "csv", "options": {}})
    tables = read_picked([table], [read_asked(tmp_path / "qa.parquet")])
    FORMATS[name].write(tables, ExportSources(bench.annotations), tmp_path / "reversed")
    write(bench, name, table, tmp_path / "straight")
    assert (tmp_path / "reversed").read_text() == (tmp_path / "straight").read_text()


@pytest.mark.parametrize("name", ["aks", "frame_idx", "videoitg"])
@pytest.mark.parametrize("selector", ["random", "uniform"])
def test_the_first_n_of_a_list_are_never_the_earliest_n(name, selector, bench, tmp_path):
    """For readers that take the first N and sort them: as they were picked, or spread where that is time's order."""
    table = bench.select(selector, 8, tmp_path / selector)
    write(bench, name, table, tmp_path / "file")
    text = (tmp_path / "file").read_text()
    rows = [json.loads(line) for line in text.splitlines()] if name == "videoitg" else json.loads(text)
    lists = [row if name == "aks" else row["index" if name == "videoitg" else name] for row in rows]
    for values, row in zip(lists, read_selections(table).values(), strict=True):
        assert sorted(values) == list(row.frames_indices) and all(type(value) is int for value in values)
        assert sorted(values[:4]) != list(row.frames_indices[:4])
        if selector == "random":
            assert tuple(values) == row.file_pick_order


def test_every_beginning_of_a_spread_list_reaches_over_all_of_it():
    for n in (1, 2, 3, 8, 32, 33):
        assert sorted(spread(tuple(range(n)))) == list(range(n))
        for first in range(2, n):
            part = sorted(spread(tuple(range(n)))[:first])
            assert part[0] == 0 and part[-1] >= n // 2


def test_keyframes_are_in_the_order_of_time(bench, table, tmp_path):
    """WFS-SB's reader shows them as they stand there."""
    write(bench, "keyframe_indices", table, tmp_path / "file")
    rows = json.loads((tmp_path / "file").read_text())
    assert all(row["keyframe_indices"] == sorted(set(row["keyframe_indices"])) for row in rows)
    assert [row["question"] for row in rows] == [question.question for question in bench.questions]


def test_aks_needs_as_many_lists_as_rows(bench, table, tmp_path):
    write(bench, "aks", table, tmp_path / "file")
    lists = json.loads((tmp_path / "file").read_text())
    (tmp_path / "file").write_text(json.dumps(lists[1:]))
    with pytest.raises(RefocusError, match="5 lists for the 6 rows"):
        FORMATS["aks"].read(tmp_path / "file", read_asked(bench.qa), ExportSources(bench.annotations))


def test_whole_numbers_written_as_floats_are_read_and_others_refused(bench, table, tmp_path):
    """AKS's and TSPO's files for Video-MME hold floats."""
    write(bench, "aks", table, tmp_path / "file")
    lists = json.loads((tmp_path / "file").read_text())
    asked, sources = read_asked(bench.qa), ExportSources(bench.annotations)
    ints = FORMATS["aks"].read(tmp_path / "file", asked, sources)
    (tmp_path / "file").write_text(json.dumps([[float(value) for value in values] for values in lists]))
    assert FORMATS["aks"].read(tmp_path / "file", asked, sources) == ints
    (tmp_path / "file").write_text(json.dumps([[0.5, *values[1:]] for values in lists]))
    with pytest.raises(RefocusError, match=r"0\.5 is no number of a frame"):
        FORMATS["aks"].read(tmp_path / "file", asked, sources)


def test_videoitg_has_a_line_for_every_row_and_reads_none_twice(bench, table, tmp_path):
    write(bench, "videoitg", table, tmp_path / "file")
    lines = (tmp_path / "file").read_text().splitlines()
    assert [json.loads(line)["doc_id"] for line in lines] == list(range(6))
    (tmp_path / "file").write_text("\n".join([*lines, lines[0]]))
    with pytest.raises(RefocusError, match="a second line for doc_id 0"):
        FORMATS["videoitg"].read(tmp_path / "file", read_asked(bench.qa), ExportSources(bench.annotations))
    (tmp_path / "file").write_text("\n".join(lines[1:]))
    assert bring_back(bench, "videoitg", tmp_path / "file", tmp_path / "back") == 1


def test_a_ranked_list_says_how_many_are_picks(bench, tmp_path):
    """VideoITG's own files rank all frames: their beginning counts, whatever its order in time."""
    lines = [
        {"doc_id": number, "index": [9, 3, 30, *range(31, 60 + number)], "logits": [3, 2, 1]} for number in range(6)
    ]
    (tmp_path / "file").write_text("\n".join(map(json.dumps, lines)))
    assert bring_back(bench, "videoitg", tmp_path / "file", tmp_path / "all") == 2
    assert bring_back(bench, "videoitg", tmp_path / "file", tmp_path / "two", "--n-frames", 2) == 0
    rows = read_selections(tmp_path / "two" / "n2.s0.parquet").values()
    assert {row.frames_indices for row in rows} == {(3, 9)}


# BOLT


def test_bolts_reader_finds_exactly_the_picked_frames(even, tmp_path):
    """It takes round(seconds * average rate)."""
    table = even.select("random", N, tmp_path / "random")
    write(even, "bolt", table, tmp_path / "file")
    videos = json.loads((tmp_path / "file").read_text())
    rows = read_selections(table)
    for question in even.questions:
        row = rows[question.qa_id]
        mine = [one for one in videos[question.video_path[:-4]] if one["question_id"] == question.source_id]
        taken = np.round(np.array(mine[0]["frames"]) * row.file.fps).astype(int)
        assert len(mine) == 1 and tuple(taken) == row.frames_indices


def test_bolt_refuses_a_video_whose_frames_come_at_an_uneven_rate(bench, table, tmp_path):
    with pytest.raises(RefocusError, match=r"2 questions \(2, 3\) .* do not come at an even rate"):
        write(bench, "bolt", table, tmp_path / "file")


@pytest.mark.parametrize(("format", "same"), [("mlvu", "question"), ("csv", "source_id")])
def test_bolt_refuses_questions_that_it_cannot_tell_apart(format, same, even, tmp_path):
    """MLVU's question_id is the video's name, so that only the text is left."""
    table = even.select("random", N, tmp_path / "random")
    asked = read_asked(even.qa)
    twins = [type(question)(**{**vars(question), same: "7"}) for question in asked.questions]
    write_questions(tmp_path / "qa.parquet", twins, "ingest", {"format": format, "options": {}})
    tables = read_picked([table], [read_asked(tmp_path / "qa.parquet")])
    with pytest.raises(RefocusError, match="share their video and their"):
        FORMATS["bolt"].write(tables, ExportSources(), tmp_path / "file")


def test_frame_numbers_taken_for_seconds_are_refused(even, tmp_path):
    table = even.select("random", N, tmp_path / "random")
    write(even, "bolt", table, tmp_path / "file")
    videos = json.loads((tmp_path / "file").read_text())
    for rows in videos.values():
        for row in rows:
            row["frames"] = [30 * time for time in row["frames"]]
    (tmp_path / "file").write_text(json.dumps(videos))
    assert bring_back(even, "bolt", tmp_path / "file", tmp_path / "back") == 1


# vLLM


def requests(path):
    return {line["custom_id"]: line["body"] for line in map(json.loads, path.read_text().splitlines())}


def pictures(body):
    """The frames of a request, as the server decodes them."""
    url = body["messages"][-1]["content"][0]["video_url"]["url"]
    head, _, data = url.partition("base64,")
    assert head == "data:video/jpeg;"
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))) for part in data.split(",")]


def test_a_request_carries_the_frames_themselves_at_native_size(bench, table, tmp_path):
    write(bench, "vllm", table, tmp_path / "file")
    rows = read_selections(table)
    for qa_id, body in requests(tmp_path / "file").items():
        shown = pictures(body)
        assert {picture.shape for picture in shown} == {(64, 96, 3)}
        levels = [level(number) for number in rows[qa_id].frames_indices]
        assert [picture.mean() for picture in shown] == pytest.approx(levels, abs=4)


def test_a_request_keeps_the_server_from_sampling_cutting_and_counting_anew(bench, tmp_path):
    """do_sample_frames is false, num_frames is not the default of 32, the metadata are not those of a bare list."""
    table = bench.select("random", 16, tmp_path / "random")
    write(bench, "vllm", table, tmp_path / "file")
    for body in requests(tmp_path / "file").values():
        said = body["media_io_kwargs"]["video"]
        assert said["do_sample_frames"] is False and said["num_frames"] == len(said["frames_indices"]) == 16
        assert said["total_num_frames"] > said["frames_indices"][-1] and said["frames_indices"] != list(range(16))
        assert all(type(number) is int for number in said["frames_indices"])


def test_the_model_is_told_the_true_seconds_also_where_frames_come_at_an_uneven_rate(bench, table, tmp_path):
    """transformers, which the server's processors come from, takes frames_indices / fps for a frame's time."""
    write(bench, "vllm", table, tmp_path / "file")
    rows = read_selections(table)
    for qa_id, body in requests(tmp_path / "file").items():
        said = body["media_io_kwargs"]["video"]
        told = VideoMetadata(**{name: said[name] for name in ("frames_indices", "total_num_frames", "fps", "duration")})
        assert told.timestamps == pytest.approx(rows[qa_id].timestamps_s, abs=0.02)
        assert said["duration"] >= rows[qa_id].timestamps_s[-1]
        if rows[qa_id].file.video != "uneven.mkv":
            assert tuple(said["frames_indices"]) == rows[qa_id].frames_indices


def test_requests_need_videos_and_a_model(bench, table, tmp_path):
    tables = read_picked([table], [read_asked(bench.qa)])
    for sources in (ExportSources(videos=bench.videos), ExportSources(served_model="m")):
        with pytest.raises(UsageError, match="name the folder of the videos"):
            FORMATS["vllm"].write(tables, sources, tmp_path / "file")


# Formats that cannot say what they have to


@pytest.mark.parametrize(("name", "why"), [("dig", "equal questions about one video"), ("tstar", "mix seconds")])
def test_a_format_whose_trap_cannot_be_avoided_is_refused_with_the_reason(name, why, bench, table, tmp_path, caplog):
    assert export(bench, name, table, tmp_path / "file") == 2
    assert why in caplog.text and not (tmp_path / "file").exists()


# Published annotation files


@pytest.mark.parametrize(
    ("format", "file", "rows"),
    [("videomme", "test-00000-of-00001.parquet", 2700), ("longvideobench", "lvb_val.json", 1337)],
)
def test_every_row_of_a_published_file_has_its_question(format, file, rows, shared_data, tmp_path):
    path = shared_data / "annotations" / format / file
    found = read_source(SourceFiles("bench", format, (path,), tmp_path))
    there = annotation_rows(Asked("bench", format, {}, tuple(found.questions)), ExportSources(path), "aks")
    assert len(there.rows) == rows and there.qa_ids == [question.qa_id for question in found.questions]


def test_rejected_rows_of_a_published_file_are_named(shared_data, tmp_path):
    """Two answers of MLVU's needle file are no option."""
    path = shared_data / "annotations" / "mlvu" / "2_needle.json"
    asked = Asked("b", "mlvu", {}, tuple(read_source(SourceFiles("b", "mlvu", (path,), tmp_path)).questions))
    with pytest.raises(RefocusError, match=r"2 questions \(2_needle_34, 2_needle_338\) are not in the question table"):
        annotation_rows(asked, ExportSources(path), "aks")


# Canonical lines


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


@pytest.mark.parametrize("field", [{"video_digest": "0" * 32}, {"total_num_frames": 7}])
def test_picks_of_another_edition_of_a_video_are_refused(field, bench, table, tmp_path, caplog):
    write(bench, "jsonl", table, tmp_path / "file")
    lines = [json.loads(line) | field for line in (tmp_path / "file").read_text().splitlines()]
    (tmp_path / "file").write_text("\n".join(map(json.dumps, lines)))
    assert bring_back(bench, "jsonl", tmp_path / "file", tmp_path / "back") == 1
    assert "another edition of" in caplog.text


def test_lines_of_another_program_are_known_by_the_benchmarks_own_key(bench, tmp_path):
    lines = [{"key": str(number), "frames_indices": [3, 20]} for number in range(6)]
    (tmp_path / "file").write_text("\n".join(map(json.dumps, lines)))
    assert bring_back(bench, "jsonl", tmp_path / "file", tmp_path / "back") == 0
    rows = read_selections(tmp_path / "back" / "n2.s0.parquet")
    for question in bench.questions:
        times = VIDEOS[question.video_path]
        assert rows[question.qa_id].timestamps_s == pytest.approx((times[3], times[20]), abs=0.002)
        assert rows[question.qa_id].frames_indices == (3, 20)


# What comes from elsewhere


def test_a_frame_that_the_video_does_not_have_is_refused(bench, tmp_path, caplog):
    (tmp_path / "file").write_text(json.dumps([[0, 5000]] * 6))
    assert bring_back(bench, "aks", tmp_path / "file", tmp_path / "back") == 1
    assert "frame 5000 of even.mp4 is picked, which has 120" in caplog.text


def test_a_frame_picked_twice_is_one_frame(bench, tmp_path, caplog):
    (tmp_path / "file").write_text(json.dumps([[20, 20, 7]] * 6))
    assert bring_back(bench, "aks", tmp_path / "file", tmp_path / "back") == 0
    rows = read_selections(tmp_path / "back" / "n3.s0.parquet").values()
    assert {row.frames_indices for row in rows} == {(7, 20)} and "6 picks repeat a frame" in caplog.text


def test_frames_that_are_not_stored_need_the_videos(bench, tmp_path, caplog):
    (tmp_path / "file").write_text(json.dumps([[1, 2]] * 6))
    words = ["aks", tmp_path / "file", "--qa", bench.qa, "--index", bench.index, "--annotations", bench.annotations]
    assert bench.refocus("import", *words, "--name", "back", "--out", tmp_path / "back") == 1
    assert "name the folder of the videos with --videos" in caplog.text


def test_picked_frames_are_saved_for_people_too(bench, table, tmp_path):
    assert export(bench, "jsonl", table, tmp_path / "file", "--save-frames", tmp_path / "frames") == 0
    rows = read_selections(table)
    for question in bench.questions:
        files = sorted((tmp_path / "frames" / "random" / f"n{N}.s0" / question.qa_id).iterdir())
        numbers = tuple(int(file.name.split("frame")[1].split("-")[0]) for file in files)
        assert numbers == rows[question.qa_id].frames_indices
        with Image.open(files[0]) as picture:
            assert picture.size == (96, 64)


def test_an_order_for_readers_that_cut_is_the_order_of_picking(table):
    for row in read_selections(table).values():
        assert prefix_order(row) == row.file_pick_order


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


OTHER = {"jsonl": "[1]", "videoitg": "no json", "vllm": "{}", "bolt": '{"even": 1}', "aks": "{}"}


@pytest.mark.parametrize("name", OTHER)
def test_a_file_of_another_kind_is_named(name, bench, tmp_path, caplog):
    (tmp_path / "file").write_text(OTHER[name])
    assert bring_back(bench, name, tmp_path / "file", tmp_path / "back") == 1
    assert str(tmp_path / "file") in caplog.text
