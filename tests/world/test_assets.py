"""What ships in assets/: the models that were examined, and a selector that says what it was trained on."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from refocus.core.errors import RefocusError
from refocus.core.files import write_json
from refocus.policy.provenance import described
from refocus.world import assets

from tests.support.trained_folder import provenance, write_trained

SHIPPED = Path(__file__).resolve().parents[2] / "assets"


def test_only_what_the_manifest_describes_is_promoted(tmp_path):
    for model in assets.MODELS:
        (tmp_path / "new" / model).mkdir(parents=True)
        (tmp_path / "new" / model / "config.json").write_text(model)
    with pytest.raises(RefocusError, match="missing"):
        assets.promote(tmp_path / "new", tmp_path / "shipped")
    manifest = {"files": assets.checksums(tmp_path / "new")}
    (tmp_path / "new" / assets.MANIFEST).write_text(json.dumps(manifest))
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    assert assets.checksums(tmp_path / "shipped") == manifest["files"]
    (tmp_path / "new" / "lmm" / "config.json").write_text("changed")
    with pytest.raises(RefocusError, match="other files"):
        assets.promote(tmp_path / "new", tmp_path / "shipped")


def test_a_selector_ships_beside_the_models_it_was_trained_with_and_goes_with_them(tmp_path):
    for folder in (f"new/{model}" for model in assets.MODELS):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text(folder)
    write_json(tmp_path / "new" / assets.MANIFEST, {"files": assets.checksums(tmp_path / "new"), "exams": [1]})
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    with pytest.raises(RefocusError, match="no trained policy"):
        assets.promote_selector(tmp_path / "nothing", tmp_path / "shipped")
    write_trained(tmp_path / "real")
    with pytest.raises(RefocusError, match="not trained in the synthetic world alone"):
        assets.promote_selector(tmp_path / "real", tmp_path / "shipped")
    world = tuple(data.model_copy(update={"synthetic": True}) for data in provenance().data)
    write_trained(tmp_path / "trained", data=world)
    assets.promote_selector(tmp_path / "trained", tmp_path / "shipped")
    shipped = tmp_path / "shipped" / assets.SELECTOR
    assert described(shipped) == described(tmp_path / "trained")
    assert ModelCard.load(shipped / "README.md").data["license"] == "apache-2.0"
    manifest = json.loads((tmp_path / "shipped" / assets.MANIFEST).read_text())
    assert manifest == {"files": assets.checksums(tmp_path / "shipped"), "exams": [1]}
    assert "selector/config.json" in manifest["files"]
    (tmp_path / "trained" / "provenance.json").unlink()
    with pytest.raises(RefocusError, match="nothing says what its weights were trained on"):
        assets.promote_selector(tmp_path / "trained", tmp_path / "shipped")
    assert described(shipped)
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    assert not (tmp_path / "shipped" / assets.SELECTOR).exists()


def test_the_shipped_models_are_the_examined_ones_and_small():
    manifest = json.loads((SHIPPED / assets.MANIFEST).read_text())
    assert assets.checksums(SHIPPED) == manifest["files"]
    assert sum(entry["bytes"] for entry in manifest["files"].values()) < assets.MOST_BYTES

    assert described(SHIPPED / assets.SELECTOR).is_synthetic
    for exam in manifest["exams"]:  # a world each
        accuracy = {name: score["accuracy"] for name, score in exam["scores"].items()}
        for group in ("moment", "sequence"):
            for frames in ("", ", nothing else"):
                assert accuracy[f"lmm {group} with evidence{frames}"] >= 0.9
                assert accuracy[f"lmm {group} with a moment left out{frames}"] <= accuracy[f"chance {group}"] + 0.1
