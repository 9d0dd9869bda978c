"""Policies that can be shared: card and provenance beside the weights, to the hub and back, and by AutoModel."""

import inspect
import json
import logging

import pytest
import torch
from huggingface_hub import ModelCard, ModelHubMixin
from refocus.cli.main import main
from refocus.config.identity import weights
from refocus.core.errors import RefocusError, UsageError
from refocus.filter.filter_summary import FLAGS
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.hub import prepare
from refocus.policy.model_card import WHY_LEFT_OUT, card_of
from refocus.policy.provenance import described, read_provenance, shareable, write_provenance
from refocus.policy.trained_for import read_trained_for
from refocus.qa.licences import TERMS, WORLD_CATEGORIES, is_synthetic
from refocus.report.results import WORLD_GROUPS

from tests.support.grey_video import write_greys
from tests.support.hub_server import hub_server
from tests.support.tiny_policy import build_policy
from tests.support.trained_folder import TRAINED_FOR, provenance, write_trained


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return write_trained(tmp_path_factory.mktemp("run") / "policy")


@pytest.fixture
def folder(trained, tmp_path):
    """A copy that a test may change."""
    copy = tmp_path / "policy"
    copy.mkdir()
    for file in trained.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_server(monkeypatch, tmp_path / "cache") as server:
        yield server


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# ---- the card


def test_the_hub_reads_the_cards_metadata(trained):
    """Base and data sets are hub ids or absent: the hub refuses a card that names anything else there."""
    data = ModelCard.load(trained / "README.md").data
    said = data.to_dict()
    names = ("license", "library_name", "pipeline_tag")
    assert [said[name] for name in names] == ["unknown", "refocus", "video-text-to-text"]
    assert data.base_model == "interlive/video-ma2mba-1.3b"
    assert data.datasets == ["TIGER-Lab/VISTA-400K", "tomg-group-umd/cinepile"]
    assert {"frame-selection", "arxiv:2506.01274"} <= set(data.tags) and "synthetic-world" not in data.tags


def test_the_card_says_what_the_run_knows(trained):
    text = (trained / "README.md").read_text(encoding="utf-8")
    for told in (
        "| vista | `vista` | 400 | 90 | 40 | 1 |",
        "Of 4000 questions, the filter kept 446",
        "tau = 0.21",
        "9 about a video that a benchmark has too",
        "| this policy | 0.750 | +0.400 |",
        "| uniform, as many frames | 0.500 | -0.100 |",
        "pick **2 frames** of at most 512 candidates, sampled at 4 frames a second at most, 32x32",
        "| films (CinePile) | CC-BY-NC-SA-4.0 | the studios' copyright |",
        "| own (my.adapter:read) | unknown | unknown | unknown |",
        "4 (no frames)",
        "refocus train --config mine.yaml --out …/mine",
        "2 processes",
    ):
        assert told in text


def test_nothing_is_said_that_the_run_does_not_know():
    """No summary of the filter, no validation, a base from a folder, a data set of unknown layout."""
    made = provenance(
        filter=None, validation=None, base=provenance().reward_model, data=(provenance().data[2],), command=""
    )
    card = card_of(made, None)
    assert card.data.base_model is None and card.data.datasets is None
    assert "is unknown: its summary was not at hand" in card.text and "did not validate these weights" in card.text
    assert "It learned to pick" not in card.text and "# unknown" in card.text


def test_a_synthetic_run_claims_no_data_set():
    """The world writes its questions in the layouts of real data sets, whose licences it has nothing to do with."""
    world = tuple(data.model_copy(update={"synthetic": True}) for data in provenance().data)
    card = card_of(provenance(data=world), TRAINED_FOR)
    assert card.data.datasets is None and "synthetic-world" in card.data.tags
    assert "CC-BY" not in card.text and "on any real video its picks mean nothing" in card.text


