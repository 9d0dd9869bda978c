"""Eq. 5 in scalar and tensor form."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.reward.margin import margin, margins, row_margins

logits = st.lists(st.floats(-30, 30), min_size=2, max_size=8)


@settings(deadline=None)
@given(logits, st.data())
def test_the_margin_is_the_normalised_difference_of_exponentials(values, data):
    """Eq. 4 and Eq. 5 are the same number."""
    answer = data.draw(st.integers(0, len(values) - 1))
    right, other = values[answer], max(v for i, v in enumerate(values) if i != answer)
    shift = max(right, other)
    a, b = math.exp(right - shift), math.exp(other - shift)
    assert margin(values, answer) == pytest.approx((a - b) / (a + b), abs=1e-12)


@settings(deadline=None)
@given(logits, st.data(), st.floats(-50, 50))
def test_only_differences_count_and_the_sign_says_who_wins(values, data, shift):
    answer = data.draw(st.integers(0, len(values) - 1))
    found = margin(values, answer)
    assert -1 <= found <= 1
    assert margin([v + shift for v in values], answer) == pytest.approx(found, abs=1e-9)
    others = [v for i, v in enumerate(values) if i != answer]
    assert (found > 0) == (values[answer] - max(others) > 0) or abs(values[answer] - max(others)) < 1e-15


@settings(deadline=None)
@given(st.floats(-20, 20), st.floats(-20, 20))
def test_with_two_options_the_margins_of_both_cancel(a, b):
    assert margin([a, b], 0) == pytest.approx(-margin([a, b], 1), abs=1e-12)


@settings(deadline=None)
@given(st.lists(logits, min_size=1, max_size=6), st.data())
def test_tensor_and_scalar_form_agree_with_absent_options_left_out(rows, data):
    answers = [data.draw(st.integers(0, len(row) - 1)) for row in rows]
    padded = torch.full((len(rows), 8), -torch.inf, dtype=torch.float64)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = torch.tensor(row, dtype=torch.float64)
    expected = [margin(row, answer) for row, answer in zip(rows, answers, strict=True)]
    assert margins(padded, torch.tensor(answers)).tolist() == pytest.approx(expected, abs=1e-12)


def test_row_margins_take_what_the_scorer_returns():
    raw = [torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.5], [0.1], [3.0]])]
    first = margin([math.log(math.e + 1), 2 + math.log(2)], 1)
    assert row_margins(raw, [1, 0]).tolist() == pytest.approx([first, math.tanh((0.5 - 3.0) / 2)])


def test_the_margin_is_differentiable():
    z = torch.tensor([[0.3, -0.2, 0.1]], requires_grad=True)
    margins(z, torch.tensor([1])).sum().backward()
    assert z.grad[0, 1] > 0 and z.grad[0, 0] < 0 and z.grad[0, 2] == 0


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
