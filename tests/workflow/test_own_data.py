"""Data of one's own through the rules: a folder of tables, an adapter from outside the package, links, evidence."""

import json

import pyarrow.parquet as pq
import pytest
import yaml
from refocus.cli.main import main
from refocus.core import parquet
from refocus.core.files import write_table

from tests.support.dry_runs import planned, snakemake
from tests.support.videos import constant, write_video

pytestmark = pytest.mark.slow

ADAPTER = """
from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.raw_question import RawQuestion


def adapter(paths, options):
    for path in paths:
        yield from each(path, rows_of(path, ()), question)


def question(where, number, row):
    return RawQuestion(where, row["id"], (row["video"],), "what?", ("a", "b"), 0, "test", evidence=((1.0, 2.0),))
"""
PICKS = "results/selections/{name}/oracle/n2.s0.parquet"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A table in a folder, the same rows for an own adapter, and videos on another disk behind a link."""
    write_video(tmp_path / "disk2" / "a.mp4", constant(6.0))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "more").symlink_to(tmp_path / "disk2")
    row = {"id": "q1", "video": "more/a.mp4", "question": "what?", "options": ["a", "b"], "answer": "A"}
    (tmp_path / "tables").mkdir()
    rows = [{**row, "evidence": "0:04-0:05"}, {**row, "id": "q2"}]
    (tmp_path / "tables" / "test-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "own_adapter.py").write_text(ADAPTER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    source = {"annotations": ["tables"], "videos": "videos", "allowed_roots": ["disk2"]}
    benchmarks = {
        "table": {**source, "format": "jsonl", "truth": "<results>/qa/table.evidence.parquet"},
        "own": {**source, "format": "own_adapter:adapter", "truth": "<results>/qa/own.evidence.parquet"},
    }
    use = {"datasets": [], "benchmarks": list(benchmarks), "selectors": ["oracle"], "runs": [], "lmms": []}
    overlay = {
        "world": None,
        "benchmarks": benchmarks,
        "use": use,
        "answer": {"n_frames": [2]},
        "tables": {"n_frames": 2},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(overlay))
    return tmp_path


def run(repository, home, *words):
    targets = [PICKS.format(name=name) for name in ("table", "own")]
    words = ("--directory", str(home), "--configfile", str(home / "mine.yaml"), *words, "--", *targets)
    done = snakemake(repository, *words, cwd=home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def picks(home, name):
    return {
        row["source_id"]: (times, flags)
        for row, times, flags in zip(
            pq.read_table(home / f"results/qa/{name}.parquet").to_pylist(),
            *(
                pq.read_table(home / PICKS.format(name=name))[column].to_pylist()
                for column in ("timestamps_s", "flags")
            ),
            strict=True,
        )
    }


@pytest.mark.fault(
    "input replaced or corrected",
    "ingest select workflow",
    "corrected annotations make everything anew that rests on them",
)
def test_evidence_of_annotations_reaches_the_oracle_and_a_change_is_seen(repository, home):
    """Of a table and of an own adapter; then a piece more in the folder, and another version of the adapter."""
    run(repository, home)
    known, unknown = picks(home, "table").values()
    assert all(4 <= time < 5 for time in known[0]) and len(known[0]) == 2 and not known[1]
    assert len(unknown[0]) == 2 and unknown[1] == ["no_evidence"]
    assert all(1 <= time < 2 for times, _ in picks(home, "own").values() for time in times)
    dry = ("-n", "--quiet", "rules")
    assert planned(run(repository, home, *dry)) == {}
    (home / "own_adapter.py").write_text(ADAPTER.replace("1.0, 2.0", "2.0, 3.0"))
    plan = planned(run(repository, home, *dry))
    assert plan["ingest_own"] == 1 and "ingest_table" not in plan
    (home / "tables" / "test-1.jsonl").write_text((home / "tables" / "test-0.jsonl").read_text())
    assert planned(run(repository, home, *dry))["ingest_table"] == 1


def test_what_jobs_noted_of_their_inputs_is_what_check_compares(repository, home, capsys):
    """Snakemake's own records: a list of clips that is changed, whole as it is, is not what decode read."""
    run(repository, home)
    check = ["check", str(home / "results"), "--directory", str(home)]
    assert main(check) == 0
    assert "or not all" not in capsys.readouterr().out
    clips = home / "results/qa/shards/table/000000.clips.parquet"
    write_table(clips, parquet.read_table(clips), "ingest", {"somebody": "else"})
    assert main(check) == 1
    assert "DAMAGED: qa/shards/table/000000.clips.parquet: is not what frames/table/" in capsys.readouterr().out
