"""Tables show the gain over the same harness, say what is missing, and show the paper's numbers only on their rows."""

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from refocus.config.tables import TablesSettings
from refocus.config.variants import Variant
from refocus.core.errors import UsageError
from refocus.evaluate.answers import UNREADABLE, Answer, AnswerSet
from refocus.evaluate.scoring import Score
from refocus.qa.records import Question
from refocus.report.cost_table import cost_table
from refocus.report.pages.table_view import view
from refocus.report.published import published
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import MISSING, Cell, Table, to_csv, to_latex, to_markdown
from refocus.report.tables import table1, table4
from refocus.report.world_table import world_table
from refocus.select.cost import Cost, SelectionCost
from refocus.select.selections import ALONE, NO_FRAMES

SETTINGS = TablesSettings(bootstrap_resamples=50)
KINDS = ("moment/color", "moment/place", "static/corner")


def questions(dataset: str, categories, durations=("short", "long")) -> tuple[Question, ...]:
    """Twelve questions, three per clip; categories and durations take turns."""
    where = (None, None, "?", ("x", "y"), 0, "x")
    kinds = [(categories[n % len(categories)], f"duration:{durations[n % len(durations)]}") for n in range(12)]
    return tuple(
        Question(f"{dataset}{n}", dataset, "test", f"c{n // 3}", "v.mp4", *where, category, f"{n}", (flag,))
        for n, (category, flag) in enumerate(kinds)
    )


def answers(
    benchmark: BenchmarkData, selector: str, right, frames: int = 4, lmm: str = "tiny", path: str = "assets/lmm"
) -> AnswerSet:
    rows = {
        q.qa_id: Answer((0,), (0.0, 0.0), 0 if right(q) else 1, right(q), "A" if right(q) else "B")
        for q in benchmark.questions
    }
    return AnswerSet(benchmark.name, lmm, path, selector, frames, 0, rows)


def static(question: Question) -> bool:
    return question.category.startswith("static/")


MME = BenchmarkData("videomme", "videomme", questions("videomme", KINDS))
MLVU = BenchmarkData("mlvu", "mlvu", questions("mlvu", KINDS))
RUNS = ("refocus/a", "refocus/b", "refocus/c")
VARIANTS = [
    Variant(label="T' = 2", trained="2", runs=("a", "b")),
    Variant(label="T' = 4", trained="4", runs=("c",)),
]


def rows_of(table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(table))))


def test_table1_shows_groups_gains_and_gaps():
    """uniform answers only static questions (4 of 12), oracle all; MLVU was never run with the oracle."""
    results = Results(
        [MME, MLVU],
        [answers(MME, "uniform", static), answers(MME, "oracle", lambda q: True), answers(MLVU, "uniform", static)],
    )
    table = table1(results, 4, SETTINGS)
    uniform, oracle = rows_of(table)
    assert (uniform["selector"], oracle["selector"]) == ("uniform", "oracle")
    assert float(uniform["videomme.overall"]) == pytest.approx(33.3333)
    assert uniform["videomme.overall.gain"] == ""
    assert float(oracle["videomme.overall.gain"]) == pytest.approx(66.6667)
    assert float(oracle["videomme.short"]) == 100 and oracle["videomme.short.n"] == "6"
    assert "videomme.medium" not in uniform
    assert oracle["mlvu.m-avg"] == "" and oracle["mlvu.m-avg.n"] == "0"
    text = to_markdown(table)
    assert "100.0 (+66.7)" in text and text.count(MISSING) == 2
    assert "synthetic world" in text


def test_m_avg_is_the_mean_of_the_task_types():
    results = Results([MLVU], [answers(MLVU, "uniform", lambda q: q.category == "moment/color" or q.qa_id == "mlvu2")])
    (row,) = rows_of(table1(results, 4, SETTINGS))
    assert float(row["mlvu.m-avg"]) == pytest.approx(100 * (1 + 0 + 1 / 4) / 3, abs=1e-3)
    assert float(row["mlvu.overall"]) == pytest.approx(100 * 5 / 12, abs=1e-3)


