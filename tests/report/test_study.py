"""A study's page says what the answers say and nothing else: verdicts follow from intervals, gaps are named."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.config.overlay import load
from refocus.evaluate.answers import read_answers, write_answers
from refocus.evaluate.intervals import Interval
from refocus.report.bars import bars
from refocus.report.contrast import Contrast, Side, sentence
from refocus.report.study import DEPENDENT, Study
from refocus.report.study_claims import by_length, claims
from refocus.report.study_figures import draw_study
from refocus.report.study_page import page

from tests.support.answered_world import write_answered

SIDE = Side("", ("uniform",), "tiny", 4)


def contrast(low: float | None, value: float, high: float | None, least: float = 0.0) -> Contrast:
    found = Interval(value, low, high, 100, 20)
    return Contrast("x", SIDE, SIDE, (None, None), ((), ()), found, least)


@pytest.mark.parametrize(
    ("interval", "least", "verdict"),
    [
        ((0.01, 0.1, 0.2), 0.0, "holds"),
        ((-0.2, -0.1, -0.01), 0.0, "does not hold"),
        ((-0.019, 0.0, 0.019), 0.0, "does not hold"),
        ((-0.05, 0.01, 0.07), 0.0, "open"),
        ((-0.019, 0.01, 0.03), 0.0, "open"),
        ((-0.04, -0.02, 0.0), -0.05, "holds"),
        ((-0.08, -0.04, 0.0), -0.05, "open"),
        ((-0.12, -0.09, -0.06), -0.05, "does not hold"),
        ((None, 0.4, None), 0.0, "open"),
    ],
)
def test_a_verdict_follows_from_the_interval_alone(interval, least, verdict):
    assert contrast(*interval, least=least).verdict == verdict


def test_the_sentence_has_every_deciding_comparison_with_its_interval():
    text = sentence([contrast(0.01, 0.1, 0.2), contrast(-0.05, 0.01, 0.07)])
    assert text == "**Holds** for x (+10.0 [+1.0, +20.0]); **open** for x (+1.0 [-5.0, +7.0])."
    assert sentence([]) == "**Not run.**"


@pytest.mark.parametrize(
    ("seeds", "least", "mixed"),
    [
        (((0.5, 0.9), (0.6, 0.7)), 0.0, True),
        (((0.5, 0.9), (0.6,)), 0.0, True),  # a baseline without seeds, above the worst run
        (((0.8, 0.9), (0.6, 0.8)), 0.0, True),  # the worst is as good as the best of the others
        (((0.8, 0.9), (0.6, 0.7)), 0.0, False),
        (((0.2, 0.3), (0.6, 0.7)), 0.0, False),
        (((0.6,), (0.6,)), 0.0, False),
        (((0.5, 0.9), (0.6, 0.7)), -0.05, False),
    ],
)
def test_claims_that_other_seeds_may_turn_are_named(seeds, least, mixed):
    decided = replace(contrast(0.01, 0.1, 0.2, least), seeds=seeds)
    assert (" Seeds overlap: x." in sentence([decided])) == mixed
    undecided = replace(contrast(-0.05, 0.01, 0.07), seeds=seeds)
    assert "Seeds overlap" not in sentence([undecided])


@pytest.fixture(scope="module")
def root(repository):
    return load([repository / "config.yaml", repository / "config" / "study.yaml"])


@pytest.fixture(scope="module")
def results(root, tmp_path_factory) -> Path:
    """All runs. Learned beats uniform, but loses on longer clips; the filter decides nothing."""
    folder = tmp_path_factory.mktemp("study") / "results"
    write_answered(folder, root)
    return folder


@pytest.fixture(scope="module")
def study(root, results) -> Study:
    """Read once: there are some hundred files of answers."""
    return Study(root, results)


def verdicts(study: Study) -> dict[str, list[str]]:
    return {claim.key: [c.verdict for c in claim.contrasts if c.decides] for claim in claims(study)}


def test_every_claim_gets_its_verdict_from_the_answers(study):
    found = verdicts(study)
    assert found == {
        "a": ["holds", "holds", "does not hold"],
        "b": ["holds", "does not hold"],
        "c": ["does not hold", "open"],
        "d": ["holds"],
        "e": ["holds", "holds", "open", "does not hold"],
        "f": ["holds", "holds"],
        "g": ["does not hold", "holds"],
    }


def test_the_page_has_a_section_with_one_sentence_for_each_claim(study):
    text = page(study, ["snakemake"], [])
    assert "Not run yet" not in text and "nan" not in text.lower()
    for key, words in (("a", "**Holds** for two moments"), ("d", "**Holds** for margin"), ("g", "**Does not hold**")):
        section = text.split(f"## ({key}) ")[1].split("\n## ")[0]
        assert section.count("**Holds**") + section.count("**Does not hold**") + section.count("**Open**") == 1
        assert words in section, section
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, "no cell holds a bar"


def test_lengths_are_named_even_where_no_clip_is_long(root, study, tmp_path):
    assert [part.name for part in by_length(study, study.groups[0])] == ["≤ 160 frames", "161 to 512 frames"]
    assert [part.name for part in by_length(Study(root, tmp_path), DEPENDENT)] == ["≤ 160 frames", "> 160 frames"]


def test_kinds_of_questions_are_read_from_the_data(study):
    assert [group.name for group in study.groups] == ["two moments", "one moment", "any frame"]
    assert [kind.name for kind in study.kinds][:2] == ["`sequence/after`", "`sequence/order`"]


def test_the_best_without_training_is_chosen_by_its_mean_and_confidence_is_aside(study):
    assert study.best_baseline() == "mdp3-options"
    assert study.best_baseline(study.group("moment/")) == "topk"
    assert study.baselines_for(study.group("moment/")) == ["mdp3-options", "topk"]
    assert study.baselines_for(study.group("sequence/")) == ["mdp3-options"]
    assert not {"oracle", "confidence", "uniform-seen"} & set(study.baselines)


def test_bars_are_checked_by_the_value_and_one_that_is_missed_is_said(study):
    met = {bar.what: bar.met for bar in bars(study)}
    missed = {what.partition(":")[0] for what, reached in met.items() if not reached}
    assert missed == {"one moment", "one or two moments"}
    text = page(study, [], [])
    assert f"{len(met) - 2} of {len(met)} bars are met." in text and text.count("**not met**") == 2


def test_questions_that_one_seed_lacks_are_counted_and_said(root, results, tmp_path):
    """As of answers that were made for another question table: they leave every mean that the seed is part of."""
    results = shutil.copytree(results, tmp_path / "results")
    for n in root.answer.n_frames:
        path = results / f"answers/mlvu/tiny/refocus--base-s1/n{n}.s0.parquet"
        made = read_answers(path)
        rows = {qa_id: answer for qa_id, answer in made.answers.items() if not qa_id.startswith("mlvu3-")}
        write_answers(path, replace(made, answers=rows), {})
    study = Study(root, results)
    assert study.missing == ["6 answers of refocus/base-s1 by tiny"]
    assert "6 answers of refocus/base-s1 by tiny" in page(study, [], [])


def test_what_is_missing_is_named_and_left_out(root, results, tmp_path):
    """A run without its policy, answers of all runs of a setting."""
    results = shutil.copytree(results, tmp_path / "results")
    (results / "train/base-s1/policy/config.json").unlink()
    for seed in range(3):
        for path in (results / "answers/mlvu/tiny-ov" / f"refocus--ov-s{seed}").iterdir():
            path.unlink()
    study = Study(root, results)
    assert study.missing == ["run base-s1", *(f"answers of refocus/ov-s{seed} by tiny-ov" for seed in range(3))]
    assert "run base-s1" in page(study, [], [])
    assert verdicts(study)["f"] == ["holds", "not run"]


def test_nothing_at_all_still_gives_a_page(root, tmp_path):
    study = Study(root, tmp_path)
    assert draw_study(study) == {}
    text = page(study, [], [])
    assert "Nothing to compare yet." in text and "answers of uniform by tiny" in text and "**Not run.**" in text


def test_the_command_writes_the_page_and_its_pictures(repository, results, tmp_path):
    files = ["--base", str(repository / "config.yaml"), "--configfile", str(repository / "config/study.yaml")]
    out = tmp_path / "docs" / "study.md"
    assert main(["study", *files, "--results", str(results), "--out", str(out)]) == 0
    names = {"claims", "d-training", "e-accuracy", "e-temporal_entropy"}
    assert {path.stem for path in (tmp_path / "docs" / "study").iterdir()} == names
    assert all(f"![{name}](study/{name}.png)" in out.read_text() for name in names)


def test_a_study_stays_within_its_runs_and_every_run_is_answered(root):
    assert len(root.use.runs) <= 40 and root.world.seed == 23
    assert {f"refocus/{run}" for run in root.use.runs} <= set(root.use.selectors)
    assert all(
        sum(run.startswith(setting) for run in root.use.runs) == 3 for setting in ("base-", "all-", "ov-", "c8-")
    )
