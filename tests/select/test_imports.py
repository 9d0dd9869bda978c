"""Picks that other programs made: what is read, what is refused, and what the message names."""

import json

import pytest
from refocus.core.errors import RefocusError
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import ExportSources, read_asked
from refocus.select.selections import read_selections

from tests.support.asked_videos import VIDEOS
from tests.support.exporting import N, bring_back, export, write


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


@pytest.mark.parametrize("n", [3, 2])
def test_a_score_stays_with_its_frame_and_of_a_repeated_frame_the_first_counts(n, bench, tmp_path):
    lines = [{"doc_id": number, "index": [20, 20, 7], "logits": [3, 2, 1]} for number in range(6)]
    (tmp_path / "file").write_text("\n".join(map(json.dumps, lines)))
    assert bring_back(bench, "videoitg", tmp_path / "file", tmp_path / "back", "--n-frames", n) == 0
    rows = read_selections(tmp_path / "back" / f"n{n}.s0.parquet").values()
    assert {(row.frames_indices, row.score) for row in rows} == {((7, 20), (1.0, 3.0)) if n == 3 else ((20,), (3.0,))}


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


def test_a_short_clip_of_our_own_lines_is_no_list_of_another_length(even, tmp_path, caplog):
    """A clip of 4 s has 16 frames, one of 8 s has 32: both were asked for 24."""
    table, file = even.select("random", 24, tmp_path / "random"), tmp_path / "file"
    assert export(even, "jsonl", table, file) == 0
    for place, more in enumerate(((), ("--n-frames", 24, "--exact"))):
        assert bring_back(even, "jsonl", file, tmp_path / str(place), *more) == 0
        back = read_selections(tmp_path / str(place) / "n24.s0.parquet").values()
        assert [len(row.frames_indices) for row in back] == [16, 16, 24, 24]
    assert "2 of 4 questions have fewer than 24 frames" in caplog.text
    file.write_text(file.read_text().replace('"n_frames": 24', '"n_frames": 0.5'))
    assert bring_back(even, "jsonl", file, tmp_path / "back") == 1 and "n_frames" in caplog.text


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


def test_an_order_of_other_frames_than_the_picked_ones_is_refused(bench, table, tmp_path):
    write(bench, "jsonl", table, tmp_path / "file")
    lines = [json.loads(line) for line in (tmp_path / "file").read_text().splitlines()]
    (tmp_path / "file").write_text("\n".join(json.dumps(line | {"pick_order": [5000]}) for line in lines))
    with pytest.raises(RefocusError, match="line 1: pick_order has other frames than frames_indices"):
        FORMATS["jsonl"].read(tmp_path / "file", read_asked(bench.qa), ExportSources())


CLOCK = {"frames_indices": [0], "fps": 30, "total_num_frames": 9}


@pytest.mark.parametrize(
    ("name", "entry", "why"),
    [
        ("jsonl", {"key": "77", "frames_indices": [0]}, "neither its qa_id nor its key is a question of bench"),
        ("jsonl", {"qa_id": {}, "key": [1], "frames_indices": [0]}, "neither its qa_id nor its key"),
        ("videoitg", {"doc_id": 6, "index": [0]}, "there is no row 6"),
        ("videoitg", {"doc_id": -1, "index": [0]}, "there is no row -1"),
        ("bolt", {"even": [{"question_id": "77", "question": "?", "frames": [0.0]}]}, "77 is no question of it"),
        ("vllm", {"custom_id": "77", "body": {"media_io_kwargs": {"video": CLOCK}}}, "'77' is no question of bench"),
    ],
)
def test_picks_of_a_question_that_the_benchmark_does_not_have_are_refused(name, entry, why, bench, tmp_path):
    (tmp_path / "file").write_text(json.dumps(entry))
    with pytest.raises(RefocusError, match=why):
        FORMATS[name].read(tmp_path / "file", read_asked(bench.qa), ExportSources(bench.annotations))


OTHER = {"jsonl": "[1]", "videoitg": "no json", "vllm": "{}", "bolt": '{"even": 1}', "aks": "{}"}


@pytest.mark.parametrize("name", OTHER)
def test_a_file_of_another_kind_is_named(name, bench, tmp_path, caplog):
    (tmp_path / "file").write_text(OTHER[name])
    assert bring_back(bench, name, tmp_path / "file", tmp_path / "back") == 1
    assert str(tmp_path / "file") in caplog.text


def twice(name, path):
    """A file with one of its entries once more."""
    text = path.read_text()
    if name == "bolt":
        videos = json.loads(text)
        rows = next(iter(videos.values()))
        rows.append(rows[0])
        return json.dumps(videos)
    return text + text.splitlines()[0] + "\n"


@pytest.mark.parametrize("name", ["jsonl", "videoitg", "vllm", "bolt"])
def test_of_two_entries_for_one_question_neither_is_taken(name, even, tmp_path):
    write(even, name, even.select("random", N, tmp_path / "random"), tmp_path / "file")
    (tmp_path / "file").write_text(twice(name, tmp_path / "file"))
    with pytest.raises(RefocusError, match="a second entry for"):
        FORMATS[name].read(tmp_path / "file", read_asked(even.qa), ExportSources(even.annotations))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("videoitg", {"doc_id": 0, "index": [3, 9], "logits": ["high", None]}),
        ("bolt", {"even": [{"question_id": "0", "question": "?", "frames": [1.0, "late"]}]}),
        ("bolt", {"even": [{"question_id": "0", "question": "?", "frames": None}]}),
    ],
)
def test_what_is_no_number_is_named_with_its_place(name, lines, even, tmp_path):
    text = json.dumps(lines).replace('"?"', json.dumps(even.questions[0].question))
    (tmp_path / "file").write_text(text)
    with pytest.raises(RefocusError, match=r"file.*(no number|list of numbers)"):
        FORMATS[name].read(tmp_path / "file", read_asked(even.qa), ExportSources(even.annotations))
