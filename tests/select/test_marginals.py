"""Selection distributions of a benchmark: of the questions drawn, one probability per kept frame."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.config.marginals import MarginalsSettings
from refocus.config.tables import TablesSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.records import Question
from refocus.report.distance_table import table3
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import to_csv, to_markdown
from refocus.select.frame_selector import embedded_model
from refocus.select.marginals import drawn_by_lot, read_marginals, write_marginals

from tests.support.asked_videos import build_asked_videos


def asked(clip: str, number: int, duration: str) -> Question:
    where = (None, None, "?", ("x", "y"), 0, "x", "k")
    return Question(f"{clip}-{number}", "mme", "test", clip, f"{clip}.mp4", *where, "", (f"duration:{duration}",))


QUESTIONS = [asked(f"{d}{v}", n, d) for d in ("short", "long") for v in range(9) for n in range(3)]


def test_the_lot_takes_whole_videos_of_every_group_and_the_same_each_time():
    drawn = drawn_by_lot(QUESTIONS, 4, seed=1)
    clips = list(dict.fromkeys(question.clip_id for question in drawn))
    assert sum(clip.startswith("short") for clip in clips) == sum(clip.startswith("long") for clip in clips) == 4
    assert len(drawn) == 3 * 8 and drawn == sorted(drawn, key=QUESTIONS.index)
    assert drawn_by_lot(list(reversed(QUESTIONS)), 4, seed=1) == list(reversed(drawn))
    assert drawn_by_lot(QUESTIONS, 4, seed=2) != drawn
    assert drawn_by_lot(QUESTIONS, None, seed=1) == QUESTIONS


def test_the_command_writes_a_distribution_over_the_kept_frames_of_each_question(tmp_path):
    bench = build_asked_videos(tmp_path, ("even.mp4",))
    out = tmp_path / "marginals.parquet"
    words = ["--qa", bench.qa, "--index", bench.index, "--model", embedded_model(), "--n-frames", 2, "--samples", 3]
    assert bench.refocus("marginals", *words, "--selector", "refocus/a", "--out", out) == 0
    benchmark, selector, found = read_marginals(out)
    assert (benchmark, selector, set(found)) == ("bench", "refocus/a", {q.qa_id for q in bench.questions})
    frames = pq.read_table(bench.index)["n_frames"].to_pylist()[0]
    assert all(row.shape == (frames,) and row.sum() == pytest.approx(1, abs=1e-5) for row in found.values())


def test_a_file_that_is_no_such_table_is_named(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"nothing")
    with pytest.raises(RefocusError, match=r"m\.parquet is no table of selection distributions"):
        read_marginals(tmp_path / "m.parquet")


def table_of(tmp_path, category: str, selector: str):
    """Video-MME's short group: three videos of four frames, each of them picked at another place."""
    questions = tuple(Question(**{**vars(q), "category": category}) for q in QUESTIONS[:9])
    found = {question.qa_id: np.eye(4)[int(question.clip_id[-1])] for question in questions}
    write_marginals(tmp_path / "m.parquet", found, {"benchmark": "mme", "selector": selector})
    data = BenchmarkData("mme", "videomme", questions)
    return table3(Results([data], []), [tmp_path / "m.parquet"], TablesSettings(bootstrap_resamples=20))


def test_table_3_tells_pairs_of_different_videos_from_pairs_of_one(tmp_path):
    """Videos at quarters 0, 1 and 2: 128, 128 and 256 frames of 512 apart; questions about one video are not apart."""
    text = to_csv(table_of(tmp_path, "Counting", "refocus/a"))
    rows = {tuple(line.rsplit('"', 1)[-1].split(",")[1:4]) for line in text.splitlines() if "Wasserstein" in line}
    found = {pairs: float(value) for pairs, value, _ in rows}
    assert found == {"different videos": pytest.approx(512 / 3, abs=1e-5), "same video": 0}


@pytest.mark.parametrize(
    ("category", "selector", "shown"),
    [("Counting", "refocus/a", True), ("Counting", "initial/a", False), ("moment/color", "refocus/a", False)],
)
def test_the_paper_is_quoted_beside_trained_policies_on_the_real_benchmark_only(tmp_path, category, selector, shown):
    assert ("paper 39.17" in to_markdown(table_of(tmp_path, category, selector))) is shown


def test_distributions_without_their_questions_are_refused(tmp_path):
    write_marginals(tmp_path / "m.parquet", {}, {"benchmark": "other", "selector": "refocus/a"})
    with pytest.raises(UsageError, match="refocus/a on other"):
        table3(Results([], []), [tmp_path / "m.parquet"], TablesSettings())


def test_there_is_no_table_3_without_distributions():
    assert table3(Results([], []), [], TablesSettings()) is None


def test_the_papers_numbers_are_the_defaults():
    assert (MarginalsSettings().samples, MarginalsSettings().videos) == (64, 200)
