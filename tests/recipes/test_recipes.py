"""Every overlay has a recipe, and a recipe notices a run that does not learn."""

import dataclasses
import functools
import subprocess
from pathlib import Path

import pytest
from refocus.config.root import Root
from refocus.core.results_folder import PAIRS
from refocus.report.series import read_metrics
from refocus.train.job import job_of_run
from refocus.train.objective import advantages
from refocus.train.parallel import Ranks
from refocus.train.run import work

from tests.support import dry_runs
from tests.support.recipe_metrics import METRICS, Finding, findings, page
from tests.support.recipes import Recipes, main, shipped

RECIPES = shipped()
FAST = [name for name, recipe in RECIPES.recipes.items() if recipe.fast]
BEFORE_TRAINING = ("world", "ingest", "screen", "decode", "reward", "filter")


def metrics(rewards, entropy=0.5, held_back=0.6, uniform=0.4):
    """The lines of a run with these rewards, checked at its start and at its end."""
    steps = [{"step": at, "reward/mean": reward, "policy/entropy_share": entropy} for at, reward in enumerate(rewards)]
    checks = [
        {"step": at, "validation/reward": value, "validation/reward_uniform": uniform,
         "validation/accuracy": value, "validation/accuracy_uniform": uniform}
        for at, value in ((0, uniform), (len(rewards) - 1, held_back))
    ]  # fmt: skip
    return [*steps, *checks]


UNTRAINED = {"config/niah.yaml"}  # picks with the demo's policy


def test_every_overlay_that_trains_has_a_recipe(repository):
    overlays = {path.relative_to(repository).as_posix() for path in (repository / "config").rglob("*.yaml")}
    assert overlays - UNTRAINED == {overlay for recipe in RECIPES.recipes.values() for overlay in recipe.overlays}


@pytest.mark.parametrize("name", RECIPES.recipes)
def test_a_recipe_runs_what_its_overlay_defines_and_bounds_what_there_is(name):
    root, recipe = RECIPES.root(name), RECIPES.recipes[name]
    assert recipe.runs and set(recipe.runs) <= set(root.use.runs)
    for run in recipe.runs:
        bounds = RECIPES.bounds(name, run)
        assert bounds and set(bounds) <= set(METRICS)
        assert root.run_train(run).max_steps <= 100, "a recipe is small"
        assert root.run_train(run).runtime.validate_every


@pytest.mark.parametrize("name", RECIPES.recipes)
def test_a_recipe_trains_in_the_world_with_its_models(name):
    """Whatever an overlay says of data and models, nothing has to be fetched."""
    root = RECIPES.root(name)
    assert all(map(root.is_rendered, root.use.datasets))
    for run in RECIPES.recipes[name].runs:
        paths = {root.run_policy(run).start, root.lmms[root.run_train(run).reward_model].path}
        assert all(path.startswith(("assets/", "results/assets/")) for path in paths), (
            "shipped, or trained by `make assets`"
        )
        assert root.run_train(run).runtime.device == "cpu"


def test_recipes_that_share_a_folder_differ_in_training_only():
    """Else each would undo what another has made."""
    folders: dict[str, list[Root]] = {}
    for name, recipe in RECIPES.recipes.items():
        folders.setdefault(recipe.folder or name, []).append(RECIPES.root(name))
    assert any(len(roots) > 1 for roots in folders.values())
    for roots in folders.values():
        assert len({tuple(root.section(name).canonical() for name in BEFORE_TRAINING) for root in roots}) == 1
        assert len({(root.use.datasets, root.reward.model, root.lmms[root.reward.model].path) for root in roots}) == 1
        runs: dict[str, set[str]] = {}
        for root in roots:
            for run in root.use.runs:
                runs.setdefault(run, set()).add(root.run_train(run).canonical() + root.run_policy(run).canonical())
        assert all(len(settings) == 1 for settings in runs.values()), "runs of one name have the same settings"


