"""A missing package is named with the extra that brings it."""

import sys

import pytest
from refocus.core.errors import UsageError
from refocus.core.extras import advice, require


def test_a_module_of_a_package_counts_as_the_package():
    assert "pip install '.[workflow]'" in advice("pyarrow.parquet")


def test_what_no_extra_brings_is_no_advice():
    assert advice("refocus.nothing") is None


def test_what_is_there_passes_and_what_is_not_is_an_error(monkeypatch):
    require("json")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "decord", raising=False)
    with pytest.raises(UsageError, match=r"\.\[decord\]"):
        require("decord")