def test_the_worlds_questions_are_known_by_their_categories():
    assert set(WORLD_CATEGORIES) == set(WORLD_GROUPS)
    assert is_synthetic(["moment/color", "static/corner"])
    assert not is_synthetic(["moment/color", "causal"]) and not is_synthetic([])


def test_every_reason_of_the_filter_has_words():
    assert set(WHY_LEFT_OUT) == set(FLAGS)


def test_terms_name_where_they_were_read():
    assert all(terms.source.startswith("https://") and terms.annotations for terms in TERMS.values())


def test_weights_chosen_by_their_validation_say_so():
    assert "a little too good" in card_of(provenance(state="best"), None).text
    assert "a little too good" not in card_of(provenance(), None).text


def test_no_path_of_the_machine_is_shared():
    words = 'refocus train --pairs /home/ann/x/pairs.parquet --lmm-settings \'{"path": "/scratch/lmm"}\' --out=~/run'
    assert shareable({"command": [words, 4]}) == {
        "command": ['refocus train --pairs …/pairs.parquet --lmm-settings \'{"path": "…/lmm"}\' --out=…/run', 4]
    }
    kept = "results/train/demo owner/name 1/2 https://huggingface.co/owner/name"
    assert shareable(kept) == kept


# ---- the folder


def test_a_folder_as_written_is_complete(folder):
    assert described(folder) == read_provenance(folder)
    (folder / "README.md").write_text("a card of one's own")
    (folder / "LICENSE").write_text("mine")
    described(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "selection.json", "README.md"])
def test_a_folder_that_lacks_a_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(RefocusError, match=name):
        described(folder)


def test_other_weights_than_the_described_are_refused(folder):
    """Put there by hand, or written by the program itself."""
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(RefocusError, match=r"model\.safetensors is not what was written"):
        described(folder)
    build_policy(1, torch.float32).save_pretrained(folder)
    with pytest.raises(UsageError, match="written again since training described them"):
        described(folder)


def test_a_file_beside_them_is_refused(folder):
    (folder / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt: no file of training's"):
        described(folder)


def test_a_folder_without_provenance_says_how_it_gets_one(folder):
    (folder / "provenance.json").unlink()
    with pytest.raises(UsageError, match=r"no provenance.json.*once more"):
        described(folder)


def test_provenance_of_another_make_is_refused_by_name(folder):
    values = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps({**values, "steps": "many"}))
    with pytest.raises(UsageError, match="steps"):
        described(folder)
    (folder / "provenance.json").write_text(json.dumps({**values, "later": 1}))
    described(folder)


def test_what_describes_a_policy_is_no_part_of_what_it_is(folder):
    """A new card makes nobody's selections other ones; new weights do, and so does how it is to be asked."""
    before = weights(str(folder))
    (folder / "README.md").write_text("changed")
    (folder / "LICENSE").write_text("mine")
    write_provenance(folder, provenance(command="another"))
    assert weights(str(folder)) == before
    selection = (folder / "selection.json").read_text()
    (folder / "selection.json").write_text(selection.replace("512", "64"))
    assert weights(str(folder)) != before
    (folder / "selection.json").write_text(selection)
    build_policy(1, torch.float32).save_pretrained(folder)
    assert weights(str(folder)) != before


def test_a_folder_that_nothing_describes_is_what_it_always_was(folder):
    """A downloaded model with a README keeps the name that finished results know it by."""
    (folder / "provenance.json").unlink()
    before = weights(str(folder))
    (folder / "README.md").write_text("changed")
    assert weights(str(folder)) != before


# ---- the hub