def test_each_metric_is_what_it_says():
    lines = metrics([0.0] * 4 + [0.2] * 8 + [0.4] * 4, entropy=0.3, held_back=0.7, uniform=0.5)
    assert {name: round(measure(lines), 9) for name, measure in METRICS.items()} == {
        "reward_rise": 0.4,
        "entropy_share": 0.3,
        "margin_gain": 0.2,
        "accuracy_gain": 0.2,
    }


@pytest.mark.parametrize(
    ("lines", "missed"),
    [
        (metrics([0.1, 0.2, 0.3, 0.4]), set()),
        (metrics([0.4, 0.3, 0.2, 0.1]), {"reward_rise"}),
        (metrics([0.1, 0.2, 0.3, 0.4], entropy=0.01), {"entropy_share"}),
        (metrics([0.1, 0.2, 0.3, 0.4], held_back=0.3), {"margin_gain", "accuracy_gain"}),
        (metrics([float("nan")] * 4), {"reward_rise"}),
        (None, set(METRICS)),
    ],
    ids=["learns", "unlearns", "collapses", "overfits", "breaks", "did not finish"],
)
def test_a_bound_that_is_missed_is_named(lines, missed):
    found = findings("beta", "base", dict.fromkeys(METRICS, 0.1), lines)
    assert {one.metric for one in found if not one.met} == missed
    assert all(f"recipe beta, run base: {one.metric}" in str(one) for one in found)
    assert page(found).count("**no**") == len(missed)


def test_the_command_goes_on_after_a_recipe_that_fails_and_says_which(tmp_path, monkeypatch, capsys):
    called = []

    def measure(self, name, results, snakemake):
        called.append(name)
        return [Finding(name, "base", "reward_rise", 0.1, None if name == "beta" else 0.2)]

    monkeypatch.setattr(Recipes, "measure", measure)
    assert main(["beta", "frames", "--results", str(tmp_path)]) == 1
    assert called == ["beta", "frames"]
    assert "recipe beta, run base: reward_rise was not measured" in capsys.readouterr().out
    assert (tmp_path / "recipes.md").read_text().count("| base |") == 2
    assert main(["frames", "--results", str(tmp_path)]) == 0
    with pytest.raises(SystemExit):
        main(["no-such"])


@pytest.fixture(scope="module")
def snakemake(repository, tmp_path_factory):
    """The workflow, called in a folder of its own."""
    home = tmp_path_factory.mktemp("recipes")

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        done = dry_runs.snakemake(repository, "--directory", str(home), *words)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    return call


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def measured(snakemake, results):
    """What a fast recipe reaches; it runs once."""
    return functools.cache(lambda name: RECIPES.measure(name, results, snakemake))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_a_fast_recipe_reaches_its_bounds(measured, name):
    assert not [str(one) for one in measured(name) if not one.met]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST[:1])
def test_a_recipe_notices_weights_that_stand_still_and_rewards_that_are_shunned(
    measured, results, tmp_path, name, monkeypatch
):
    """The same run with learning rates of 0, and with negated advantages."""
    assert measured(name) and PAIRS.at(RECIPES.root(name, results).results, model="tiny").is_file()
    (run,) = RECIPES.recipes[name].runs
    root = RECIPES.root(name, results)
    train = root.run_train(run)

    def missed(changed, folder):
        job = job_of_run(root, run, start=None, work=tmp_path / folder / "work", out=tmp_path / folder)
        work(Ranks(), dataclasses.replace(job, settings=changed))
        found = findings(name, run, RECIPES.bounds(name, run), read_metrics(tmp_path / folder / "metrics.jsonl"))
        return {one.metric for one in found if not one.met}

    assert "reward_rise" in missed(train.model_copy(update={"lr_pretrained": 0.0, "lr_new": 0.0}), "still")
    monkeypatch.setattr("refocus.train.step.advantages", lambda *args: -advantages(*args))
    assert "reward_rise" in missed(train, "negated")
