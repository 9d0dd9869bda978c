"""The typed root: overlays, names that must exist, and settings of single runs."""

import pytest
import yaml
from refocus.config.layers import merge, read
from refocus.config.overlay import check, load
from refocus.config.selectors import slug, unslug
from refocus.core.errors import UsageError

OVERLAYS = ["paper", "ci", "evidence", "study", "curriculum", "niah"]
OVERLAYS += [f"ablations/{name}" for name in ("beta", "candidates", "frames", "advantage", "reward_model", "world")]
OVERLAYS = [f"config/{name}.yaml" for name in OVERLAYS]


@pytest.fixture
def values(repository):
    return read(repository / "config.yaml")


def test_one_value_where_a_list_belongs_says_how_to_write_it(values):
    values["datasets"]["mine"] = {"format": "csv", "annotations": "q.csv", "videos": "videos"}
    with pytest.raises(UsageError, match=r"datasets\.mine\.annotations: must be a list, such as \[q\.csv\] \(got 'q"):
        check(values)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_shipped_overlay_is_valid_without_old_names(repository, overlay, caplog):
    below = ["config/ablations/reward_model.yaml"] if overlay.endswith("world.yaml") else []
    load([repository / name for name in ("config.yaml", *below, overlay)])
    assert not caplog.records


def test_every_overlay_is_covered(repository):
    shipped = (repository / "config").rglob("*.yaml")
    assert sorted(OVERLAYS) == sorted(path.relative_to(repository).as_posix() for path in shipped)


def test_the_papers_shards_hold_the_clips_its_plan_assumes(repository):
    root = load([repository / "config.yaml", repository / "config/paper.yaml"])
    for name in [*root.use.datasets, *root.use.benchmarks]:
        held, clips = root.source(name).shards * root.ingest.clips_per_shard, root.plan.sources[name].clips
        assert clips <= held, f"{name}: {clips} clips do not fit {held}"


def test_a_layer_merges_mappings_and_replaces_everything_else():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}
    assert merge(base, {"a": {"c": [3]}, "d": None}) == {"a": {"b": 1, "c": [3]}, "d": None}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}


def test_layers_merge_as_snakemake_does(repository):
    from snakemake.utils import update_config

    ours = read(repository / "config.yaml")
    theirs = read(repository / "config.yaml")
    for overlay in OVERLAYS:
        ours = merge(ours, read(repository / overlay))
        update_config(theirs, read(repository / overlay))
    assert ours == theirs


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"filter": {"tua": 0.3}}, "filter.tua"),
        ({"filtre": {}}, "filtre"),
        ({"filter": {"tau": "much"}}, "filter.tau"),
        ({"train": {"runtime": {"thread": 1}}}, "train.runtime.thread"),
        ({"datasets": {"nextqa": {"formt": "x"}}}, "datasets.nextqa.formt"),
        ({"world": {"sed": 1}}, "world.sed"),
        ({"use": {"datasets": ["nowhere"]}}, "use.datasets: 'nowhere'"),
        ({"use": {"selectors": ["unifrom"]}}, "no selector is called 'unifrom'"),
        ({"use": {"selectors": ["refocus/nobody"]}}, "'nobody' is not defined under runs"),
        ({"benchmarks": {"mlvu": {"truth": None}}}, "benchmarks.mlvu.truth"),
        ({"use": {"haystacks": ["nowhere"]}}, "use.haystacks: 'nowhere'"),
        ({"use": {"haystacks": ["mlvu"]}}, "use.haystacks: 'mlvu' is one of use.benchmarks"),
        ({"niah": {"lengths": [32]}}, "niah.lengths"),
        ({"tables": {"n_frames": 3}}, "tables.n_frames"),
        ({"runs": {"demo": {"train": {"entropie": 1}}}}, "runs.demo.train: unknown key 'entropie'"),
        ({"runs": {"Demo!": {}}}, "runs.Demo!"),
        ({"reward": {"model": "big"}}, "reward.model"),
        ({"filter": {"tau": float("inf")}}, "filter.tau"),
        ({"filter": {"tau": float("nan")}}, "filter.tau"),
        ({"reward": {"runtime": {"device": "gpu"}}}, "reward.runtime.device"),
        ({"lmms": {"tiny": {"dtype": "fp32"}}}, "lmms.tiny.dtype"),
        ({"filter": {"tau": True}}, "filter.tau: a number is wanted, not true"),
        ({"train": {"max_steps": False}}, "train.max_steps: a number is wanted, not false"),
        ({"train": {"seed": 1}, "runs": {"demo": {"seed": 2}}}, "train.seed: no run uses 1"),
        ({"runs": {"demo": {"seed": 2, "train": {"seed": 1}}}}, "runs.demo.train.seed"),
    ],
)
def test_what_is_wrong_is_named(values, change, named):
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        check(merge(values, change))
    assert named in str(caught.value)


