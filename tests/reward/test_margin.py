"""Eq. 5, row by row and for many rows at once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.reward.margin import margins

logits = st.lists(st.floats(-30, 30), min_size=2, max_size=8)
FLOAT32 = 2.0**-23  # margins lie in [-1, 1] and are rounded to float32


def margin(values, answer):
    return float(margins([values], [answer])[0])


@settings(deadline=None)
@given(logits, st.data())
def test_the_margin_is_the_normalised_difference_of_exponentials(values, data):
    """Eq. 4 and Eq. 5 are the same number."""
    answer = data.draw(st.integers(0, len(values) - 1))
    right, other = values[answer], max(v for i, v in enumerate(values) if i != answer)
    shift = max(right, other)
    a, b = math.exp(right - shift), math.exp(other - shift)
    assert margin(values, answer) == pytest.approx((a - b) / (a + b), abs=FLOAT32)


@settings(deadline=None)
@given(logits, st.data(), st.floats(-50, 50))
def test_only_differences_count_and_the_sign_says_who_wins(values, data, shift):
    answer = data.draw(st.integers(0, len(values) - 1))
    found = margin(values, answer)
    assert -1 <= found <= 1
    assert margin([v + shift for v in values], answer) == pytest.approx(found, abs=FLOAT32)
    others = [v for i, v in enumerate(values) if i != answer]
    assert (found > 0) == (values[answer] - max(others) > 0) or abs(values[answer] - max(others)) < 1e-15


@settings(deadline=None)
@given(st.floats(-20, 20), st.floats(-20, 20))
def test_with_two_options_the_margins_of_both_cancel(a, b):
    assert margin([a, b], 0) == pytest.approx(-margin([a, b], 1), abs=FLOAT32)


@settings(deadline=None)
@given(st.lists(logits, min_size=1, max_size=6), st.data())
def test_a_row_does_not_depend_on_the_rows_beside_it(rows, data):
    """Rows of different lengths together give, to the bit, what each gives alone, as a list, an array or a tensor."""
    answers = [data.draw(st.integers(0, len(row) - 1)) for row in rows]
    alone = [margin(row, answer) for row, answer in zip(rows, answers, strict=True)]
    assert margins(rows, answers).tolist() == alone
    assert margins([torch.tensor(row, dtype=torch.float64) for row in rows], answers).tolist() == alone


def test_margins_are_those_of_exact_arithmetic_rounded_to_float32():
    """Logits that no float32 difference represents: computed in float64, rounded once."""
    values = [np.float32(7.1), np.float32(6.9), np.float32(-3.3)]
    exact = math.tanh((float(values[0]) - float(values[1])) / 2)
    assert margin(values, 0) == float(np.float32(exact))
    assert margins([], []).shape == (0,)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("answer", [0, 1, 2])
def test_a_logit_that_is_no_number_gives_no_margin_whichever_option_has_it(odd, place, answer):
    values = [1.0, 2.0, 0.0]
    values[place] = odd
    assert math.isnan(margin(values, answer))


def test_impossible_answers_are_refused():
    for values, answer in (([1.0], 0), ([1.0, 2.0], 2), ([1.0, 2.0], -1)):
        with pytest.raises(ValueError):
            margin(values, answer)
