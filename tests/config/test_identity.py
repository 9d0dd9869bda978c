"""What the store is keyed by: everything a result depends on, and nothing else."""

import pytest
from refocus.config.identity import (
    _entry,
    decode_fingerprint,
    model_files,
    reward_fingerprint,
    train_fingerprint,
    weights,
)
from refocus.config.layers import merge, read
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.overlay import check
from refocus.config.root import Root
from refocus.config.select import SelectSettings
from refocus.config.train import TrainSettings

FINGERPRINTS = {
    "decode": lambda root: decode_fingerprint(root, "nextqa"),
    "reward": lambda root: reward_fingerprint(root, "nextqa"),
    "train": lambda root: train_fingerprint(root, "demo"),
}


@pytest.fixture
def changed(repository):
    """Which fingerprints a change of the default configuration changes."""
    values = read(repository / "config.yaml")

    def which(change: dict) -> set[str]:
        before, after = check(values), check(merge(values, change))
        return {name for name, fingerprint in FINGERPRINTS.items() if fingerprint(before) != fingerprint(after)}

    return which


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"world": {"seed": 99}}, {"decode", "reward", "train"}),
        ({"decode": {"fps": 2.0}}, {"decode", "reward", "train"}),
        ({"decode": {"version": 9}}, {"decode", "reward", "train"}),
        ({"reward": {"sampling": "endpoints"}}, {"reward", "train"}),
        ({"lmms": {"tiny": {"dtype": "bfloat16"}}}, {"reward", "train"}),
        ({"filter": {"tau": 0.5}}, {"train"}),
        ({"screen": {"duplicates": "report"}}, {"train"}),
        ({"screen": {"leaks": "drop"}}, {"train"}),
        ({"screen": {"leaks": "off"}}, set()),
        ({"use": {"datasets": ["llava_video", "nextqa"]}}, {"train"}),
        ({"use": {"benchmarks": ["mlvu"]}}, set()),
        ({"train": {"entropy_weight": 0.5}}, {"train"}),
        ({"train": {"questions": "random"}}, {"train"}),
        ({"train": {"questions": "filtered", "reward": "margin"}}, set()),
        ({"runs": {"demo": {"train": {"reward": "correct"}}}}, {"train"}),
        ({"runs": {"demo": {"seed": 3}}}, {"train"}),
        ({"policy": {"logit_scale": 3.0}}, {"train"}),
        ({"datasets": {"nextqa": {"limit": 3}}}, {"train"}),
        ({"select": {"temperature": 0.5}}, set()),
        ({"decode": {"max_failure_rate": 0.5}}, set()),
        ({"datasets": {"nextqa": {"max_failure_rate": 0.5}}}, set()),
        ({"datasets": {"nextqa": {"shards": 9}}}, set()),
        ({"datasets": {"nextqa": {"allowed_roots": ["disk2"]}}}, {"train"}),
        ({"train": {"runtime": {"clips_per_micro_batch": 1}}, "reward": {"runtime": {"threads": 2}}}, set()),
    ],
)
def test_a_change_reaches_exactly_what_depends_on_it(changed, change, expected):
    assert changed(change) == expected


@pytest.mark.parametrize(("change", "other"), [({"niah": {"seed": 9}}, True), ({"world": {"seed": 9}}, False)])
def test_stored_frames_of_haystacks_are_known_by_the_settings_they_are_drawn_from(repository, change, other):
    base = merge(read(repository / "config.yaml"), read(repository / "config/niah.yaml"))
    assert (decode_fingerprint(check(base), "niah") != decode_fingerprint(check(merge(base, change)), "niah")) == other


def test_a_models_files_are_its_weights_in_however_many_pieces(tmp_path):
    assert model_files("owner/model") == []
    folder = tmp_path / "owner/model"
    assert model_files(str(folder)) == [f"{folder}/config.json", f"{folder}/model.safetensors"]
    folder.mkdir(parents=True)
    (folder / "model.safetensors.index.json").touch()
    assert model_files(str(folder)) == [f"{folder}/config.json", f"{folder}/model.safetensors.index.json"]


def test_weights_follow_the_files_and_not_their_dates(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"one")
    before = weights(str(tmp_path))
    file.write_bytes(b"one")
    assert weights(str(tmp_path)) == before
    file.write_bytes(b"two")
    assert weights(str(tmp_path)) != before


def test_a_hub_name_is_its_own_identity():
    assert weights("owner/model") != weights("owner/other")


def test_settings_younger_than_the_first_runs_make_no_finished_run_another_one():
    """At their defaults they are not part of what a checkpoint is known by."""
    assert not {"questions", "reward"} & TrainSettings().identity().keys()
    assert TrainSettings(questions="all").identity()["questions"] == "all"
    for asking in (SelectSettings, LikelihoodSettings):
        assert "precision" not in asking().identity()
        assert asking(precision="float32").identity()["precision"] == "float32"
    assert "allowed_roots" not in _entry(Root(datasets={"mine": {}}), "mine")


@pytest.mark.parametrize(
    ("precision", "device", "named"),
    [
        ("auto", "cpu", None),
        ("auto", "cuda", "bfloat16"),
        ("float32", "cpu", None),
        ("float32", "cuda", None),
        ("bfloat16", "cpu", "bfloat16"),
    ],
)
def test_results_are_told_apart_by_the_precision_they_were_computed_in(precision, device, named):
    """However it was asked for, and float32 as in results from before there was a choice."""
    assert SelectSettings(precision=precision).identity_on(device).get("precision") == named
    rest = SelectSettings(precision=precision).identity_on(device).keys() - {"precision"}
    assert rest == SelectSettings().identity().keys()