def test_a_run_takes_its_changes_and_seed_over_the_shared_section(values):
    run = {"seed": 7, "train": {"entropy_weight": 0.5}, "policy": {"logit_scale": 2.0}}
    root = check(merge(values, {"runs": {"demo": run}}))
    changed = {"entropy_weight": 0.5, "seed": 7}
    assert root.run_train("demo").identity() == {**root.train.identity(), **changed}
    assert root.run_policy("demo").logit_scale == 2.0


def test_the_seed_of_train_reaches_every_run_without_its_own(values):
    runs = {"demo": {}, "other": {"seed": 5}}
    root = check(merge(values, {"train": {"seed": 1}, "runs": runs, "use": {"runs": ["demo", "other"]}}))
    assert [root.run_train(name).seed for name in runs] == [1, 5]


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "1.e-5", "+1e-5", "0.00001"])
def test_a_small_number_may_be_written_without_a_point(values, text):
    """YAML 1.1 reads 1e-5 as text."""
    overlay = yaml.safe_load(f"train: {{lr_new: {text}}}\nruns: {{demo: {{train: {{lr_pretrained: {text}}}}}}}")
    train = check(merge(values, overlay)).run_train("demo")
    assert train.lr_new == train.lr_pretrained == 1e-5


def test_slugs_are_reversible():
    assert unslug(slug("refocus/my-run")) == "refocus/my-run"
    assert slug("uniform") == "uniform"


def test_the_default_configuration_holds_no_old_version(repository):
    """A version that is raised in the code must reach every run, or its store keeps what older code made."""
    given = read(repository / "config.yaml")
    root = load([repository / "config.yaml"])
    old = {
        name: section["version"]
        for name, section in given.items()
        if isinstance(section, dict)
        and "version" in section
        and section["version"] != type(getattr(root, name)).model_fields["version"].default
    }
    assert not old


def test_the_demo_asks_for_no_gpu(repository):
    root = load([repository / "config.yaml"])
    parts = [root.reward, root.train, root.select, root.answer]
    assert {part.runtime.device for part in parts} == {"cpu"}


def test_the_paper_overlay_has_the_papers_numbers(repository):
    root = load([repository / "config.yaml", repository / "config/paper.yaml"])
    train = root.run_train("t32")
    assert (root.filter.tau, root.decode.fps, root.decode.max_frames, root.decode.size) == (0.21, 4.0, 512, 384)
    assert (train.candidates, train.picks, train.entropy_weight, train.batch) == (16, 32, 0.002, 192)
    assert (train.lr_pretrained, train.lr_new, train.betas, train.weight_decay) == (1e-5, 1e-4, (0.9, 0.99), 0.01)
    assert (train.max_grad_norm, train.lr_warmup, train.lr_decay, train.epochs, train.max_steps) == (
        1.0,
        0.05,
        "linear",
        1,
        None,
    )
    assert (root.reward.frames_per_subset, root.reward.windows, root.reward.sampling) == (32, "wrapped", "midpoints")
    assert train.clips_per_batch is None and root.run_policy("t32").reinit_layers == 2
    assert root.world is None


def test_a_results_folder_that_snakemake_would_read_as_a_pattern_is_refused():
    with pytest.raises(UsageError, match="results: Snakemake reads braces"):
        check({"results": "runs/{name}"})
