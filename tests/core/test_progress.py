"""Bars in logs: few whole lines."""

import io
import sys

from refocus.core import progress


def lines(monkeypatch, steps: int) -> list[str]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    for _ in progress.bar(range(steps), desc="count", unit="step"):
        pass
    assert "\r" not in stream.getvalue()
    return stream.getvalue().splitlines()


def test_what_is_quick_says_nothing(monkeypatch):
    assert lines(monkeypatch, 50) == []


def test_a_long_one_ends_with_its_last_state(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_UNTIL_SHOWN", -1.0)
    shown = lines(monkeypatch, 50)
    assert "50/50" in shown[-1]
    assert all(line.startswith("count") for line in shown)
