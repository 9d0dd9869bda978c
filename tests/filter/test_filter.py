"""The filter: exact variances, a strict threshold, every question accounted for."""

import argparse
import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.cli import filter as command
from refocus.config.filter import FilterSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.filter import table_batches
from refocus.filter.filter_summary import tau_for_share
from refocus.filter.pairs import write_filtered
from refocus.filter.variance import variances
from refocus.qa.records import Question, read_questions, write_questions

margins = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=16)


def write_rewards(path, margins_by_id):
    rows = [(qa_id, n, value) for qa_id, values in margins_by_id.items() for n, value in enumerate(values)]
    columns = [[row[i] for row in rows] for i in range(3)]
    schema = pa.schema([("qa_id", pa.string()), ("subset", pa.int8()), ("margin", pa.float32())])
    pq.write_table(pa.table(columns, schema=schema), path)
    return path


def write_qa(path, qa_ids, dataset="d", category="moment/colour"):
    write_questions(path, [_question(qa_id, dataset, category) for qa_id in qa_ids], "ingest")
    return path


def _question(qa_id, dataset, category):
    return Question(qa_id, dataset, "train", "c", "c.mp4", None, None, "?", ("a", "b"), 0, "a", category, "", ("x",))


def filtered(tmp_path, margins_by_id, **changes):
    rewards = write_rewards(tmp_path / "r.parquet", margins_by_id)
    chosen = FilterSettings(**changes)
    qa = write_qa(tmp_path / "qa.parquet", margins_by_id)
    summary = write_filtered(tmp_path / "out", [qa], variances([rewards], chosen.ddof), chosen)
    return summary, pq.read_table(tmp_path / "out/variance.parquet"), pq.read_table(tmp_path / "out/pairs.parquet")


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(margins, min_size=1, max_size=12), ddof=st.integers(0, 1), batch=st.integers(1, 40))
def test_variances_are_numpys_however_the_file_is_cut_into_batches(tmp_path_factory, rows, ddof, batch):
    folder = tmp_path_factory.mktemp("f")
    by_id = {f"q{n}": values for n, values in enumerate(rows)}
    path = write_rewards(folder / "r.parquet", by_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_batches, "BATCH_ROWS", batch)
        found = variances([path], ddof)
    assert found.qa_ids.to_pylist() == list(by_id)
    assert found.counts.tolist() == [len(values) for values in rows]
    for value, values in zip(found.values, rows, strict=True):
        if len(values) > ddof:
            assert value == pytest.approx(np.var(np.array(values, np.float32).astype(float), ddof=ddof), abs=1e-12)
        else:
            assert np.isnan(value)


def test_a_variance_equal_to_tau_is_not_kept(tmp_path):
    """Eight margins of +½ and eight of −½ have a variance of exactly ¼ with ddof 0."""
    margins_by_id = {"q0": [0.5, -0.5] * 8, "q1": [0.5, -0.5] * 7 + [0.5, -0.625]}
    summary, table, pairs = filtered(tmp_path, margins_by_id, tau=0.25, ddof=0)
    assert table["variance"][0].as_py() == 0.25
    assert pairs["qa_id"].to_pylist() == ["q1"]
    assert (summary["kept"], summary["dropped"]) == (1, 1)
    below = float(np.nextafter(0.25, 0))
    assert filtered(tmp_path, margins_by_id, tau=below, ddof=0)[0]["kept"] == 2


def test_pairs_are_the_questions_as_they_were_with_their_variance(tmp_path):
    _, _, pairs = filtered(tmp_path, {"q0": [1, -1] * 8, "q1": [1.0] * 16})
    assert pairs["variance"].to_pylist() == pytest.approx([16 / 15])
    assert read_questions(tmp_path / "out/pairs.parquet") == [_question("q0", "d", "moment/colour")]


