"""A model that cannot be used is refused with one line that says why."""

import contextlib
import json
import logging
import shutil
from typing import get_args

import pytest
from refocus.config.lmm import MODEL_TYPES, LmmSettings
from refocus.core.errors import RefocusError, ResourceMissing, UsageError
from refocus.lmm import load_lmm
from refocus.lmm.families import FAMILIES
from refocus.lmm.loading import load_config, load_statistics


def test_a_folder_without_a_model_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no config"):
        load_lmm(tmp_path)


def test_a_siglip_loads_without_a_warning_about_another_models_ids(repository):
    """transformers warns of the ids of a default text encoder, which the folder does not have."""
    source, said = logging.getLogger("transformers.configuration_utils"), []
    getattr(type(source).warning_once, "cache_clear", lambda: None)()
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    source.addHandler(handler)
    try:
        assert load_config(repository / "assets" / "siglip").text_config.eos_token_id is None
        assert said == []
        source.warning("another")
        assert said == ["another"]
    finally:
        source.removeHandler(handler)


@pytest.mark.parametrize("path", ["./nowhere", "/no/such/folder", "nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_a_usage_error(path):
    with pytest.raises(UsageError, match="no such folder"):
        load_lmm(path)


def test_another_kind_of_model_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UsageError, match="'bert' is not a supported LMM"):
        load_lmm(tmp_path)


def test_every_family_can_be_named_and_every_kind_of_model_has_one():
    named = get_args(LmmSettings.model_fields["family"].annotation)
    assert named == ("auto", *FAMILIES)
    assert set(MODEL_TYPES.values()) == set(FAMILIES)


def test_missing_weights_and_tokenizers_are_named(lmm_folder, tmp_path):
    shutil.copytree(lmm_folder, tmp_path / "a", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(RefocusError, match="weights"):
        load_lmm(tmp_path / "a")
    shutil.copytree(lmm_folder, tmp_path / "b", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(RefocusError, match="tokenizer"):
        load_lmm(tmp_path / "b")


def test_a_folder_with_only_the_tokenizer_file_is_enough(lmm_folder, tmp_path):
    shutil.copytree(lmm_folder, tmp_path / "a", ignore=shutil.ignore_patterns("tokenizer_config.json", "special*"))
    assert load_lmm(tmp_path / "a").max_options == 6


@pytest.mark.parametrize("wrong", [{"family": "other"}, {"dtype": "int8"}])
def test_unknown_names_are_usage_errors(lmm_folder, wrong):
    with pytest.raises(UsageError, match="unknown"):
        load_lmm(lmm_folder, **wrong)


def test_a_missing_gpu_is_a_missing_resource(lmm_folder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ResourceMissing):
        load_lmm(lmm_folder, device="cuda")


def test_image_statistics_are_the_folders_own_or_the_familys(lmm_folder, tmp_path):
    usual = FAMILIES["internvl"].statistics
    assert load_statistics(lmm_folder, usual)[0] == (0.5, 0.4, 0.3)
    assert load_statistics(tmp_path, usual) == usual


@pytest.mark.parametrize("known", [True, False])
def test_code_in_a_models_folder_never_runs_and_nobody_is_asked(lmm_folder, tmp_path, monkeypatch, known):
    """Also where someone would say yes: `auto_map` and `custom_generate` are what others put into a folder."""
    folder, mark = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(lmm_folder, folder)
    code = f"open({str(mark)!r}, 'w')\nfrom transformers import PretrainedConfig\nclass C(PretrainedConfig): pass\n"
    (folder / "code.py").write_text(code)
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(code)
    for name, maps in (
        ("config.json", {"AutoConfig": "code.C", "AutoModel": "code.C"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["code.C", "code.C"]}),
    ):
        values = json.loads((folder / name).read_text()) | {"auto_map": maps}
        if name == "config.json" and not known:
            values["model_type"] = "made_up"
        if name == "tokenizer_config.json":
            values["tokenizer_class"] = "Qwen2Tokenizer"
        (folder / name).write_text(json.dumps(values))
    asked = []
    monkeypatch.setattr("builtins.input", lambda text="": asked.append(text) or "y")
    with contextlib.suppress(RefocusError):
        load_lmm(folder)
    assert not mark.exists() and not asked
