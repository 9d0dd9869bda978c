"""What the frames will take is set against the free space where they go."""

import shutil
from types import SimpleNamespace

import pytest
from refocus.config.overlay import check
from refocus.doctor.check_disk import examine_disk
from refocus.doctor.findings import Report

TAKES = 5 * 10**9  # bytes


def found(tmp_path, monkeypatch, free, frames=TAKES):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    report = Report("nextqa", "data set", "nextqa", 0.0, 0.0, clips=9, frames_bytes=frames)
    [one] = examine_disk(check({"results": str(tmp_path / "results")}), [report])
    return one


@pytest.mark.parametrize(("free", "level"), [(TAKES - 1, "warning"), (TAKES, "note")])
def test_too_little_room_is_a_warning_that_says_both(tmp_path, monkeypatch, free, level):
    one = found(tmp_path, monkeypatch, free)
    assert (one.level, one.kind) == (level, "disk")
    assert one.text.count("5.0 GB") == 2 and "nextqa" in one.text and str(tmp_path) in one.text


def test_without_lengths_nothing_is_guessed(tmp_path, monkeypatch):
    one = found(tmp_path, monkeypatch, 1, None)
    assert one.level == "note" and "will take" not in one.text