def test_gain_is_over_uniform_with_the_same_lmm_and_number_of_frames():
    never, always = (lambda q: False), (lambda q: True)
    results = Results(
        [MME],
        [
            answers(MME, "uniform", never, 4),
            answers(MME, "uniform", always, 8),
            answers(MME, "refocus/a", always, 4),
            answers(MME, "refocus/a", always, 8),
            answers(MME, "refocus/a", always, 8, lmm="other"),
        ],
    )
    rows = {(row["selector"], row["frames"]): row for row in rows_of(table4(results, SETTINGS))}
    assert float(rows["refocus/a", "4 frm"]["tiny.gain"]) == 100
    assert float(rows["refocus/a", "8 frm"]["tiny.gain"]) == 0
    assert rows["refocus/a", "8 frm"]["other.gain"] == ""
    assert rows["uniform", "8 frm"]["other"] == ""


def test_the_paper_is_quoted_only_for_its_own_models_benchmarks_and_frames():
    eight, mme = "OpenGVLab/InternVL3-8B-hf", ("videomme", "overall")
    assert published(1, eight, *mme, 32, "refocus/paper").value == 66.0
    assert published(1, eight, *mme, 32, "uniform").value == 64.7
    assert published(1, "/models/InternVL3-8B-hf/", "mlvu", "m-avg", 32, "uniform").value == 67.8
    assert published(4, eight, *mme, 4, "refocus/paper") == published(4, "InternVL3-8B", *mme, 4, "refocus/x")
    assert (
        published(4, eight, *mme, 4, "refocus/paper").value,
        published(4, eight, *mme, 4, "refocus/paper").gain,
    ) == (56.9, 1.0)
    for other in (
        published(1, eight, *mme, 16, "uniform"),
        published(1, eight, *mme, 32, "random"),
        published(1, eight, "mlvu", "overall", 32, "uniform"),
        published(1, "assets/lmm", *mme, 32, "uniform"),
        published(1, "OpenGVLab/InternVL3-2B-hf", *mme, 32, "uniform"),
        published(4, eight, *mme, 4, "uniform"),
        published(1, "", *mme, 32, "as published"),
    ):
        assert other is None


def test_published_numbers_stand_beside_ours_and_can_be_left_out():
    real = BenchmarkData("videomme", "videomme", questions("videomme", ("Counting",)))
    made = [answers(real, "uniform", lambda q: q.qa_id < "videomme2", 32, "internvl3-8b", "OpenGVLab/InternVL3-8B-hf")]
    (row,) = rows_of(table1(Results([real], made), 32, SETTINGS))
    assert (row["videomme.short.paper"], row["videomme.overall.paper"]) == ("75.9", "64.7")
    assert "33.3 12 short paper 64.7" in to_markdown(table1(Results([real], made), 32, SETTINGS))
    without = TablesSettings(published=False, bootstrap_resamples=0)
    assert "paper" not in to_markdown(table1(Results([real], made), 32, without))
    assert "paper" not in to_markdown(table1(Results([MME], made), 32, SETTINGS))  # the same ids, in the world


def test_the_world_table_reads_off_the_claim():
    """Of 8 moment questions uniform gets 0, refocus 4, oracle 8: gain 50 points, half of the distance closed."""
    half = answers(MME, "refocus/demo", lambda q: static(q) or q.category == "moment/color")
    results = Results([MME], [answers(MME, "uniform", static), half, answers(MME, "oracle", lambda q: True)])
    rows = {row["selector"]: row for row in rows_of(world_table(results, [4], SETTINGS, detail=True))}
    assert (rows["refocus/demo"]["moment"], rows["refocus/demo"]["moment.n"]) == ("50.0", "8")
    assert float(rows["refocus/demo"]["moment.gain"]) == 50
    assert float(rows["refocus/demo"]["closed"]) == 50
    assert float(rows["oracle"]["closed"]) == 100
    assert float(rows["refocus/demo"]["static"]) == 100 and float(rows["refocus/demo"]["static.gain"]) == 0
    assert float(rows["refocus/demo"]["moment/place"]) == 0


