"""A few inputs for every parser, the same ones each time; `make fuzz` tries a hundred thousand of each."""

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.harness import judge, limited
from tests.fuzz.parsers import PARSERS


@pytest.fixture(autouse=True)
def quiet():
    """Thousands of warnings say nothing here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name.replace(" ", "-"))
def test_any_input_is_accepted_or_refused_in_one_line(parser, tmp_path):
    make, parse = parser.build(tmp_path)

    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(random=st.randoms(use_true_random=False))
    def holds(random):
        judge(parse, make(random))

    with limited(tmp_path):
        holds()
