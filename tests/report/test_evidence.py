"""The evidence page: one table that says what selector reaches what, read from the run's own files."""

import json
import shutil

import pytest
from refocus.cli.main import main
from refocus.config.overlay import load
from refocus.config.selectors import kind_of
from refocus.core.errors import UsageError
from refocus.core.results_folder import SELECTION_COST
from refocus.report.contrast import percent
from refocus.report.evidence import page
from refocus.report.study import Study
from refocus.select.cost import Cost, SelectionCost, write_selection_cost

from tests.support.answered_world import write_answered


@pytest.fixture(scope="module")
def root(repository):
    return load([repository / "config.yaml", repository / "config/evidence.yaml"])


@pytest.fixture(scope="module")
def results(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence") / "results"
    write_answered(folder, root)
    for name in root.use.benchmarks:
        spent = SelectionCost(name, "mdp3-options", 10, Cost(seconds=5.0, frame_passes=400, lmm_passes=70))
        write_selection_cost(SELECTION_COST.at(folder, benchmark=name, selector="mdp3-options"), spent)
    for name in ("figures", "filtered/tiny", "benchmarks/reward"):
        (folder / name).mkdir(parents=True)
    (folder / "figures/training.png").write_bytes(b"png")
    rates = {"moment/color": {"questions": 8, "kept": 6, "kept_share": 0.75}}
    summary = {"kept": 6, "questions": 8, "tau": 0.21, "categories": rates}
    (folder / "filtered/tiny/summary.json").write_text(json.dumps(summary))
    for shard, seconds in (("0", 10.0), ("1", 30.0)):
        (folder / f"benchmarks/reward/{shard}.jsonl").write_text(json.dumps({"s": seconds, "max_rss": 500.0}) + "\n")
    (folder / "benchmarks/tables.jsonl").write_text(json.dumps({"s": 0.5, "max_rss": "NA"}) + "\n")
    return folder


@pytest.fixture(scope="module")
def study(root, results) -> Study:
    return Study(root, results)


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The first table below a heading: its rows by their first cell."""
    table = next(block for block in text.split(heading)[1].split("\n\n") if block.startswith("|"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in cells[2:]}


def test_the_first_table_has_a_row_per_selector_and_the_mean_of_the_seeds(root, study):
    table = rows(page(study, [], []), "## What reaches what")
    assert len(table) == len({kind_of(name) for name in root.use.selectors}), "runs are no rows of their own"
    learned = study.of(study.base, "", "refocus")
    shown = table["**learned** (sampled)"]
    assert shown[:3] == [
        percent(study.score(learned, group), tuple(study.seeds(learned, group))) for group in study.groups
    ]
    best = study.best_baseline()
    difference = study.compare("", learned, study.by(best), study.groups[0]).difference
    assert shown[3].startswith(f"{100 * difference.value:+.1f} [")
    assert table[f"`{best}`"][3:] == ["–"] * 2 + ["0.5", "40", "7"]
    assert table["`uniform`"][5:] == ["–"] * 3, "no cost was written down"


def test_every_kind_of_the_data_has_its_row_with_its_own_best(study):
    table = rows(page(study, [], []), "## Kind by kind")
    assert list(table) == [kind.name for kind in study.kinds]
    for kind in study.kinds:
        assert f"(`{study.best_baseline(kind)}`)" in table[kind.name][3]


def test_rates_costs_and_figures_stand_below_the_claim(repository, results, tmp_path):
    words = ["evidence", "--base", str(repository / "config.yaml"), "--results", str(results)]
    words += ["--configfile", str(repository / "config/evidence.yaml"), "--out", str(tmp_path / "docs" / "evidence.md")]
    out = tmp_path / "docs" / "evidence.md"
    assert main(words) == 0
    text = out.read_text()
    assert "| moment/color | 8 | 6 | 75.0% |" in text
    assert "| reward | 2 | 40 | 500 |" in text and "| tables | 1 | 0 | 0 |" in text
    assert "![selectors](evidence/selectors.png)" in text and (tmp_path / "docs/evidence/selectors.png").is_file()
    assert "![training](evidence/training.png)" in text and "study.md" not in text
    assert (tmp_path / "docs/evidence/training.png").read_bytes() == b"png"
    assert len(text.splitlines()) < 120
    (tmp_path / "docs" / "study.md").write_text("")
    assert main(words) == 0 and "(study.md)" in out.read_text()


def test_what_was_not_run_is_said(root, results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "results")
    shutil.rmtree(copy / "answers/mlvu/tiny/swapped--seed1")
    assert "answers of swapped/seed1 by tiny" in page(Study(root, copy), [], [])


def test_without_answers_there_is_no_page(root, tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        page(Study(root, tmp_path), [], [])


def test_a_page_without_learned_rows_says_why(repository, results, tmp_path):
    """Every run sets something otherwise, so that none is the configuration's own setting."""
    runs = {f"seed{seed}": {"train": {"max_steps": 80}} for seed in range(3)}
    (tmp_path / "overlay.yaml").write_text(json.dumps({"runs": runs}))
    layers = [repository / "config.yaml", repository / "config/evidence.yaml", tmp_path / "overlay.yaml"]
    text = page(Study(load(layers), results), [], [])
    assert "no learned row is shown" in text and "training seed" not in text.split("##")[0]
    assert "**learned**" not in text


@pytest.mark.fault("killed", "report", "the empty record of a killed job counts for nothing")
def test_an_empty_file_of_a_killed_job_is_no_cost(root, results, tmp_path):
    results = shutil.copytree(results, tmp_path / "results")
    (results / "benchmarks/reward/1.jsonl").write_text("")
    (results / "benchmarks/train.jsonl").write_text("")
    table = rows(page(Study(root, results), [], []), "## Seconds and memory")
    assert table["reward"] == ["1", "10", "500"] and table["train"] == ["0", "0", "0"]
