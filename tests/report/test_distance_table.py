"""Table 3 from tables of likelihoods: videos drawn by lot, pairs of different videos and of one."""

import numpy as np
import pytest
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.tables import TablesSettings
from refocus.config.variants import Variant
from refocus.core.errors import UsageError
from refocus.qa.records import Question
from refocus.report.distance_table import about_drawn_videos, table3
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import to_csv, to_markdown
from refocus.select.likelihood import Likelihood, LikelihoodTable, write_likelihoods


def asked(clip: str, number: int, duration: str) -> Question:
    where = (None, None, "?", ("x", "y"), 0, "x", "k")
    return Question(f"{clip}-{number}", "mme", "test", clip, f"{clip}.mp4", *where, "", (f"duration:{duration}",))


QUESTIONS = [asked(f"{d}{v}", n, d) for d in ("short", "long") for v in range(9) for n in range(3)]


def table_of(tmp_path, category: str, selector: str, **settings: int):
    """Video-MME's short group: three videos of four frames, each of them picked at another place."""
    questions = tuple(Question(**{**vars(q), "category": category}) for q in QUESTIONS[:9])
    rows = {q.qa_id: Likelihood(np.ones(4), np.eye(4)[int(q.clip_id[-1])]) for q in questions}
    write_likelihoods(tmp_path / "l.parquet", LikelihoodTable("mme", selector, rows), {})
    data = BenchmarkData("mme", "videomme", questions)
    return table3(Results([data], []), [tmp_path / "l.parquet"], TablesSettings(bootstrap_resamples=20, **settings))


def test_runs_of_one_setting_have_their_mean_pair_by_pair(tmp_path):
    """Videos at quarters 0, 1, 2 in one run and at 0, 2, 0 in the other: 512 / 3 and twice as much on average.

    A question that one of the runs does not know is left out of the mean alone.
    """
    files = []
    for run, places in {"s0": (0, 1, 2), "s1": (0, 2, 0)}.items():
        rows = {q.qa_id: Likelihood(np.ones(4), np.eye(4)[places[int(q.clip_id[-1])]]) for q in QUESTIONS[:9]}
        if run == "s1":
            del rows[QUESTIONS[8].qa_id]
        files.append(tmp_path / f"{run}.parquet")
        write_likelihoods(files[-1], LikelihoodTable("mme", f"refocus/{run}", rows), {})
    data = BenchmarkData("mme", "videomme", tuple(QUESTIONS[:9]))
    variants = [Variant(runs=("s0", "s1"))]
    table = table3(Results([data], [], variants), files, TablesSettings(bootstrap_resamples=0))
    found = {
        labels[1]: (cells[0].plain.value, cells[0].plain.n)
        for labels, cells in table.rows
        if labels[2].startswith("Wasserstein") and labels[3] == "different videos"
    }
    mean = (9 * (128 + 256) / 2 + 6 * (256 + 0) / 2 + 6 * (128 + 256) / 2) / 21
    assert found["refocus/s0"] == (pytest.approx(512 / 3), 27)
    assert found["refocus/s1"][1] == 21
    assert found["refocus (mean of 2 runs)"] == (pytest.approx(mean), 21)
    alone = table3(Results([data], [], variants), files[:1], TablesSettings(bootstrap_resamples=0))
    assert {labels[1] for labels, _ in alone.rows} == {"refocus/s0"}


def test_the_lot_takes_whole_videos_and_the_same_each_time():
    drawn = about_drawn_videos(QUESTIONS, 4, seed=1)
    assert len({question.clip_id for question in drawn}) == 4
    assert len(drawn) == 3 * 4 and drawn == sorted(drawn, key=QUESTIONS.index)
    assert about_drawn_videos(list(reversed(QUESTIONS)), 4, seed=1) == list(reversed(drawn))
    assert about_drawn_videos(QUESTIONS, 4, seed=2) != drawn
    assert about_drawn_videos(QUESTIONS, None, seed=1) == QUESTIONS


@pytest.mark.parametrize(("videos", "pairs"), [(2, 9), (3, 27)])
def test_as_many_videos_of_a_group_count_as_the_settings_say(tmp_path, videos, pairs):
    table = table_of(tmp_path, "Counting", "refocus/a", distance_videos=videos)
    assert {cells[0].plain.n for labels, cells in table.rows if labels[-1] == "different videos"} == {pairs}


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


def test_likelihoods_without_their_questions_are_refused(tmp_path):
    write_likelihoods(tmp_path / "l.parquet", LikelihoodTable("other", "refocus/a", {}), {})
    with pytest.raises(UsageError, match="refocus/a on other"):
        table3(Results([], []), [tmp_path / "l.parquet"], TablesSettings())


def test_there_is_no_table_3_without_likelihoods():
    assert table3(Results([], []), [], TablesSettings()) is None


def test_the_papers_numbers_are_the_defaults():
    assert (LikelihoodSettings().samples, TablesSettings().distance_videos) == (64, 200)