def test_world_results_pool_all_its_benchmarks_or_say_that_one_is_missing():
    made = [answers(MME, "uniform", static), answers(MLVU, "uniform", static), answers(MME, "oracle", lambda q: True)]
    rows = {row["selector"]: row for row in rows_of(world_table(Results([MME, MLVU], made), [4], SETTINGS))}
    assert rows["uniform"]["moment.n"] == "16" and rows["oracle"]["moment"] == ""


def test_questions_on_two_moments_have_their_column_where_there_are_any():
    kinds = ("sequence/after", *KINDS)
    bench = BenchmarkData("videomme", "videomme", questions("videomme", kinds))
    table = world_table(Results([bench], [answers(bench, "uniform", lambda q: q.category[0] == "s")]), [4], SETTINGS)
    assert [key for key, _ in table.columns] == ["sequence", "moment", "closed", "static"]
    (row,) = rows_of(table)
    assert (row["sequence"], row["moment"], row["static"]) == ("100.0", "0.0", "100.0")
    plain = world_table(Results([MME], [answers(MME, "uniform", static)]), [4], SETTINGS)
    assert [key for key, _ in plain.columns] == ["moment", "closed", "static"]


def test_real_benchmarks_have_no_world_table():
    real = BenchmarkData("videomme", "videomme", questions("videomme", ("Counting Problem",)))
    assert world_table(Results([real], [answers(real, "uniform", static)]), [4], SETTINGS) is None


def test_several_runs_also_get_their_mean():
    made = [answers(MME, f"refocus/s{n}", lambda q, n=n: int(q.source_id) % 3 == n) for n in range(3)]
    rows = {row["selector"]: row for row in rows_of(table1(Results([MME], made), 4, SETTINGS))}
    assert list(rows) == ["refocus/s0", "refocus/s1", "refocus/s2", "refocus (mean of 3 runs)"]
    assert float(rows["refocus (mean of 3 runs)"]["videomme.overall"]) == pytest.approx(100 / 3, abs=1e-3)


def test_every_unusual_answer_is_counted_in_the_notes():
    made = answers(MME, "uniform", static)
    made.answers["videomme0"] = Answer((), flags=(ALONE,))
    text = to_markdown(table1(Results([MME], [made]), 4, SETTINGS))
    assert "- 1 answers of `swapped` to a question alone on its clip are not counted" in text


def test_a_figure_is_of_the_videos_that_were_there_and_its_cell_says_how_many_were_not():
    """Six short questions, two of them static and so right; the videos of two others and of one of these are gone."""
    made = answers(MME, "uniform", static, frames=1)
    short = sorted((q for q in MME.questions if "duration:short" in q.flags), key=static)
    for question, flag in zip((*short[:2], short[-1]), (NO_FRAMES, UNREADABLE, NO_FRAMES), strict=True):
        made.answers[question.qa_id] = Answer((), flags=(flag,))
    table = table1(Results([MME], [made]), 1, SETTINGS)
    (row,) = rows_of(table)
    assert float(row["videomme.short"]) == pytest.approx(100 / 3, abs=1e-3)
    assert (row["videomme.short.n"], row["videomme.short.without_video"]) == ("3", "3")
    assert (row["videomme.long.n"], row["videomme.long.without_video"]) == ("6", "0")
    text = to_markdown(table)
    assert "33.3 3 of 6 without video" in text and "3 of 12 without video" in text
    assert "the figure is of the rest" in text


def test_a_benchmark_without_any_video_is_not_at_0_percent():
    made = answers(MME, "uniform", static, frames=1)
    made.answers.update({name: Answer((), flags=(UNREADABLE,)) for name in made.answers})
    table = table1(Results([MME], [made]), 1, SETTINGS)
    (row,) = rows_of(table)
    assert row["videomme.overall"] == "" and row["videomme.overall.n"] == "0"
    assert "no video for any of 12" in to_markdown(table) and " 0.0 " not in to_markdown(table)


