"""Old names of settings: they mean what the new ones mean, say so, and never win silently over them."""

import copy

import pytest
import yaml
from refocus.cli.flags import add_settings, read_settings
from refocus.cli.main import main
from refocus.cli.renamed_flags import FLAGS, current_flags
from refocus.config.answer import AnswerSettings
from refocus.config.generate import settings_md
from refocus.config.layers import merge, read
from refocus.config.overlay import check, load
from refocus.config.renamed import REMOVED_IN, RENAMED, current_names, without_old_names
from refocus.config.train import TrainSettings
from refocus.core.errors import UsageError


def nested(dotted, value):
    for key in reversed(dotted.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_becomes_the_new_one_and_says_so(old, new, caplog):
    given = nested(old.replace("*", "some"), 5)
    before = copy.deepcopy(given)
    renamed = current_names(given)
    assert current_names(merge(renamed, {})) == merge(renamed, nested(new.replace("*", "some"), 5))
    assert without_old_names(renamed) == renamed and given == before
    assert new.replace("*", "some") in caplog.text and REMOVED_IN in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_both_names_at_once_are_refused(old, new):
    both = merge(*(nested(name.replace("*", "one"), 5) for name in (old, new)))
    with pytest.raises(UsageError, match="old name of"):
        current_names(both)


def test_every_new_name_is_a_setting_and_no_old_one_is():
    page = settings_md()
    sections = {part.split("`")[1]: part for part in page.split("\n## ")[1:]}
    for old, new in RENAMED.items():
        if old.startswith("runs."):
            continue
        section, _, key = new.replace("*", "<name>").partition(".")
        assert f"| `{key}` |" in sections[section]
        section, _, key = old.replace("*", "<name>").partition(".")
        assert f"| `{key}` |" not in sections[section]


def test_what_nothing_reads_is_left_out_and_says_what_is_read(repository, caplog):
    values = read(repository / "config.yaml")
    old = merge(values, {"lmms": {"tiny": {"runtime": {"device": "cuda"}}}})
    assert check(current_names(old)) == check(values)
    assert "lmms.tiny.runtime is not read" in caplog.text and "`reward`, `train`, `answer`" in caplog.text
    assert without_old_names(old) == values


def test_current_names_are_left_alone_without_a_word(repository, caplog):
    values = read(repository / "config.yaml")
    assert current_names(values) == values == without_old_names(values)
    assert not caplog.records


def test_an_overlay_of_old_names_is_the_overlay_of_new_ones(repository, tmp_path):
    old = {
        "train": {"frames": 4, "runtime": {"keep": 1}},
        "runs": {"demo": {"train": {"decay": "linear"}}},
        "answer": {"frames_list": [4, 8], "budget": 8},
        "datasets": {"nextqa": {"options": {"split": "train"}}},
    }
    new = {
        "train": {"picks": 4, "runtime": {"keep_checkpoints": 1}},
        "runs": {"demo": {"train": {"lr_decay": "linear"}}},
        "answer": {"n_frames": [4, 8]},
        "tables": {"n_frames": 8},
        "datasets": {"nextqa": {"adapter_options": {"split": "train"}}},
    }
    paths = [tmp_path / "old.yaml", tmp_path / "new.yaml"]
    for path, values in zip(paths, (old, new), strict=True):
        path.write_text(yaml.safe_dump(values))
    one, other = (load([repository / "config.yaml", path]) for path in paths)
    assert one == other != load([repository / "config.yaml"])


def test_an_old_name_wins_over_the_default_configuration(repository):
    """What the Snakefile does with the configuration that Snakemake merged before it could be renamed."""
    overlay = {"train": {"frames": 7}}
    merged = merge(read(repository / "config.yaml"), overlay)
    assert check(merge(without_old_names(merged), current_names(overlay))).train.picks == 7


@pytest.fixture
def parsed():
    import argparse

    def parse(words, model=TrainSettings):
        parser = argparse.ArgumentParser()
        add_settings(parser, model)
        return read_settings(parser.parse_args(words), model)

    return parse


def test_a_section_given_as_json_may_use_old_names(parsed):
    assert parsed(["--settings", '{"frames": 5}', "--runtime", '{"micro_batch": 3}']) == TrainSettings.model_validate(
        {"picks": 5, "runtime": {"clips_per_micro_batch": 3}}
    )


def test_a_key_that_moved_to_another_section_is_refused_with_its_new_place(parsed):
    with pytest.raises(UsageError, match=r"tables\.n_frames is no longer a setting of `answer`"):
        parsed(["--settings", '{"budget": 4}'], AnswerSettings)


def test_old_flags_become_the_new_ones_and_say_so(caplog):
    words = ["train", "--frames", "a.index.parquet", "--micro-batch=2", "--entropy", "0.1", "--out", "--frames-x"]
    assert current_flags(words) == [
        "train", "--index", "a.index.parquet", "--clips-per-micro-batch=2", "--entropy-weight", "0.1", "--out",
        "--frames-x",
    ]  # fmt: skip
    assert caplog.text.count("is now") == 3
    with pytest.raises(UsageError, match="both are given"):
        current_flags(["tables", "--budget", "2", "--n-frames", "4"])


def test_a_fixed_flag_is_not_taken_for_an_old_one(caplog):
    words = ["select", "video.mp4", "What?", "--frames", "32", "--model", "policy"]
    assert current_flags(words) == words
    assert not caplog.records


@pytest.mark.parametrize("command", FLAGS)
def test_every_renamed_flag_leads_to_one_that_exists(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out.split()
    for old, new in FLAGS[command].items():
        assert new in shown and old not in shown


def test_what_anchors_share_is_renamed_once_for_each(tmp_path):
    text = "runs: {a: {train: &shared {frames: 4}}, b: {train: *shared}, 1: {train: {frames: 8}}}"
    renamed = current_names(yaml.safe_load(text))
    assert {name: run["train"] for name, run in renamed["runs"].items()} == {
        "a": {"picks": 4},
        "b": {"picks": 4},
        "1": {"picks": 8},
    }


def test_a_configuration_as_version_0_1_wrote_it_is_read():
    """Written out, since the table above cannot tell whether an old name was ever one."""
    old = """
        decode: {frames: video}
        train: {frames: 4, entropy: 0.5, clip_norm: 2, warmup: 0.1, decay: constant, storage: float16}
        answer: {frames: shard, frames_list: [3], budget: 3}
        tables: {level: 0.9, resamples: 100}
        doctor: {max_missing: 0.3, max_rejected: 0.2}
        plan: {jpeg_kb: 7, film_kb: 8, row_bytes: 9}
    """
    settings = check(current_names(yaml.safe_load(old)))
    train, plan = settings.train, settings.plan
    assert settings.decode.storage == "video" and settings.answer.pixels == "shard"
    assert (train.picks, train.entropy_weight, train.max_grad_norm, train.lr_warmup) == (4, 0.5, 2, 0.1)
    assert (train.lr_decay, train.save_dtype) == ("constant", "float16")
    assert settings.answer.n_frames == (3,) and settings.tables.n_frames == 3
    assert (settings.tables.confidence_level, settings.tables.bootstrap_resamples) == (0.9, 100)
    assert (settings.doctor.max_missing_share, settings.doctor.max_rejected_share) == (0.3, 0.2)
    assert (plan.jpeg_frame_kb, plan.video_frame_kb, plan.margin_row_bytes) == (7, 8, 9)
