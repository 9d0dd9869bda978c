"""AKS, FOCUS, TSPO, WFS-SB and VideoITG count annotation rows: none may shift; readers that cut a list cut it well."""

import json
from dataclasses import replace

import pytest
from refocus.core.errors import RefocusError
from refocus.qa.ingest import SourceFiles, read_source
from refocus.qa.records import write_questions
from refocus.select.exports.annotations import annotation_rows
from refocus.select.exports.checks import prefix_order, spread
from refocus.select.exports.formats import FORMATS
from refocus.select.exports.picked import Asked, ExportSources, read_asked, read_picked
from refocus.select.selections import read_selections

from tests.support.exporting import bring_back, write


@pytest.mark.parametrize("name", ["aks", "frame_idx", "keyframe_indices", "videoitg"])
def test_a_rejected_annotation_row_is_refused_as_it_would_shift_all_later_ones(name, bench, table, tmp_path):
    rows = bench.annotations.read_text().splitlines()
    more = tmp_path / "questions.csv"
    more.write_text("\n".join([rows[0], rows[1].replace("red,0", "nothing,9"), *rows[1:]]) + "\n")
    sources = ExportSources(more, bench.videos)
    tables = read_picked([table], [read_asked(bench.qa)])
    with pytest.raises(RefocusError, match=r"1 question \(9\) are not in the question table"):
        FORMATS[name].write(tables, sources, tmp_path / "file")


def test_an_annotation_file_that_lacks_a_question_is_refused_as_another_edition(bench, tmp_path):
    fewer = tmp_path / "questions.csv"
    fewer.write_text("\n".join(bench.annotations.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(RefocusError, match=r"1 question \(5\) of bench are not in it"):
        annotation_rows(read_asked(bench.qa), ExportSources(fewer), "aks")


def test_rows_that_share_an_id_are_refused_as_each_could_be_the_other(bench, tmp_path):
    rows, asked = bench.annotations.read_text().splitlines(), read_asked(bench.qa)
    assert rows[-1].endswith(",5")
    twins = tmp_path / "questions.csv"
    twins.write_text("\n".join([*rows[:-1], rows[-1].removesuffix("5") + "4"]) + "\n")
    questions = (*asked.questions[:-1], replace(asked.questions[-1], source_id="4"))
    with pytest.raises(RefocusError, match="two rows have one id"):
        annotation_rows(replace(asked, questions=questions), ExportSources(twins), "aks")


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


def test_videoitg_has_a_line_for_every_row_and_reads_none_twice(bench, table, tmp_path):
    write(bench, "videoitg", table, tmp_path / "file")
    lines = (tmp_path / "file").read_text().splitlines()
    assert [json.loads(line)["doc_id"] for line in lines] == list(range(6))
    (tmp_path / "file").write_text("\n".join([*lines, lines[0]]))
    with pytest.raises(RefocusError, match="a second entry for doc_id 0"):
        FORMATS["videoitg"].read(tmp_path / "file", read_asked(bench.qa), ExportSources(bench.annotations))
    (tmp_path / "file").write_text("\n".join(lines[1:]))
    assert bring_back(bench, "videoitg", tmp_path / "file", tmp_path / "back") == 1


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


def test_an_order_for_readers_that_cut_is_the_order_of_picking(table):
    for row in read_selections(table).values():
        assert prefix_order(row) == row.file_pick_order
