"""`refocus why` names the key that changed, `refocus provenance` the jobs and sources behind a result."""

import json
import os
import shutil

import pytest
import yaml
from refocus.cli.main import main

from tests.support.dry_runs import write

pytestmark = pytest.mark.slow


@pytest.fixture
def home(finished, tmp_path):
    """A copy of the finished run, times and all."""
    return shutil.copytree(finished, tmp_path / "home")


def why(capsys, home, overlay):
    write(home / "overlay.yaml", yaml.safe_dump(overlay))
    assert main(["why", "--directory", str(home), "--cores", "1", "--configfile", str(home / "overlay.yaml")]) == 0
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}


def test_a_changed_key_is_named_and_what_follows_is_not_blamed(capsys, finished):
    told = why(capsys, finished, {"filter": {"tau": 0.3}})
    assert "tau: 0.15 → 0.3" in told["filter_pairs"]
    assert "made anew before it" in told["train_policy"] and "tau" not in told["train_policy"]
    told = why(capsys, finished, {"train": {"entropy_weight": 0.5, "betas": [0.9, 0.95]}})
    assert "entropy_weight: " in told["train_policy"] and "betas: [0.9, 0.99] → [0.9, 0.95]" in told["train_policy"]
    assert "filter_pairs" not in told


def test_nothing_to_do_and_a_missing_file_are_said(capsys, home):
    assert list(why(capsys, home, {})) == ["nothing"]
    (home / "results/tables/table1.csv").unlink()
    assert "not made yet" in why(capsys, home, {})["make_tables"]


def test_a_plan_that_fails_ends_with_snakemakes_words(capsys, finished):
    write(finished / "wrong.yaml", "filter: {tua: 0.3}")
    words = ["--directory", str(finished), "--cores", "1", "--configfile", str(finished / "wrong.yaml")]
    assert main(["why", *words]) == 1
    assert "tua" in capsys.readouterr().err


def test_a_table_leads_back_to_the_world_and_the_models(capsys, home):
    assert main(["provenance", "results/tables/table1.csv", "--directory", str(home), "--json"]) == 0
    chain = json.loads(capsys.readouterr().out)
    rules = [step["rule"] for step in chain["steps"]]
    assert rules[0] == "make_tables" and {"answer_questions", "train_policy", "score_shard", "make_world"} <= set(rules)
    sources = {source["path"]: source for source in chain["sources"]}
    assert set(sources) >= {"assets/lmm/model.safetensors", "assets/policy/model.safetensors"}
    assert all(source["digest"] for source in sources.values())
    assert any('"tau":0.15' in text for step in chain["steps"] for params in step["params"] for text in params)


def test_a_file_that_was_changed_by_hand_is_a_problem(capsys, home):
    pairs = home / "results/filtered/tiny/pairs.parquet"
    later = pairs.stat().st_mtime + 3600
    os.utime(pairs, (later, later))
    assert main(["provenance", "results/tables/table1.csv", "--directory", str(home)]) == 1
    text = capsys.readouterr().out
    assert "pairs.parquet was changed after its job ended" in text
    assert "pairs.parquet is newer than results/train/demo/" in text


def test_a_change_that_kept_the_date_is_a_problem(capsys, home):
    """The digest that the job noted of what it read tells."""
    changed = home / "results/filtered/tiny/summary.json"
    time = changed.stat().st_mtime_ns
    changed.write_text(changed.read_text() + " ")
    os.utime(changed, ns=(time, time))
    assert main(["provenance", "results/figures/accuracy.png", "--directory", str(home)]) == 1
    text = capsys.readouterr().out
    assert "PROBLEM: results/filtered/tiny/summary.json is not what results/figures/" in text


@pytest.mark.parametrize(
    ("file", "says"), [("results/none.csv", "no job that ran"), ("assets/lmm/config.json", "no job that ran")]
)
def test_what_no_job_made_is_refused(caplog, finished, file, says):
    assert main(["provenance", file, "--directory", str(finished)]) == 2
    assert says in caplog.text


def test_a_folder_without_records_is_refused(caplog, tmp_path):
    assert main(["provenance", "results/tables/table1.csv", "--directory", str(tmp_path)]) == 1
    assert "name the folder that snakemake was run in" in caplog.text
