"""Scores against sums done by hand."""

import pytest
from refocus.evaluate.answers import OPEN, UNREADABLE, Answer
from refocus.evaluate.scoring import (
    Outcome,
    accuracy,
    gain,
    mean_outcomes,
    outcomes,
    share_closed,
    wilson,
    without_video,
)
from refocus.qa.records import Question
from refocus.select.selections import ALONE, NO_FRAMES


def results(*rows: tuple[str, float], clip: str | None = None) -> list[Outcome]:
    return [
        Outcome(f"q{number}", clip or f"c{number // 2}", category, (), correct)
        for number, (category, correct) in enumerate(rows)
    ]


def test_accuracy_is_the_share_of_right_answers():
    score = accuracy(results(("a", 1), ("a", 0), ("b", 1), ("b", 1)))
    assert (score.value, score.n) == (0.75, 4)


def test_wilson_agrees_with_its_published_example():
    """10 of 20 at 95 %: 0.2993 to 0.7007."""
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 5)[1] == 1.0


def test_macro_averages_categories_where_micro_pools_questions():
    """One right of one needle, two right of four ego: macro (1 + 1/2) / 2, micro 3/5."""
    rows = results(("needle", 1), ("ego", 1), ("ego", 1), ("ego", 0), ("ego", 0))
    assert accuracy(rows, "macro").value == pytest.approx(0.75)
    assert accuracy(rows, "micro").value == pytest.approx(0.6)


def test_no_questions_give_no_score():
    assert accuracy([]) is None
    assert gain([], results(("a", 1))) is None


def test_gain_compares_only_questions_both_answered():
    """The baseline misses q3; on the other three the lead is 2/3 - 1/3."""
    ours = results(("a", 1), ("a", 1), ("a", 0), ("a", 0))
    base = results(("a", 1), ("a", 0), ("a", 0))
    score = gain(ours, base)
    assert (score.value, score.n) == (pytest.approx(1 / 3), 3)


def test_a_gain_has_an_interval_where_as_many_clips_could_tell_it_from_chance():
    """Ten clips of two questions; of five that all agree, a fair coin makes as much one time in sixteen."""
    ours, base = results(*[("a", 1)] * 20), results(*[("a", number % 2) for number in range(20)])
    score = gain(ours, base)
    assert score.low <= score.value <= score.high
    few = gain(ours[:10], base)
    assert (few.value, few.low, few.high) == (0.5, None, None)
    assert gain(ours[:12], base).low is not None and gain(ours[:10], base, level=0.9).low is not None


def test_gain_over_itself_is_exactly_nothing():
    """The bootstrap is paired, so the interval is a point."""
    rows = results(*[("a", number % 3 == 0) for number in range(30)])
    score = gain(rows, rows)
    assert (score.value, score.low, score.high) == (0, 0, 0)


def test_where_nothing_is_wrong_the_interval_is_wilsons_over_clips():
    """40 right answers about 20 clips: as sure as 20 trials, not as 40, and not beyond doubt."""
    score = accuracy(results(*[("a", 1)] * 40))
    assert (score.low, score.high) == pytest.approx(wilson(20, 20)) and score.low < 0.85


def test_the_interval_of_an_accuracy_is_over_clips():
    """Pairs of equal answers about one clip are one trial: the interval is that of the clips' own results."""
    right = [number % 3 == 0 for number in range(30)]
    paired = accuracy(results(*[("a", value) for value in right for _ in range(2)]))
    alone = accuracy([Outcome(str(n), str(n), "a", (), float(value)) for n, value in enumerate(right)])
    assert (paired.low, paired.high) == (alone.low, alone.high)


def test_the_bootstrap_resamples_clips_not_questions():
    """Fifty answers about one video say no more than one video does: no interval."""
    assert accuracy(results(*[("a", 0.5)] * 50, clip="one")).low is None


def test_intervals_do_not_change_between_runs():
    rows = results(*[("ab"[number % 2], number % 3 == 0) for number in range(40)])
    assert accuracy(rows, "macro", seed=1) == accuracy(rows, "macro", seed=1)


def test_mean_over_runs_averages_each_question():
    mean = mean_outcomes([results(("a", 1), ("a", 0)), results(("a", 1), ("a", 1)), results(("a", 0), ("a", 0))])
    assert [outcome.correct for outcome in mean] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert accuracy(mean).value == pytest.approx(0.5)


def test_share_closed_runs_from_uniform_to_oracle():
    assert share_closed(0.4, 0.4, 0.9) == 0
    assert share_closed(0.9, 0.4, 0.9) == 1
    assert share_closed(0.65, 0.4, 0.9) == pytest.approx(0.5)
    assert share_closed(0.5, 0.9, 0.9) is None
    assert share_closed(0.5, 0.4, None) is None


def test_a_video_that_is_not_there_makes_no_answer_wrong_and_is_counted():
    questions = [
        Question(name, "b", "t", name, "v.mp4", None, None, "?", ("x", "y"), 0, "x", "k", name, ()) for name in "abcde"
    ]
    answers = {
        "a": Answer((1,), (1.0, 0.0), 0, True, "A"),
        "b": Answer((1,), flags=(UNREADABLE,)),
        "c": Answer((), flags=(ALONE,)),
        "d": Answer((1,), flags=(OPEN,)),
        "e": Answer((), flags=(NO_FRAMES,)),
    }
    assert [(outcome.qa_id, outcome.correct) for outcome in outcomes(questions, answers)] == [("a", 1.0)]
    assert [outcome.qa_id for outcome in without_video(questions, answers)] == ["b", "e"]
    del answers["e"]
    assert [outcome.qa_id for outcome in without_video(questions, answers)] == ["b", "e"], "nor what was never answered"
