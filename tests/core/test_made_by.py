"""A job's log begins with what ran it; a command by hand does not."""

import json
import logging

from refocus.cli.main import main
from refocus.core.made_by import JOB, commit, made_by


def test_a_job_says_version_commit_packages_and_processor(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv(JOB, "1")
    main(["gc"])
    line = next(record.message for record in caplog.records if record.message.startswith("made by "))
    said = json.loads(line.removeprefix("made by "))
    assert said == made_by()
    assert said["refocus"] and said["python"] and "numpy" in said["packages"] and said["commit"] == commit()


def test_a_command_by_hand_says_nothing(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.delenv(JOB, raising=False)
    main(["gc"])
    assert "made by" not in caplog.text
