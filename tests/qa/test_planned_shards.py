"""Empty shards get no job, once it is known that they are empty; a finished run goes on planning nothing."""

import os

import pyarrow as pa
import pytest
from refocus.config.overlay import check
from refocus.core.files import write_table
from refocus.core.results_folder import CLIPS, INDEX
from refocus.qa.planned_shards import planned_shards

ENTRY = {"format": "mlvu", "annotations": ["a.json"], "videos": "videos", "shards": 9}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text("[]")
    os.utime(tmp_path / "a.json", (1, 1))
    return tmp_path


def root(**changes):
    return check({"datasets": {"set": {**ENTRY, **changes}}, "ingest": {"clips_per_shard": 2}})


def ingested(settings, shards):
    notes = {**settings.ingest.identity(), "format": "mlvu", "limit": None, "options": {}}
    table = pa.table({"clip_id": ["c"] * len(shards), "shard": pa.array(shards, pa.int32())})
    write_table(CLIPS.at("results", dataset="set"), table, "ingest", notes)


def test_before_ingest_all_shards_are_planned(home):
    assert planned_shards(root(), "set") == 9


def test_after_ingest_the_filled_ones(home):
    ingested(root(), [0, 0, 1, 2])
    assert planned_shards(root(), "set") == 3
    ingested(root(), [])
    assert planned_shards(root(), "set") == 1


def test_other_annotations_or_settings_may_fill_more(home):
    ingested(root(), [0, 1])
    assert planned_shards(root(limit=7), "set") == 9
    os.utime(home / "a.json")
    os.utime(CLIPS.at("results", dataset="set"), (2, 2))
    assert planned_shards(root(), "set") == 9


def test_shards_that_were_decoded_empty_stay(home):
    """A run that was planned before ingest ends with an index of every shard; its second start must plan the same."""
    ingested(root(), [0, 1])
    index = INDEX.at("results", dataset="set", shard="000005")
    index.parent.mkdir(parents=True)
    index.touch()
    assert planned_shards(root(), "set") == 6


@pytest.mark.fault("damaged input or result", "workflow", "a damaged table does not plan fewer jobs")
def test_a_table_that_cannot_be_read_says_nothing(home):
    CLIPS.at("results", dataset="set").parent.mkdir(parents=True)
    CLIPS.at("results", dataset="set").write_text("torn")
    assert planned_shards(root(), "set") == 9
