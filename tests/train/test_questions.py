"""Which questions a run learns from: what the filter kept, as many at random, or all with a usable variance."""

import logging

import pyarrow as pa
import pytest
from refocus.config.train import TrainSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import write_table
from refocus.filter.pairs import VARIANCE_SCHEMA
from refocus.qa.records import write_questions
from refocus.train.questions import draw, read_training_questions

from tests.support.tiny_training import COUNTS, questions

ASKED = questions(COUNTS * 4)  # 60
KEPT = {question.qa_id for question in ASKED[:12]}
FLAGS = {ASKED[20].qa_id: "too_short", ASKED[21].qa_id: "duplicate", ASKED[22].qa_id: "duplicate"}


@pytest.fixture
def files(tmp_path):
    """What the filter reads and writes: two data sets of 30 questions, 12 kept, 3 flagged."""
    halves = [ASKED[:30], ASKED[30:]]
    pool = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, half in zip(pool, halves, strict=True):
        write_questions(path, half, "ingest")
    write_questions(tmp_path / "pairs.parquet", ASKED[:12], "filter")
    rows = [{"qa_id": q.qa_id, "variance": 0.1, "n_subsets": 16, "flag": FLAGS.get(q.qa_id, "")} for q in ASKED]
    write_table(tmp_path / "variance.parquet", pa.Table.from_pylist(rows, VARIANCE_SCHEMA), "filter", {})
    return {"pairs": tmp_path / "pairs.parquet", "variance": tmp_path / "variance.parquet", "pool": pool}


def read(files, kind: str, seed: int = 0) -> list[str]:
    return [q.qa_id for q in read_training_questions(settings=TrainSettings(questions=kind, seed=seed), **files)]


def test_filtered_is_what_the_filter_kept_and_needs_nothing_else(files):
    found = read_training_questions(files["pairs"], TrainSettings())
    assert {question.qa_id for question in found} == KEPT


def test_all_leaves_out_only_what_the_variance_did_not_decide_and_says_so(files, caplog):
    with caplog.at_level(logging.INFO):
        found = read(files, "all")
    assert found == [q.qa_id for q in ASKED if q.qa_id not in FLAGS]
    assert "57 of 57 questions" in caplog.text and "duplicate 2, too_short 1" in caplog.text


def test_random_has_as_many_as_the_filter_kept_by_its_seed_and_nothing_flagged(files):
    drawn = [read(files, "random", seed) for seed in range(30)]
    assert {len(set(ids)) for ids in drawn} == {len(KEPT)}
    assert read(files, "random", 3) == drawn[3] != drawn[4]
    assert set().union(*drawn) == {q.qa_id for q in ASKED} - set(FLAGS), "every usable question has its chance"


def test_a_draw_does_not_depend_on_the_order_of_the_questions():
    ids = [f"{number}" for number in range(50)]
    assert draw(ids, 7, 5) == draw(ids[::-1], 7, 5)


@pytest.mark.parametrize("kind", ["random", "all"])
def test_the_filters_inputs_are_asked_for(files, kind):
    with pytest.raises(UsageError, match="--variance and --qa"):
        read_training_questions(files["pairs"], TrainSettings(questions=kind))


def test_a_question_that_is_in_no_file_is_an_error(files):
    with pytest.raises(RefocusError, match="30 of its questions"):
        read({**files, "pool": files["pool"][:1]}, "all")