def test_pooled_figures_say_too_what_they_lack():
    """Of six questions on colour, all right but one without its video; of MLVU, every video is gone."""
    made = [answers(bench, "uniform", lambda q: True) for bench in (MME, MLVU)]
    made[0].answers["videomme0"] = Answer((0,), flags=(UNREADABLE,))
    made[1].answers.update({name: Answer((0,), flags=(UNREADABLE,)) for name in made[1].answers})
    results = Results([MME, MLVU], made)
    for table in (cost_table(results, [], 4, SETTINGS), world_table(results, [4], SETTINGS)):
        (row,) = rows_of(table)
        assert (float(row["moment"]), row["moment.n"], row["moment.without_video"]) == (100, "7", "9")
        text = to_markdown(table)
        assert "9 of 16 without video" in text and "the figure is of the rest" in text and "ynthetic world" in text
    (row,) = rows_of(cost_table(results, [], 4, SETTINGS))
    assert float(row["frames_shown"]) == 1
    made[0].answers.update({name: Answer((0,), flags=(UNREADABLE,)) for name in made[0].answers})
    assert "no video for any of 24" in to_markdown(cost_table(Results([MME, MLVU], made), [], 4, SETTINGS))


def test_a_cell_says_how_many_clips_had_fewer_frames_than_asked_for():
    made = answers(MME, "uniform", static, frames=2)
    made.answers["videomme1"] = Answer((0, 1), (0.0, 0.0), 0, True, "A")
    (row,) = rows_of(table := table1(Results([MME], [made]), 2, SETTINGS))
    assert (row["videomme.short.short"], row["videomme.long.short"], row["videomme.overall.short"]) == ("6", "5", "11")
    assert "11 short" in to_markdown(table) and "fewer kept frames than asked for" in to_markdown(table)


def test_learned_picks_are_held_against_the_best_selector_without_training():
    """Of aks (4 static right) and bolt (8 on moments right) bolt is best, whatever uniform-seen and oracle reach."""
    made = [
        answers(MME, "uniform", lambda q: False),
        answers(MME, "uniform-seen", lambda q: True),
        answers(MME, "aks", static),
        answers(MME, "bolt", lambda q: not static(q)),
        answers(MME, "refocus/a", lambda q: q.qa_id != "videomme0"),
        answers(MME, "oracle", lambda q: True),
    ]
    table = table1(Results([MME], made), 4, SETTINGS)
    rows = {row["selector"]: row for row in rows_of(table)}
    assert {row["videomme.overall.best"] for row in rows.values()} == {"bolt"}
    assert float(rows["refocus/a"]["videomme.overall.best_gain"]) == pytest.approx(25)
    assert float(rows["aks"]["videomme.overall.best_gain"]) == pytest.approx(-100 / 3, abs=1e-3)
    assert rows["bolt"]["videomme.overall.best_gain"] == ""
    text = to_markdown(table)
    assert "66.7 (+66.7; best) 12 short" in text and "bolt" in text.split("best without training")[1]


def test_none_is_the_best_for_having_missed_the_hard_questions():
    """aks is right on 8 of 12, bolt on the 4 of them that it was asked."""
    made = [answers(MME, name, lambda q: not static(q)) for name in ("aks", "bolt")]
    for name in [q.qa_id for q in MME.questions if static(q)] + ["videomme0"]:
        made[1].answers[name] = Answer((), flags=(NO_FRAMES,))
    made[1].answers["videomme1"] = Answer((0,), (0.0, 0.0), 1, False, "B")
    rows = {row["selector"]: row for row in rows_of(table1(Results([MME], made), 4, SETTINGS))}
    assert float(rows["bolt"]["videomme.overall"]) > float(rows["aks"]["videomme.overall"])
    assert rows["bolt"]["videomme.overall.best"] == "aks"


