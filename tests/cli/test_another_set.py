"""Tables of another data set in the place of a stage's own end with a refusal, and not with an empty result."""

from dataclasses import replace

import pytest
from refocus.cli.main import main
from refocus.qa.records import write_questions

from tests.support.stages_by_hand import words


@pytest.fixture
def other(undisturbed, tmp_path):
    """Questions about clips that no index has."""
    path = tmp_path / "other.parquet"
    asked = [replace(q, qa_id=f"o{q.qa_id[1:]}", clip_id=f"o{q.clip_id[1:]}") for q in undisturbed.questions]
    write_questions(path, asked, "ingest", {"format": "csv"})
    return path


@pytest.mark.parametrize("stage", ["reward", "embed", "certainty", "filter", "select", "likelihood"])
def test_questions_of_another_set_are_refused_and_nothing_is_written(inputs, other, tmp_path, caplog, stage):
    said = words(stage, inputs.home, tmp_path)
    said[said.index("--qa") + 1] = str(other)
    assert main(said) == 2
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "none of the" in line and str(other) in line
    assert not list((tmp_path / stage).rglob("*.parquet"))


def test_evidence_of_another_set_is_said_to_be_none(inputs, other, tmp_path, caplog):
    said = words("recall", inputs.home, tmp_path)
    said[said.index("--qa") + 1] = str(other)
    assert main(said) == 0
    assert f"no question of {other} has evidence in the tables of --truth" in caplog.text
