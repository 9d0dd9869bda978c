"""What is refused before Snakemake plans anything, also where all results are there already."""

import json

import pytest
from refocus.config.models_in_use import check_models, models_in_use
from refocus.config.overlay import check, layered
from refocus.config.start_checks import (
    IMAGE,
    check_adapters,
    check_image,
    check_site,
    check_world,
    mixed_world,
    one_line,
)
from refocus.core.errors import UsageError


@pytest.fixture
def configured(repository, tmp_path, monkeypatch):
    """The default configuration with changes, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def build(**changes):
        (tmp_path / "changes.json").write_text(json.dumps(changes))
        return check(layered([repository / "config.yaml", tmp_path / "changes.json"]))

    return build


def test_the_default_and_hub_ids_pass(configured):
    check_models(configured())
    check_models(configured(lmms={"tiny": {"path": "OpenGVLab/InternVL3-8B-hf"}}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"policy": {"start": "./gone"}}, r"runs\.demo: policy\.start: \./gone: no such folder"),
        ({"lmms": {"tiny": {"path": "/nowhere/lmm"}}}, r"lmms\.tiny: /nowhere/lmm: no such folder"),
        ({"lmms": {"tiny": {"path": "asets/lmm"}}}, r"lmms\.tiny: asets/lmm: .*reads like assets/lmm"),
        ({"policy": {"start": "assets/lmm"}}, r"assets/lmm: this is an LMM \(internvl\), not a policy"),
        ({"lmms": {"tiny": {"path": "assets/policy"}}}, r"lmms\.tiny: assets/policy: .*not a supported LMM"),
    ],
)
def test_a_model_that_is_not_there_or_another_kind_is_refused_by_its_key(configured, changes, said):
    with pytest.raises(UsageError, match=said):
        check_models(configured(**changes))


def test_a_model_that_a_rule_makes_need_not_be_there_yet(configured):
    check_models(configured(policy={"start": "results/assets/policy"}))


def test_every_key_that_names_a_model_in_use_is_known(configured):
    keys = {use.key for use in models_in_use(configured())}
    assert {"lmms.tiny", "reward.model", "runs.demo: policy.start", "runs.demo: train.reward_model"} <= keys


def test_an_account_that_nobody_filled_in_is_refused():
    with pytest.raises(UsageError, match="the account is still YOUR_ACCOUNT"):
        check_site({"slurm_account": "YOUR_ACCOUNT"})
    check_site({"slurm_account": "lab"})
    check_site({})


def test_containers_without_an_image_are_refused():
    """Jobs would run outside any container, with whichever `python` comes first."""
    with pytest.raises(UsageError, match=f"name the image in the environment variable {IMAGE}"):
        check_image(["apptainer"], None)
    check_image(["apptainer"], "refocus.sif")
    check_image(["conda", "env-modules"], None)


def test_an_error_ends_with_one_line_and_its_status(capsys):
    with pytest.raises(SystemExit) as end, one_line():
        raise UsageError("what is wrong")
    assert end.value.code == 2 and capsys.readouterr().err == "refocus: error: what is wrong\n"


OWN = {"format": "csv", "annotations": ["q.csv"], "videos": "."}


def test_an_adapter_that_is_not_there_is_refused_before_the_run(configured):
    check_adapters(configured())
    check_adapters(configured(datasets={"mine": {**OWN, "format": "nowhere.at_all:adapter"}}))  # nobody uses it
    root = configured(datasets={"mine": {**OWN, "format": "nowhere.at_all:adapter"}}, use={"datasets": ["mine"]})
    with pytest.raises(UsageError, match=r"mine: format nowhere\.at_all:adapter: .*nowhere"):
        check_adapters(root)


def test_own_data_that_the_synthetic_world_would_judge_is_told(configured):
    assert not mixed_world(configured())
    mixed = configured(datasets={"mine": OWN}, use={"datasets": ["mine"]})
    assert mixed_world(mixed).startswith("mine would be judged by videomme, mlvu, which are of the synthetic world")
    own = {
        "datasets": {"mine": OWN},
        "benchmarks": {"own": {**OWN, "truth": "t.parquet"}},
        "use": {"datasets": ["mine"], "benchmarks": ["own"]},
    }
    assert not mixed_world(configured(world=None, **own))


def test_sources_of_the_world_are_refused_where_it_is_left_out(configured, tmp_path):
    check_world(configured())
    mine = {"datasets": {"mine": OWN}, "use": {"datasets": ["mine"]}}
    without = configured(world=None, **mine)
    with pytest.raises(UsageError, match=r"use\.benchmarks: videomme, mlvu: of the synthetic world, which world: null"):
        check_world(without)
    for name in without.use.benchmarks:  # rendered by an earlier run
        for path in without.annotations_of(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    check_world(without)