def test_questions_whose_variance_cannot_decide_are_dropped_flagged_and_counted(tmp_path):
    margins_by_id = {"ok": [1, -1] * 8, "short": [1, -1] * 3 + [1], "nan": [1, -1] * 7 + [1, np.nan]}
    rewards = write_rewards(tmp_path / "r.parquet", margins_by_id)
    qa = write_qa(tmp_path / "qa.parquet", [*margins_by_id, "never"])
    summary = write_filtered(tmp_path, [qa], variances([rewards], 1), FilterSettings())
    rows = {row["qa_id"]: row for row in pq.read_table(tmp_path / "variance.parquet").to_pylist()}
    flags = {"ok": "", "short": "too_short", "nan": "not_finite", "never": "no_reward"}
    assert {qa_id: row["flag"] for qa_id, row in rows.items()} == flags
    assert {qa_id: row["n_subsets"] for qa_id, row in rows.items()} == {"ok": 16, "short": 7, "nan": 16, "never": 0}
    assert rows["nan"]["variance"] is None and rows["never"]["variance"] is None
    counted = {"questions": 4, "kept": 1, "dropped": 3, "too_short": 1, "no_reward": 1, "not_finite": 1}
    assert {key: summary[key] for key in counted} == counted
    assert sum(summary["histogram"]["counts"]) == 1


def test_screened_questions_are_dropped_whatever_their_variance(tmp_path):
    """Each reason is counted, the variance is still written, and a reason of screening comes before any other."""
    margins_by_id = {"ok": [1, -1] * 8, "copy": [1, -1] * 8, "leak": [1, -1] * 8, "both": [1, -1] * 2}
    rewards = write_rewards(tmp_path / "r.parquet", margins_by_id)
    qa = write_qa(tmp_path / "qa.parquet", margins_by_id)
    drop = [tmp_path / "duplicates.parquet", tmp_path / "leaks.parquet"]
    pq.write_table(pa.table({"qa_id": ["copy", "both"], "reason": ["duplicate"] * 2}), drop[0])
    pq.write_table(pa.table({"qa_id": ["leak", "both", "other"], "reason": ["leaked"] * 3}), drop[1])
    summary = write_filtered(tmp_path, [qa], variances([rewards], 1), FilterSettings(), drop)
    table = pq.read_table(tmp_path / "variance.parquet")
    assert dict(zip(table["qa_id"].to_pylist(), table["flag"].to_pylist(), strict=True)) == {
        "ok": "",
        "copy": "duplicate",
        "leak": "leaked",
        "both": "duplicate",
    }
    assert table["variance"][1].as_py() == pytest.approx(16 / 15)
    assert pq.read_table(tmp_path / "pairs.parquet")["qa_id"].to_pylist() == ["ok"]
    counted = {"questions": 4, "kept": 1, "dropped": 3, "duplicate": 2, "leaked": 1, "too_short": 0}
    assert {key: summary[key] for key in counted} == counted


def test_the_first_copy_of_a_question_without_rewards_takes_its_place(tmp_path):
    """Where the original's video is lost: dropping every copy loses the question, keeping two asks it twice."""
    scored = {"copy 1": [1, -1] * 8, "copy 2": [1, -1] * 8, "of another": [1, -1] * 8, "ok": [1, -1] * 8}
    rewards = write_rewards(tmp_path / "r.parquet", scored)
    qa = write_qa(tmp_path / "qa.parquet", ["lost", "lost copy", *scored])
    copies = {
        "qa_id": ["lost copy", "copy 1", "copy 2", "of another"],
        "reason": ["duplicate"] * 4,
        "of": ["lost", "lost", "lost", "ok"],
    }
    pq.write_table(pa.table(copies), tmp_path / "duplicates.parquet")
    drop = [tmp_path / "duplicates.parquet"]
    summary = write_filtered(tmp_path, [qa], variances([rewards], 1), FilterSettings(), drop)
    assert pq.read_table(tmp_path / "pairs.parquet")["qa_id"].to_pylist() == ["copy 1", "ok"]
    assert (summary["duplicate"], summary["no_reward"]) == (3, 1)


def test_screening_that_found_nothing_changes_nothing(tmp_path):
    margins_by_id = {"q0": [1, -1] * 8, "q1": [0.0] * 16}
    filtered(tmp_path, margins_by_id)
    before = [(tmp_path / "out" / name).read_bytes() for name in ("variance.parquet", "pairs.parquet", "summary.json")]
    nothing = pa.table({"qa_id": pa.array([], pa.string()), "reason": pa.array([], pa.string())})
    pq.write_table(nothing, tmp_path / "none.parquet")
    found = variances([tmp_path / "r.parquet"], 1)
    write_filtered(tmp_path / "out", [tmp_path / "qa.parquet"], found, FilterSettings(), [tmp_path / "none.parquet"])
    after = [(tmp_path / "out" / name).read_bytes() for name in ("variance.parquet", "pairs.parquet", "summary.json")]
    assert after == before