def test_a_policy_comes_back_from_the_hub_as_it_was(hub, tmp_path, monkeypatch):
    """Pushed private from memory; read with the token only, at any revision."""
    first, second = build_policy(0, torch.float32), build_policy(1, torch.float32)
    arguments = {"token": hub.token, "private": True, "model_card_kwargs": {"license": "mit"}}
    address = first.push_to_hub("ann/selector", commit_message="one", **arguments)
    assert address.startswith(hub.address) and hub.messages == ["one"] and hub.private == {"ann/selector"}
    old = hub.commits("ann/selector")[-1]
    second.push_to_hub("ann/selector", **arguments)
    read = FramePolicy.from_pretrained("ann/selector", token=hub.token)
    assert same(read, second)
    assert same(FramePolicy.from_pretrained("ann/selector", revision=old, token=hub.token), first)
    assert ModelCard(hub.files("ann/selector")["README.md"].decode()).data.license == "mit"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "other"))
    with pytest.raises(UsageError, match="ann/selector is neither a folder nor a hub model that can be fetched"):
        FramePolicy.from_pretrained("ann/selector")
    with pytest.raises(UsageError, match="neither a folder nor"):
        FramePolicy.from_pretrained("ann/selector", revision="v9", token=hub.token)


def test_the_signatures_are_those_of_the_hubs_mixin():
    def names(function):
        return [name for name, parameter in inspect.signature(function).parameters.items() if name != "self"]

    assert names(FramePolicy.push_to_hub) == names(ModelHubMixin.push_to_hub)
    theirs = set(names(ModelHubMixin.from_pretrained)) - {"pretrained_model_name_or_path", "model_kwargs"}
    assert theirs <= set(names(FramePolicy.from_pretrained))


def test_without_a_token_nothing_is_uploaded(hub):
    with pytest.raises(RefocusError, match=r"ann/selector could not be uploaded .*HF_TOKEN"):
        build_policy(dtype=torch.float32).push_to_hub("ann/selector")
    assert not hub.repositories


def test_where_there_is_no_network_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(RefocusError, match="could not be uploaded"):
        build_policy(dtype=torch.float32).push_to_hub("ann/selector", token="hf_x")


@pytest.mark.parametrize("name", ["selector", "a/b/c", "ann/sel ector", "ann/--x"])
def test_what_is_no_name_of_the_hub_is_refused_before_anything_is_read(name):
    with pytest.raises(UsageError, match="OWNER/NAME"):
        prepare("/no/where", name)


def test_a_revision_of_a_folder_is_refused(folder):
    with pytest.raises(UsageError, match="no revision 'v1'"):
        FramePolicy.from_pretrained(folder, revision="v1")


# ---- the command