def test_a_gain_is_starred_from_six_videos_on():
    """Every question gained. Of four videos that may be chance: if nothing differs, one time in eight they agree."""
    made = [answers(MME, "uniform", lambda q: False), answers(MME, "aks", lambda q: True)]
    assert "(+100.0; best)" in to_markdown(table1(Results([MME], made), 4, SETTINGS))
    apart = tuple(replace(q, clip_id=q.qa_id) for q in MME.questions)
    text = to_markdown(table1(Results([replace(MME, questions=apart)], made), 4, SETTINGS))
    assert "(+100.0*; best)" in text


def test_answers_without_their_questions_and_two_files_for_one_cell_are_refused():
    with pytest.raises(UsageError, match="mlvu"):
        Results([MME], [answers(MLVU, "uniform", static)])
    with pytest.raises(UsageError, match="two files"):
        Results([MME], [answers(MME, "uniform", static)] * 2)
    with pytest.raises(UsageError, match=r"1 of 12 answers of uniform by tiny .* lacks .one is videomme11"):
        Results([replace(MME, questions=MME.questions[:-1])], [answers(MME, "uniform", static)])


def test_latex_escapes_what_latex_would_trip_over():
    text = to_latex(table1(Results([MME], [answers(MME, "refocus/my_run", static)]), 4, SETTINGS))
    assert r"my\_run" in text and r"in \%" in text and text.count("&") % (text.count(r"\\") or 1) == 0


def test_every_sign_of_latex_is_set_and_minus_signs_are_no_hyphens():
    cell = Cell(Score(0.5, 0.4, 0.6, 9), Score(-0.25, -0.3, -0.2, 9))
    table = Table(r"{a} $b$ ~ ^ \\ # & <c>", ("LMM",), (("x", "x_1"),), ((("topk-options|b",), (cell,)),))
    text = to_latex(table)
    assert r"\{a\} \$b\$ \textasciitilde{} \textasciicircum{} \textbackslash{}" in text
    assert r"topk-options\textbar{}b & 50.0 ($-$25.0*) \\" in text
    body = re.sub(r"\\([{}$&#%_])", "", text)
    assert body.count("{") == body.count("}") and body.count("$") % 2 == 0


def test_intervals_in_latex_have_a_dash_and_no_minus_sign():
    """`26.1--38.3` is a dash between two positive numbers; `[-4.0, 9.6]` begins with a minus sign."""
    ends = Cell(Score(0.3, 0.261, 0.383, 9), interval=True), Cell(Score(0.1, -0.04, 0.096, 9), interval=True)
    text = to_latex(Table("t", ("LMM",), (("x", "x"), ("y", "y")), ((("aks-2",), ends),)))
    assert r"aks-2 & 30.0 [26.1--38.3] & 10.0 [$-$4.0, 9.6] \\" in text


def test_a_caption_leaves_the_counting_to_latex():
    text = to_latex(table1(Results([MME], [answers(MME, "uniform", static)]), 4, SETTINGS))
    assert r"\caption{Accuracy in \% with 4 frames" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs LaTeX with booktabs and graphicx")
def test_latex_sets_a_wide_and_long_table_of_odd_names_on_one_page(tmp_path):
    columns = tuple((f"c{n}", "a % of {b} → Δ τ | _^~<>#$&") for n in range(12))
    cell = Cell(Score(0.5, 0.4, 0.6, 9), Score(-0.25, -0.3, -0.2, 9), interval=True)
    rows = tuple(((r"[x] \\ naïve*–§",), (cell,) * 12) for _ in range(80))
    (tmp_path / "t.tex").write_text(to_latex(Table(r"Table 1: 50 % of \x", ("LMM",), columns, rows, ("a note",))))
    main = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}\input{t}\end{document}"
    (tmp_path / "main.tex").write_text(main)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert made.returncode == 0 and "(1 page" in made.stdout, made.stdout
    assert "Overfull" not in made.stdout and "Float too large" not in made.stdout