def test_exactly_the_least_number_of_subsets_is_enough(tmp_path):
    summary, _, _ = filtered(tmp_path, {"q0": [1, -1] * 4, "q1": [1, -1] * 3 + [1]}, min_subsets=8)
    assert (summary["kept"], summary["too_short"]) == (1, 1)


def test_counts_per_data_set_and_category_add_up(tmp_path):
    random = np.random.default_rng(0)
    first = {f"a{n}": random.uniform(-1, 1, 16) for n in range(30)}
    second = {f"b{n}": random.uniform(-0.2, 0.2, 16) for n in range(20)}
    rewards = [write_rewards(tmp_path / f"{n}.parquet", part) for n, part in enumerate((first, second))]
    qa = [
        write_qa(tmp_path / "qa0.parquet", first, "one", "moment/colour"),
        write_qa(tmp_path / "qa1.parquet", second, "two", "static/background"),
    ]
    summary = write_filtered(tmp_path, qa, variances(rewards, 1), FilterSettings())
    for part in ("datasets", "categories"):
        for key in ("questions", "kept", "dropped"):
            assert sum(row[key] for row in summary[part].values()) == summary[key]
    assert summary["datasets"]["two"]["kept"] == 0 and summary["datasets"]["one"]["kept"] > 20
    assert sum(summary["histogram"]["counts"]) == 50


def test_the_paper_settings_of_a_result_are_in_its_metadata(tmp_path):
    _, table, pairs = filtered(tmp_path, {"q0": [1, -1] * 8}, tau=0.1)
    for found in (table, pairs):
        assert json.loads(found.schema.metadata[b"refocus.settings"]) == {"ddof": 1, "min_subsets": 8, "tau": 0.1}


@given(st.lists(st.floats(0, 1.1), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_the_tau_for_a_share_keeps_that_share_up_to_ties(values, share):
    values = np.array(values)
    tau = tau_for_share(values, len(values), share)
    wanted = round(len(values) * share)
    assert (values > tau).sum() <= wanted <= (values >= tau).sum()


def test_a_share_that_cannot_be_reached_has_no_tau():
    assert tau_for_share(np.array([0.1, 0.2]), 100, 0.5) is None


def test_the_sensitivity_table_is_the_filter_run_again(tmp_path):
    """Every number of the table equals what the filter keeps with that tau, for each data set and for all."""
    random = np.random.default_rng(1)
    parts = {name: {f"{name}{n}": random.uniform(-1, 1, 16) * random.random() for n in range(40)} for name in "ab"}
    parts["b"] |= {"short": [1, -1], "nan": [1, -1] * 7 + [1, np.nan], "even": [0.5, -0.5] * 8}
    rewards = [write_rewards(tmp_path / f"{name}.parquet", part) for name, part in parts.items()]
    qa = [write_qa(tmp_path / f"qa{name}.parquet", [*part, f"no{name}"], name) for name, part in parts.items()]
    found = variances(rewards, 0)
    write_filtered(tmp_path / "out", qa, found, FilterSettings(tau=0.25, ddof=0))
    with (tmp_path / "out/sensitivity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["tau"]) for row in rows if row["dataset"] == "all"] == [n / 20 for n in range(1, 11)]
    for row in rows:
        again = write_filtered(tmp_path / "again", qa, found, FilterSettings(tau=float(row["tau"]), ddof=0))
        part = again if row["dataset"] == "all" else again["datasets"][row["dataset"]]
        assert (int(row["questions"]), int(row["kept"])) == (part["questions"], part["kept"])
        assert float(row["share"]) == pytest.approx(part["kept_share"], abs=1e-6)
    assert len(rows) == 30


def test_the_readable_table_has_this_runs_tau_and_the_one_of_the_papers_share(tmp_path):
    random = np.random.default_rng(2)
    summary, _, _ = filtered(tmp_path, {f"q{n}": random.uniform(-1, 1, 16) for n in range(100)}, tau=0.33)
    page = (tmp_path / "out/sensitivity.md").read_text()
    line = next(line for line in page.splitlines() if "**0.33** (this run)" in line)
    assert line.count(f"{summary['kept']} ({summary['kept_share']:.1%})") == 2  # the one data set, and all
    assert f"| {summary['paper']['tau_for_share']:.4f} | {summary['paper']['tau_for_share']:.4f} |" in page
    assert "98K of 962K" in page


def test_why_questions_have_no_reward_is_counted(tmp_path, capsys):
    rewards = write_rewards(tmp_path / "r.parquet", {"q0": [1, -1] * 8})
    qa = write_qa(tmp_path / "qa.parquet", ["q0", "q1", "q2", "q3"])
    reasons = ["no_frames", "clip_failed", "no_frames"]
    pq.write_table(pa.table({"qa_id": ["q1", "q2", "q3"], "reason": reasons}), tmp_path / "r.skipped.parquet")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(rewards), "--qa", str(qa), "--out", str(tmp_path / "out")]))
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["skipped"] == {"clip_failed": 1, "no_frames": 2} and summary["no_reward"] == 3
    assert "the reward pass could not use: clip_failed 1, no_frames 2" in capsys.readouterr().out
    flags = pq.read_table(tmp_path / "out/variance.parquet")["flag"].to_pylist()
    assert flags == ["", "no_reward", "no_reward", "no_reward"]


