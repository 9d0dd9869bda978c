"""Δknowledge against sums done by hand."""

import pytest
from refocus.evaluate.knowledge import knowledge_gain
from refocus.evaluate.scoring import Outcome


def side(*correct: float) -> list[Outcome]:
    return [Outcome(f"q{n}", f"c{n // 2}", "Adaptation", (), value) for n, value in enumerate(correct)]


BEFORE = side(1, 0, 0, 0)


def test_it_is_the_share_of_what_could_be_gained():
    """25 % before, 50 % after: 25 of the 75 points that were left."""
    score = knowledge_gain(side(1, 1, 0, 0), BEFORE, BEFORE)
    assert (score.value, score.n, score.low) == (pytest.approx(1 / 3), 4, None)  # two lectures tell nothing apart
    many = knowledge_gain(side(*[1, 1, 0, 0] * 6), side(*[1, 0, 0, 0] * 6), side(*[1, 0, 0, 0] * 6))
    assert many.low <= many.value <= many.high and many.value == pytest.approx(1 / 3)


def test_who_forgets_loses_knowledge():
    """25 % before, nothing after: - 25 / 75."""
    assert knowledge_gain(side(0, 0, 0, 0), BEFORE, BEFORE).value == pytest.approx(-1 / 3)


def test_it_gives_what_table_2_prints_for_uniform_frames():
    """LLaVA-OV 0.5B: 64 of 300 right after the lecture (21.33 %) and, as -1.29 implies, 67 before."""
    before, after = side(*[1] * 67, *[0] * 233), side(*[1] * 64, *[0] * 236)
    assert 100 * knowledge_gain(after, before, before).value == pytest.approx(-1.29, abs=0.005)


def test_the_lead_over_another_selector_is_the_difference_of_both():
    ours, theirs = side(1, 1, 1, 0), side(0, 1, 0, 0)
    apart = knowledge_gain(ours, BEFORE, BEFORE).value - knowledge_gain(theirs, BEFORE, BEFORE).value
    assert knowledge_gain(ours, theirs, BEFORE).value == pytest.approx(apart)
    assert knowledge_gain(ours, ours, BEFORE).value == 0


def test_only_questions_asked_before_and_after_count():
    assert knowledge_gain(side(1, 1, 0, 0, 1, 1), BEFORE, BEFORE).value == pytest.approx(1 / 3)
    assert knowledge_gain(side(1, 1), [], BEFORE) is None and knowledge_gain([], BEFORE, BEFORE) is None


def test_where_everything_was_known_there_is_nothing_to_gain():
    assert knowledge_gain(side(1, 0), side(1, 1), side(1, 1)) is None
