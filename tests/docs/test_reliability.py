"""docs/reliability.md and the tests agree: its tables are made of the tests that carry the marker `fault`."""

import re

from tests.support.reliability import FAULTS, PAGE, STAGES, held, listing, matrix


def between(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"the page has no place for the {mark}"
    return found[1]


def test_the_page_has_the_tables_that_the_tests_make():
    """`python -m tests.support.reliability --write` writes them."""
    rows = held()
    assert between("matrix") == matrix(rows)
    assert between("list") == listing(rows)


def test_every_fault_and_every_stage_has_a_test():
    assert {one.fault for one in held()} == set(FAULTS)
    assert {stage for one in held() for stage in one.stages} == set(STAGES)