def test_push_uploads_what_training_wrote_and_shows_it(hub, folder, tmp_path, monkeypatch, capsys):
    """All files and the tables; the card names the repository; what comes back is described and picks alike."""
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "table1.md").write_text("| LMM | acc |\n|---|---|\n| tiny | 71.3 |\n")
    (tables / "table1.tex").touch()
    (tables / "table4.csv").write_text("a,b\n")
    (folder / "LICENSE").write_text("mine")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    words = ["push", str(folder), "ann/selector", "--private", "--tables", str(tables), "--license", "apache-2.0"]
    assert main([*words, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "71.3" in shown and not hub.repositories
    assert main(words) == 0
    shown = capsys.readouterr().out
    uploaded = hub.files("ann/selector")
    assert "SHA256SUMS" in uploaded
    own = {file.name for file in folder.iterdir()}
    assert uploaded.keys() == own | {"tables/table1.md", "tables/table4.csv"}
    assert all(f"  {name}\n" in shown for name in uploaded) and shown.endswith(f"{hub.commits('ann/selector')[-1]}\n")
    assert all(uploaded[name] == (folder / name).read_bytes() for name in own - {"README.md"})
    card = ModelCard(uploaded["README.md"].decode())
    assert card.data.license == "apache-2.0" and 'from_pretrained("ann/selector")' in card.text
    assert "| tiny | 71.3 |" in card.text and "[tables/table4.csv](tables/table4.csv)" in card.text
    assert card.text.index("71.3") < card.text.index("## Limits") and "OWNER/NAME" not in card.text
    assert same(FramePolicy.from_pretrained("ann/selector"), FramePolicy.from_pretrained(folder))
    assert read_trained_for("ann/selector") == TRAINED_FOR


def test_push_refuses_what_is_not_what_training_wrote(hub, folder, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    (folder / "model.safetensors").write_bytes(b"other")
    with caplog.at_level(logging.ERROR):
        assert main(["push", str(folder), "ann/selector"]) == 1
        assert main(["push", str(folder / "nowhere"), "ann/selector"]) == 2
    assert "model.safetensors is not what was written" in caplog.text
    assert "no such folder" in caplog.text and not hub.repositories


def test_tables_beside_the_best_weights_are_of_others(folder, tmp_path):
    (tmp_path / "table1.md").write_text("| a |")
    write_provenance(folder, provenance(state="best"))
    card = prepare(folder, "ann/selector", tmp_path).files["README.md"]
    assert isinstance(card, bytes) and "not of these weights" in card.decode()
    with pytest.raises(UsageError, match="no tables"):
        prepare(folder, "ann/selector", folder / "tables")


def test_the_front_door_takes_a_revision_and_a_token(hub, folder, monkeypatch):
    from refocus import FrameSelector

    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert main(["push", str(folder), "ann/selector", "--private"]) == 0
    monkeypatch.delenv("HF_TOKEN")
    commit = hub.commits("ann/selector")[-1]
    selector = FrameSelector.from_pretrained("ann/selector", revision=commit, token=hub.token)
    assert selector.n_frames == 2 and selector.reader == FrameSelector.from_pretrained(folder).reader
    with pytest.raises(UsageError, match="for a policy of the hub"):
        FrameSelector.from_pretrained("uniform", revision=commit)


def test_an_older_revision_is_asked_by_flag_by_name_and_from_python(hub, folder, tmp_path, monkeypatch, capsys):
    """They load the first of two states, which picks otherwise than the second."""
    from refocus import FrameSelector

    monkeypatch.setenv("HF_TOKEN", hub.token)
    write_greys(tmp_path / "video.mp4", range(30))
    for seed in (0, 1):
        write_trained(folder, seed)
        assert main(["push", str(folder), "ann/selector", "--private"]) == 0
    first = hub.commits("ann/selector")[1]  # the one before it is empty
    python = [
        FrameSelector.from_pretrained("ann/selector", revision=first),
        FrameSelector.from_pretrained(model="ann/selector", revision=first),
        FrameSelector.from_pretrained(f"ann/selector@{first}"),
    ]
    select = ["select", str(tmp_path / "video.mp4"), "What?", "--json", "--model"]
    capsys.readouterr()
    said = []
    for words in (["ann/selector", "--revision", first], [f"ann/selector@{first}"], ["ann/selector"]):
        assert main([*select, *words]) == 0
        said.append(json.loads(capsys.readouterr().out)["likelihood"]["values"])
    assert said[0] == said[1] != said[2]
    for selector in python:
        assert list(selector.select(tmp_path / "video.mp4", "What?").likelihood.values) == said[0]
    assert main([*select[:4], "--selector", "uniform", "--revision", first]) == 2


# ---- transformers


def test_automodel_reads_a_policy_once_it_is_registered(folder):
    from refocus import register_auto_classes
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    register_auto_classes()
    register_auto_classes()
    policy = AutoModel.from_pretrained(folder)
    assert isinstance(policy, FramePolicy) and same(policy, FramePolicy.from_pretrained(folder))
    assert AutoConfig.from_pretrained(folder).width == policy.config.width
    assert AutoTokenizer.from_pretrained(folder).get_vocab() == policy.tokenizer.get_vocab()
    with pytest.raises(UsageError, match="another layers"):
        AutoModel.from_pretrained(folder, layers=2)


def test_automodel_reads_the_hub_too(hub, folder, monkeypatch):
    from refocus import register_auto_classes
    from transformers import AutoModel

    build_policy(dtype=torch.float32).push_to_hub("ann/selector", private=True, token=hub.token)
    register_auto_classes()
    assert isinstance(AutoModel.from_pretrained("ann/selector", token=hub.token, revision="main"), FramePolicy)
