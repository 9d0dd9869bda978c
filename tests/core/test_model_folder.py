"""Folder or hub id: one rule for every command and rule."""

import logging

import huggingface_hub
import huggingface_hub.constants
import pytest
from refocus.core.errors import UsageError
from refocus.core.model_folder import HubAccess, cached_folder, find_folder, local_folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with the folders `assets/lmm` and `models/mine`, and an empty cache of the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("assets/lmm", "models/mine"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("assets/lmm", "folder"),
        ("models/mine", "folder"),
        ("models/other", "folder"),  # its OWNER is a folder here
        ("models", "folder"),
        ("nowhere", "folder"),
        ("./nowhere", "folder"),
        ("./OpenGVLab/InternVL3-1B-hf", "folder"),
        ("../nowhere", "folder"),
        ("/no/where", "folder"),
        ("~/models/mine", "folder"),
        ("a/b/c", "folder"),
        ("assets/polcy", "folder"),
        ("-owner/name", "folder"),  # no valid name of the hub
        ("owner/na--me", "folder"),
        ("owner/", "folder"),
        ("/name", "folder"),
        ("", "folder"),
        ("OpenGVLab/InternVL3-1B-hf", "hub"),
        ("google/siglip-so400m-patch14-384", "hub"),
        ("state-spaces/mamba2-1.3b", "hub"),
        ("under_score/v1.0", "hub"),
        ("asets/lmm", "error"),
        ("model/mine", "error"),
        ("modles/mnie", "error"),
        ("model/quite-another", "hub"),  # no folder here reads like that
        ("owner/name@v1.0", "hub"),
        ("owner/name@refs/pr/1", "hub"),
        ("owner/name@", "folder"),
        ("models/mine@v1.0", "folder"),
        ("asets/lmm@v1.0", "error"),
    ],
)
def test_the_rule(here, text, reading):
    if reading == "error":
        with pytest.raises(UsageError, match="no such folder, but it reads like"):
            local_folder(text)
    else:
        assert ("hub" if local_folder(text) is None else "folder") == reading


def test_the_shipped_models_are_folders_where_they_are_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert local_folder("assets/lmm") is not None


def test_a_typo_is_told_with_both_readings_and_never_looked_up(here, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(UsageError, match=r"asets/lmm: no such folder.* assets/lmm.*hf download asets/lmm"):
        find_folder("asets/lmm")
    with pytest.raises(UsageError, match=r"assets/lm: no such folder \(is it assets/lmm\?\)"):
        find_folder("assets/lm")


def test_a_hub_model_in_the_cache_is_one_whatever_it_reads_like(here):
    snapshot = here / "cache/models--asets--lmm/snapshots/0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (here / "cache/models--asets--lmm/refs").mkdir()
    (here / "cache/models--asets--lmm/refs/main").write_text("0123")
    assert local_folder("asets/lmm") is None


def test_a_download_is_announced(here, monkeypatch, caplog):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(here / "models/mine"))
    (here / "models/mine/config.json").write_text("{}")
    with caplog.at_level(logging.INFO):
        assert find_folder("owner/name") == here / "models/mine"
    assert "fetching it from the Hugging Face hub" in caplog.text


def test_without_a_network_it_is_not_announced_and_the_reason_is_short(here, monkeypatch, caplog):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    says = r"\(HF_HUB_OFFLINE forbids .* lacks it\); where"
    with caplog.at_level(logging.INFO), pytest.raises(UsageError, match=says):
        find_folder("owner/name")
    assert "fetching" not in caplog.text


def test_a_hub_id_may_name_its_revision(here, monkeypatch):
    asked = []

    def snapshot_download(name, revision, **rest):
        asked.append((name, revision))
        return str(here / "models/mine")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    (here / "models/mine/config.json").write_text("{}")
    find_folder("owner/name@v1.0")
    find_folder("owner/name", access=HubAccess(revision="v1.0"))
    find_folder("owner/name@v1.0", access=HubAccess(revision="v1.0"))
    assert asked == [("owner/name", "v1.0")] * 3
    with pytest.raises(UsageError, match="another revision than 'v2'"):
        find_folder("owner/name@v1.0", access=HubAccess(revision="v2"))


def test_the_cache_is_asked_for_the_revision(here):
    """The one that is cached is not the one that is named."""
    for commit, branch in (("0" * 40, "main"), ("1" * 40, "v1")):
        snapshot = here / "cache/models--owner--name/snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
        (here / "cache/models--owner--name/refs").mkdir(exist_ok=True)
        (here / "cache/models--owner--name/refs" / branch).write_text(commit)
    assert cached_folder("owner/name").name == "0" * 40
    assert cached_folder("owner/name@v1").name == cached_folder("owner/name", "v1").name == "1" * 40
    assert cached_folder("owner/name@v2") is None


def test_a_typo_of_a_model_of_the_project_is_no_hub_id(tmp_path, monkeypatch):
    """Also in a folder without models of its own, as `refocus init` makes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="assets/lmm"):
        local_folder("asets/lmm")
