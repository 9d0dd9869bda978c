"""Fig. 4: the bins share out the frames, and what is said of its symmetry follows from the answers."""

import pytest
from refocus.core.errors import RefocusError
from refocus.evaluate.answers import Answer, AnswerSet, write_answers
from refocus.evaluate.scoring import Outcome
from refocus.qa.evidence import Evidence
from refocus.qa.records import Question
from refocus.report.bins import BinGroup, read_bins
from refocus.report.bins_figure import bins_table, draw_bins
from refocus.report.results import BenchmarkData
from refocus.report.table_files import to_markdown
from refocus.select.likelihood_bins import ALL, Bin, bins

N = 200
ASKED = Question("q0", "b", "test", "c0", "c0.mp4", None, None, "?", ("x", "y"), 0, "x", "", "0", ())


def outcomes(share: float) -> list[Outcome]:
    """So many of N questions on as many videos are right."""
    return [Outcome(f"q{n}", f"c{n}", "", (), float(n < share * N)) for n in range(N)]


def group(base: float, over: tuple[float, ...], under: tuple[float, ...], seen=None) -> BinGroup:
    shares = {Bin(ALL): base}
    shares |= {Bin("over", k): share for k, share in zip((20, 80), over, strict=True)}
    shares |= {Bin("under", k): share for k, share in zip((20, 80), under, strict=True)}
    answered = {one: {"demo": outcomes(share)} for one, share in shares.items()}
    shown = {one: {"demo": dict(seen[one]) if seen else {}} for one in shares}
    return BinGroup("tiny", "b", answered, shown, 0.95)


def test_a_bins_name_leads_back_to_it():
    assert [Bin.parse(one.name) for one in bins((20, 80))] == bins((20, 80))
    assert [one.name for one in bins((20,))] == ["all", "over-20", "under-20"]


def test_a_symmetric_figure_is_called_so():
    verdicts = group(0.5, (0.7, 0.8), (0.2, 0.3)).checks()
    *others, mirrored = verdicts.values()
    assert others == ["yes"] * 3 and mirrored == "open", "0.7 and 0.3 mirror, 0.8 and 0.2 do, these pairs do not surely"


@pytest.mark.parametrize(
    ("over", "under", "expected"),
    [
        ((0.3, 0.3), (0.7, 0.7), ["no", "no", "open", "open"]),
        ((0.9, 0.9), (0.5, 0.5), ["yes", "yes", "open", "no"]),
        ((0.7, 0.7), (0.3, 0.1), ["yes", "yes", "no", "no"]),
    ],
)
def test_each_reading_of_the_symmetry_is_judged_by_intervals(over, under, expected):
    assert list(group(0.5, over, under).checks().values()) == expected


def test_answers_without_any_share_of_the_frames_are_drawn_and_nothing_is_said_of_symmetry():
    base = Bin(ALL)
    made = BinGroup("tiny", "b", {base: {"demo": outcomes(0.5)}}, {base: {"demo": {}}}, 0.95)
    assert made.checks() == {} and "50.0" in to_markdown(bins_table([made]))
    assert draw_bins([made], 64, 4).axes


@pytest.mark.parametrize(("lacking", "named"), [("all", "all"), ("under-20", "under-20")])
def test_a_bin_that_a_run_lacks_is_named(tmp_path, lacking, named):
    paths = []
    for run in ("a", "b"):
        for one in bins((20,)):
            if (run, one.name) != ("b", lacking):
                paths.append(tmp_path / f"{run}-{one.name}.parquet")
                rows = {"q": Answer((0,), (1.0, 0.0))}
                write_answers(paths[-1], AnswerSet("mme", "tiny", "", f"{one.name}/{run}", 4, 0, rows), {})
    with pytest.raises(RefocusError, match=f"mme, tiny, run b: there are no answers from the frames {named}; run"):
        read_bins(paths, {}, Evidence({}), None, 0.95)


def test_accuracy_that_follows_the_evidence_is_predicted_by_it():
    shares = {Bin(ALL): 0.5, Bin("over", 20): 0.6, Bin("over", 80): 0.9, Bin("under", 20): 0.1, Bin("under", 80): 0.2}
    seen = {one: {f"q{n}": n < share * N for n in range(N)} for one, share in shares.items()}
    made = group(0.5, (0.6, 0.9), (0.1, 0.2), seen)
    assert made.by_evidence == (0.0, 1.0)
    assert [made.predicted(one) for one in shares] == pytest.approx(list(shares.values()))
    figure = draw_bins([made], 64, 4)
    assert any("if only the evidence" in text.get_text() for text in figure.legends[0].get_texts())


def test_the_figure_is_in_percent_of_the_baseline_and_the_table_says_what_holds():
    made = group(0.5, (0.6, 0.9), (0.1, 0.2))
    figure = draw_bins([made], 64, 4, "synthetic world")
    drawn = [list(line.get_ydata()) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert drawn == [pytest.approx([120, 180]), pytest.approx([]), pytest.approx([20, 40]), pytest.approx([])]
    text = to_markdown(bins_table([made]))
    assert "over-80 %" in text and "40.0 [" in text and "beats under-k % at every k: yes" in text


def test_bins_that_miss_what_they_are_compared_with_are_refused_by_name(tmp_path):
    files = []
    for one in (Bin("over", 20), Bin("over", 80), Bin("under", 80)):
        files.append(tmp_path / f"{one.name}.parquet")
        answers = {"q0": Answer((0,), (1.0, 0.0), 0, True, "A")}
        write_answers(files[-1], AnswerSet("b", "tiny", "tiny", f"{one.name}/demo", 4, 0, answers), {})
    benchmarks = {"b": BenchmarkData("b", "csv", (ASKED,))}
    with pytest.raises(RefocusError, match=r"b, tiny, run demo: there are no answers from the frames .*under-20"):
        read_bins(files, benchmarks, Evidence({}), {}, 0.95)