@pytest.mark.parametrize("case", ["twice", "scattered", "doubled"])
def test_margins_that_would_count_twice_are_refused(tmp_path, case):
    first = write_rewards(tmp_path / "a.parquet", {"q0": [0.1, 0.2], "q1": [0.3]})
    if case == "doubled":
        table = pq.read_table(first)
        pq.write_table(pa.concat_tables([table.slice(0, 1), table]), first)
    elif case == "scattered":
        table = pq.read_table(first)
        pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), first)
    with pytest.raises(RefocusError, match="q0"):
        variances([first, first] if case == "twice" else [first], 1)


@pytest.mark.fault("input missing or unreadable", "filter", "named")
def test_files_that_are_none_are_named(tmp_path):
    (tmp_path / "x.parquet").write_text("no")
    for name in ("x.parquet", "missing.parquet"):
        with pytest.raises(RefocusError, match=name):
            variances([tmp_path / name], 1)
        with pytest.raises(RefocusError, match=name):
            write_filtered(tmp_path, [tmp_path / name], variances([], 1), FilterSettings())
    assert not list(tmp_path.glob("*pairs*"))


@pytest.mark.parametrize("again", ["one file twice", "one row twice"])
def test_a_question_given_twice_is_refused(tmp_path, again):
    rewards = write_rewards(tmp_path / "r.parquet", {"q0": [1, -1] * 8, "q1": [1, -1] * 8})
    qa = write_qa(tmp_path / "qa.parquet", ["q0", "q1", "q1"] if again == "one row twice" else ["q0", "q1"])
    files = [qa, qa] if again == "one file twice" else [qa]
    with pytest.raises(RefocusError, match="twice"):
        write_filtered(tmp_path, files, variances([rewards], 1), FilterSettings())


def test_a_table_without_margins_is_named(tmp_path):
    qa = write_qa(tmp_path / "qa.parquet", ["q0"])
    with pytest.raises(RefocusError, match=r"qa\.parquet: no column 'subset'"):
        variances([qa], 1)


def test_margins_of_questions_that_are_in_no_file_are_counted(tmp_path):
    rewards = write_rewards(tmp_path / "r.parquet", {"q0": [1, -1] * 8, "q1": [1, -1] * 8})
    qa = write_qa(tmp_path / "qa.parquet", ["q0"])
    summary = write_filtered(tmp_path, [qa], variances([rewards], 1), FilterSettings())
    assert summary["rewards_without_question"] == 1


def test_the_questions_of_another_set_are_refused(tmp_path):
    rewards = write_rewards(tmp_path / "r.parquet", {"q0": [1, -1] * 8})
    qa = write_qa(tmp_path / "qa.parquet", ["q1"])
    with pytest.raises(UsageError, match=r"none of the 1 scored questions is in .*qa\.parquet"):
        write_filtered(tmp_path / "out", [qa], variances([rewards], 1), FilterSettings())
    assert not list((tmp_path / "out").iterdir())


def test_the_command_writes_its_files_and_says_what_was_kept(tmp_path, capsys):
    rewards = write_rewards(tmp_path / "r.parquet", {"q0": [1, -1] * 8, "q1": [0.1] * 16})
    qa = write_qa(tmp_path / "qa.parquet", ["q0", "q1"])
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = [rewards, "--qa", qa, "--tau", 0.21, "--out", tmp_path / "out"]
    command.run(parser.parse_args([str(word) for word in words]))
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"pairs.parquet", "sensitivity.csv", "sensitivity.md", "summary.json", "variance.parquet"}
    assert "kept 1 of 2 (50.0%)" in capsys.readouterr().out