def test_numbers_are_written_so_that_they_are_read_right():
    """No dash before a minus sign, no digits lost of small amounts, no powers of ten for large ones, no -0.0."""
    assert Cell(plain=Score(-1.5, -2.0, -1.0, 4)).text() == "-1.50 [-2.00, -1.00]"
    assert Cell(Score(0.5, 0.4, 0.6, 4), interval=True).text() == "50.0 [40.0–60.0]"
    assert Cell(Score(-0.0001, None, None, 4)).text() == "0.0"
    amounts = (1234.5, 236.2, 21.03, 1.64e-5)
    assert [Cell(amount=amount).text() for amount in amounts] == ["1234", "236", "21", "1.64e-05"]
    assert Cell(amount=1.6449e-5).values()[""] == 1.6449e-5


def test_a_bar_in_a_name_ends_no_column():
    table = Table("t", ("LMM",), (("x", "x"),), ((("a | b|c",), (Cell(amount=1.0),)),))
    assert r"a \| b\|c" in to_markdown(table)
    assert view("t", to_csv(table), to_markdown(table)).rows[0][0].text == "a | b|c"


def test_runs_are_averaged_over_their_seeds_only_and_table4_says_what_they_were_trained_at():
    """Two seeds at T' = 2 and one run at T' = 4: a mean of the two, none of all three."""
    made = [answers(MLVU, name, static, frames) for name in ("uniform", *RUNS) for frames in (2, 4)]
    results = Results([MLVU], made, VARIANTS)
    names = [row.name for row in results.rows]
    assert names == ["uniform", "refocus/a", "refocus/b", "refocus T' = 2 (mean of 2 runs)", "refocus/c"]
    rows = {(row["selector"], row["frames"]): row["trained at"] for row in rows_of(table4(results, SETTINGS))}
    assert rows[names[3], "4 frm"] == "2" and rows["refocus/c", "4 frm"] == "4" and rows["uniform", "2 frm"] == ""


def test_a_run_outside_every_setting_is_averaged_with_nothing():
    results = Results([MLVU], [answers(MLVU, f"refocus/{name}", static) for name in ("old", "a", "b")], VARIANTS)
    assert results.rows[0].name == "refocus/old"
    assert results.rows[-1].selectors == ("refocus/a", "refocus/b")


def test_costs_stand_beside_what_they_bought():
    """Per question over both benchmarks; runs of one setting are averaged; nothing is made up for what is not known."""
    made = [answers(b, name, static) for b in (MME, MLVU) for name in ("uniform", "topk", *RUNS[:2], "oracle")]
    spent = [
        SelectionCost(bench.name, name, 12, Cost(seconds, frame_passes=passes, lmm_passes=7, cut_texts=1))
        for bench, seconds, passes in ((MME, 6.0, 240), (MLVU, 18.0, 0))
        for name in ("uniform", "topk", RUNS[0], RUNS[1])
    ]
    table = cost_table(Results([MME, MLVU], made, VARIANTS), spent, 4, SETTINGS)
    rows = {row["selector"]: row for row in rows_of(table)}
    assert rows["topk"]["reads"] == "question" and rows["refocus/a"]["reads"] == "question and options"
    assert float(rows["topk"]["seconds"]) == 1 and float(rows["topk"]["frame_passes"]) == 10
    mean = next(row for name, row in rows.items() if "mean of 2 runs" in name)
    assert mean["seconds"] == rows["topk"]["seconds"] and float(mean["lmm_passes"]) == pytest.approx(7 / 12, abs=1e-5)
    assert rows["oracle"]["seconds"] == "" and float(rows["oracle"]["frames_shown"]) == 1
    assert float(rows["topk"]["all"]) == pytest.approx(100 / 3, abs=1e-3)
    assert float(rows["topk"]["static"]) == 100 and "sequence" not in rows["topk"]
    text = to_markdown(table)
    assert "not known" in text and "texts longer than the text encoder reads, summed over selectors: 8" in text
